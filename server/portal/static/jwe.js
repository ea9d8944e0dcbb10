// JSON Web Encryption (RFC 7516, compact): ECDH-ES on P-256 (RFC 7518, 4.6) with A256GCM, padded with spaces.

import { concat, fromBase64url, fromUtf8, sha256, toBase64url, utf8 } from "./encoding.js";

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const METHOD = "A256GCM";
const TAG_BYTES = 16;

/** A key to be answered to, for one question. @returns {Promise<CryptoKeyPair>} */
export function newReader() {
  return crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
}

/** @param {CryptoKey} key @returns {Promise<{kty: string, crv: string, x: string, y: string}>} */
export async function publicJwk(key) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  return { kty, crv, x, y };
}

const number = (value) => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
};

/** Concat KDF (NIST SP 800-56A, 5.8.1) for one block, without party information. */
async function agree(privateKey, publicKey, usage) {
  const secret = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: publicKey }, privateKey, 256));
  const name = utf8(METHOD);
  const info = concat(number(name.length), name, number(0), number(0), number(256));
  return crypto.subtle.importKey("raw", await sha256(concat(number(1), secret, info)), "AES-GCM", false, [usage]);
}

/** @param {string} raw @param {CryptoKey} key private @returns {Promise<string>} the text, padding removed */
export async function open(raw, key) {
  const [header, encryptedKey, iv, ciphertext, tag, ...rest] = raw.split(".");
  const { alg, enc, epk, zip, apu, apv } = JSON.parse(fromUtf8(fromBase64url(header)));
  if (rest.length || encryptedKey || alg !== "ECDH-ES" || enc !== METHOD || zip || apu || apv) throw new Error("another kind of message");
  const theirs = await crypto.subtle.importKey("jwk", { kty: epk.kty, crv: epk.crv, x: epk.x, y: epk.y }, CURVE, false, []);
  const content = await agree(key, theirs, "decrypt");
  const options = { name: "AES-GCM", iv: fromBase64url(iv), additionalData: utf8(header) };
  const sealed = concat(fromBase64url(ciphertext), fromBase64url(tag));
  return fromUtf8(await crypto.subtle.decrypt(options, content, sealed)).replace(/ +$/, "");
}

/**
 * @param {string} text @param {number} length bytes to pad to @param {JsonWebKey} reader public
 * @returns {Promise<string>} Throws for a longer text: its size would show.
 */
export async function seal(text, length, reader) {
  const plain = utf8(text);
  if (plain.length > length) throw new Error("the message is too long");
  const padded = concat(plain, new Uint8Array(length - plain.length).fill(0x20));
  const theirs = await crypto.subtle.importKey("jwk", reader, CURVE, false, []);
  const ours = await newReader();
  const fields = { alg: "ECDH-ES", enc: METHOD, epk: await publicJwk(ours.publicKey) };
  const header = toBase64url(utf8(JSON.stringify(fields)));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const content = await agree(ours.privateKey, theirs, "encrypt");
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(header) }, content, padded));
  const parts = [iv, sealed.subarray(0, -TAG_BYTES), sealed.subarray(-TAG_BYTES)].map(toBase64url);
  return [header, "", ...parts].join(".");
}
