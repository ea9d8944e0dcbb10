// As much of DER (X.690) as a certificate request and a certificate need.

import { concat, utf8 } from "./encoding.js";

const CLASS_CONTEXT = 0xa0;

/** @param {number} tag @param {...Uint8Array} contents @returns {Uint8Array} */
export function encode(tag, ...contents) {
  const content = concat(...contents);
  const length = [];
  if (content.length < 0x80) length.push(content.length);
  else {
    for (let rest = content.length; rest > 0; rest >>>= 8) length.unshift(rest & 0xff);
    length.unshift(0x80 | length.length);
  }
  return concat(Uint8Array.from([tag, ...length]), content);
}

export const sequence = (...parts) => encode(0x30, ...parts);
export const set = (...parts) => encode(0x31, ...parts);
export const text = (value) => encode(0x0c, utf8(value));
export const bits = (value) => encode(0x03, Uint8Array.of(0), value);
export const context = (number, ...parts) => encode(CLASS_CONTEXT | number, ...parts);

/** @param {Uint8Array} magnitude big-endian, not negative @returns {Uint8Array} */
export function integer(magnitude) {
  let at = 0;
  while (at < magnitude.length - 1 && magnitude[at] === 0) at += 1;
  const trimmed = magnitude.subarray(at);
  return encode(0x02, trimmed[0] & 0x80 ? concat(Uint8Array.of(0), trimmed) : trimmed);
}

/** @param {string} dotted @returns {Uint8Array} */
export function objectId(dotted) {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes = [40 * first + second];
  for (const number of rest) {
    const groups = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f));
    bytes.push(...groups);
  }
  return encode(0x06, Uint8Array.from(bytes));
}

/**
 * @typedef {{tag: number, raw: Uint8Array, content: Uint8Array}} Node `raw`: with its tag and length.
 */

/** @param {Uint8Array} bytes @returns {Node[]} the values that follow each other. Throws for what is not DER. */
export function decode(bytes) {
  const nodes = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    const tag = bytes[at];
    let length = bytes[at + 1];
    at += 2;
    if (length === undefined || length === 0x80 || length > 0x83) throw new Error("not DER");
    if (length > 0x80) {
      const count = length & 0x7f;
      length = 0;
      for (let index = 0; index < count; index += 1, at += 1) length = (length << 8) | bytes[at];
    }
    if (at + length > bytes.length) throw new Error("not DER");
    nodes.push({ tag, raw: bytes.subarray(start, at + length), content: bytes.subarray(at, at + length) });
    at += length;
  }
  return nodes;
}

/** @param {Uint8Array} bytes @returns {Node} exactly one value */
export function decodeOne(bytes) {
  const nodes = decode(bytes);
  if (nodes.length !== 1) throw new Error("not DER");
  return nodes[0];
}

/** @param {Uint8Array} raw r and s of 32 bytes each @returns {Uint8Array} as X.509 has an ECDSA signature */
export function signatureToDer(raw) {
  return sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
}

/** @param {Uint8Array} der @returns {Uint8Array} r and s of 32 bytes each, as WebCrypto has it */
export function signatureFromDer(der) {
  const parts = decode(decodeOne(der).content).map(({ content }) => {
    const magnitude = content[0] === 0 ? content.subarray(1) : content;
    if (magnitude.length > 32) throw new Error("not a P-256 signature");
    return concat(new Uint8Array(32 - magnitude.length), magnitude);
  });
  if (parts.length !== 2) throw new Error("not a signature");
  return concat(...parts);
}
