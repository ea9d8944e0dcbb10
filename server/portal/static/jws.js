// JSON Web Signatures (RFC 7515, compact) with ES256, as proto/xinyidai/signing.py has them.

import { ECDSA, publicKeyOf, verifyChain } from "./certificates.js";
import { canonical, fromBase64, fromBase64url, fromUtf8, hexDigest, toBase64, toBase64url, utf8 } from "./encoding.js";

/**
 * @param {CryptoKey} key private @param {object} claims @param {string} typ
 * @param {Uint8Array[]} [chain] certificates for the x5c header, leaf first
 * @returns {Promise<string>}
 */
export async function sign(key, claims, typ, chain) {
  const header = { alg: "ES256", typ, ...(chain ? { x5c: chain.map(toBase64) } : {}) };
  const input = `${toBase64url(utf8(canonical(header)))}.${toBase64url(utf8(canonical(claims)))}`;
  const signature = await crypto.subtle.sign(ECDSA, key, utf8(input));
  return `${input}.${toBase64url(new Uint8Array(signature))}`;
}

/** How documents name each other: hex SHA-256 of what is signed. @param {string} raw @returns {Promise<string>} */
export function signedDigest(raw) {
  return hexDigest(raw.slice(0, raw.lastIndexOf(".")));
}

/** Claims nobody has verified. @param {string} raw @returns {any} */
export function readUnverified(raw) {
  return JSON.parse(fromUtf8(fromBase64url(raw.split(".")[1])));
}

/** The claims, if `key` signed them as a document of type `typ`. Throws otherwise. @param {string} raw */
export async function verify(raw, typ, key) {
  const [header, payload, signature, ...rest] = raw.split(".");
  const { alg, typ: found, crit } = JSON.parse(fromUtf8(fromBase64url(header)));
  if (rest.length || alg !== "ES256" || found !== typ || crit !== undefined) throw new Error("another kind of document");
  const good = await crypto.subtle.verify(ECDSA, key, fromBase64url(signature), utf8(`${header}.${payload}`));
  if (!good) throw new Error("the signature does not verify");
  return JSON.parse(fromUtf8(fromBase64url(payload)));
}

/**
 * The claims of a document that an enclave signed, vouched for by one of `roots` when it was signed, and that names the
 * enclave its certificate names. Throws otherwise.
 * @param {string} raw @param {string} typ @param {Uint8Array[]} roots
 */
export async function verifyEnclave(raw, typ, roots) {
  const { x5c } = JSON.parse(fromUtf8(fromBase64url(raw.split(".")[0])));
  const { iat } = readUnverified(raw);
  const { name, certificate } = await verifyChain(x5c.map(fromBase64), roots, "enclave", iat);
  const claims = await verify(raw, typ, await publicKeyOf(certificate));
  if (claims.iss !== name) throw new Error("signed by another enclave than it names");
  return claims;
}
