// Texts and bytes, as the documents of this service have them.

/** @param {Uint8Array} bytes @returns {string} base64, with padding */
export function toBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** @param {string} encoded @returns {Uint8Array} */
export function fromBase64(encoded) {
  return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
}

/** @param {Uint8Array} bytes @returns {string} base64url, without padding (RFC 7515, section 2) */
export function toBase64url(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @param {string} encoded @returns {Uint8Array} */
export function fromBase64url(encoded) {
  const plain = encoded.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
}

/** @param {string} text @returns {Uint8Array} */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/** @param {BufferSource} bytes @returns {string} Throws for what is not UTF-8. */
export function fromUtf8(bytes) {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

/** @param {Uint8Array} bytes @returns {string} */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} SHA-256 */
export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** @param {string} text @returns {Promise<string>} hex SHA-256 of its UTF-8 form */
export async function hexDigest(text) {
  return toHex(await sha256(utf8(text)));
}

/** @param {number} count @returns {string} base64url of random bytes */
export function randomText(count) {
  return toBase64url(crypto.getRandomValues(new Uint8Array(count)));
}

/**
 * JSON with sorted members and no white space, the form that documents are signed in. Members have ASCII names and
 * numbers are integers, so that this is what the Python side writes, byte for byte.
 * @param {unknown} value @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
