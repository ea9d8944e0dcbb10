// Requests for certificates, and certificates as far as this page has to believe one: P-256, SHA-256, named by a URI.

import { bits, context, decode, decodeOne, integer, objectId, sequence, set, signatureFromDer, signatureToDer, text } from "./der.js";
import { fromBase64, fromUtf8, toBase64, toHex } from "./encoding.js";

export const ECDSA = { name: "ECDSA", hash: "SHA-256" };
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const SUBJECT_ALT_NAME = toHex(objectId("2.5.29.17"));
const BASIC_CONSTRAINTS = toHex(objectId("2.5.29.19"));
const PREFIX = "urn:xinyidai:";

/** @param {string} label @param {Uint8Array} der @returns {string} */
export function toPem(label, der) {
  const lines = toBase64(der).match(/.{1,64}/g).join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** @param {string} pem @returns {Uint8Array[]} every certificate in it, in order */
export function certificatesOf(pem) {
  const found = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g);
  return Array.from(found, ([, body]) => fromBase64(body.replace(/\s+/g, "")));
}

/** PKCS #10 for a key of this device. @param {CryptoKeyPair} pair @param {string} name @returns {Promise<string>} PEM */
export async function certificateRequest(pair, name) {
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const subject = sequence(set(sequence(objectId("2.5.4.3"), text(name))));
  const asked = sequence(integer(Uint8Array.of(0)), subject, spki, context(0));
  const signature = new Uint8Array(await crypto.subtle.sign(ECDSA, pair.privateKey, asked));
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256));
  return toPem("CERTIFICATE REQUEST", sequence(asked, algorithm, bits(signatureToDer(signature))));
}

/**
 * @typedef {{der: Uint8Array, signed: Uint8Array, signature: Uint8Array, issuer: string, subject: string,
 *   spki: Uint8Array, notBefore: number, notAfter: number, uris: string[], authority: boolean}} Certificate
 * Times in seconds since 1970-01-01 UTC.
 */

/** @param {Uint8Array} der @returns {Certificate} Throws for another kind. */
export function readCertificate(der) {
  const [signed, , signature] = decode(decodeOne(der).content);
  const parts = decode(signed.content);
  // The version is there in every certificate of version 3.
  const [, , , issuer, validity, subject, spki] = parts;
  const [from, until] = decode(validity.content).map(instantOf);
  const extensions = parts.find(({ tag }) => tag === 0xa3);
  const named = extensions ? decode(decodeOne(extensions.content).content).map(({ content }) => decode(content)) : [];
  const extension = (id) => named.find(([oid]) => toHex(oid.raw) === id)?.at(-1)?.content;
  const names = extension(SUBJECT_ALT_NAME);
  const basic = extension(BASIC_CONSTRAINTS);
  return {
    der,
    signed: signed.raw,
    signature: signatureFromDer(signature.content.subarray(1)),
    issuer: toHex(issuer.raw),
    subject: toHex(subject.raw),
    spki: spki.raw,
    notBefore: from,
    notAfter: until,
    uris: names ? decode(decodeOne(names).content).filter(({ tag }) => tag === 0x86).map(({ content }) => fromUtf8(content)) : [],
    authority: basic ? toHex(decodeOne(basic).content).startsWith("0101ff") : false,
  };
}

function instantOf({ tag, content }) {
  const digits = fromUtf8(content);
  const full = tag === 0x17 ? `${digits[0] < "5" ? "20" : "19"}${digits}` : digits;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  return Date.UTC(+year, +month - 1, +day, +hour, +minute, +second) / 1000;
}

/** @param {Certificate} certificate @returns {Promise<CryptoKey>} */
export function publicKeyOf(certificate) {
  return crypto.subtle.importKey("spki", certificate.spki, CURVE, true, ["verify"]);
}

/**
 * The name a chain gives its first certificate, vouched for by one of `roots` at a moment. Throws otherwise.
 * Not checked: revocation, path lengths (a chain has one certificate, or two).
 * @param {Uint8Array[]} chain leaf first @param {Uint8Array[]} roots @param {string} role @param {number} at seconds
 * @returns {Promise<{name: string, certificate: Certificate}>}
 */
export async function verifyChain(chain, roots, role, at) {
  const links = chain.slice(0, 2).map(readCertificate);
  const anchors = roots.map(readCertificate);
  const last = links[links.length - 1];
  for (const link of links) if (at < link.notBefore || at > link.notAfter) throw new Error("out of its time");
  for (const [child, issuer] of links.slice(1).map((issuer, index) => [links[index], issuer])) await checkLink(child, issuer);
  const root = anchors.find((anchor) => anchor.subject === last.issuer && at >= anchor.notBefore && at <= anchor.notAfter);
  if (!root) throw new Error("no root vouches for it");
  await checkLink(last, root);
  const mine = links[0].uris.filter((uri) => uri.startsWith(PREFIX));
  if (mine.length !== 1 || !mine[0].startsWith(`${PREFIX}${role}:`) || links[0].authority) throw new Error("another role");
  return { name: mine[0].slice(PREFIX.length + role.length + 1), certificate: links[0] };
}

async function checkLink(child, issuer) {
  const key = await publicKeyOf(issuer);
  const good = issuer.authority && (await crypto.subtle.verify(ECDSA, key, child.signature, child.signed));
  if (!good) throw new Error("not signed by its issuer");
}
