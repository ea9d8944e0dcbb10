/**
 * Verifies a proof file of the transparency log with nothing but the browser's own cryptography (WebCrypto).
 * The same steps as xinyidai.transparency.verify_proof; see docs/transparency.md. Everything that fails throws.
 */

const FORMAT = "xinyidai-proof/1";
const LABEL = "xinyidai/log-entry/v1";
const MAX_PATH = 64;
const MAX_BYTES = 512 * 1024;
const KINDS = ["receipt+jwt", "acknowledgement+jwt"];
const IDENTITY = "urn:xinyidai:";

/** @param {string} hex 64 lower-case hexadecimal digits */
function fromHex(hex) {
  if (typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) throw new Error("expected 64 hexadecimal digits");
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
}

/** @param {string} text */
function fromBase64Url(text) {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(plain), (character) => character.charCodeAt(0));
}

/** @param {...Uint8Array} parts */
function join(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** @param {Uint8Array} one @param {Uint8Array} other */
function same(one, other) {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** @param {...Uint8Array} parts */
async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
}

/** Section 2.1.3.2 of RFC 9162. Sizes stay far below 2^53, so plain numbers are exact. */
export async function verifyInclusion(index, size, leaf, path, root) {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) {
    throw new Error("there is no such entry in a log of this size");
  }
  if (path.length > MAX_PATH) throw new Error("the path is too long");
  let [at, last, found] = [index, size - 1, leaf];
  for (const step of path) {
    if (last === 0) throw new Error("the path is too long");
    if (at % 2 === 1 || at === last) {
      found = await sha256(Uint8Array.of(1), step, found);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      found = await sha256(Uint8Array.of(1), found, step);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last !== 0 || !same(found, root)) throw new Error("the path does not lead to the root of the checkpoint");
}

/** One DER element: its tag, its content, and its bytes as a whole. */
function readDer(bytes, at = 0) {
  let length = bytes[at + 1];
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count < 1 || count > 3) throw new Error("the certificate cannot be read");
    length = 0;
    for (let i = 0; i < count; i += 1) length = length * 256 + bytes[start + i];
    start += count;
  }
  const end = start + length;
  if (!(end <= bytes.length)) throw new Error("the certificate cannot be read");
  return { tag: bytes[at], content: bytes.subarray(start, end), whole: bytes.subarray(at, end), end };
}

function children(element) {
  const found = [];
  for (let at = 0; at < element.content.length; ) {
    const child = readDer(element.content, at);
    found.push(child);
    at = child.end;
  }
  return found;
}

/** What a certificate (RFC 5280) says, as far as it is needed here. */
function readCertificate(der) {
  const [body, , signature] = children(readDer(der));
  const fields = children(body);
  const shift = fields[0].tag === 0xa0 ? 1 : 0;
  const [notBefore, notAfter] = children(fields[3 + shift]).map(readTime);
  return {
    signed: body.whole,
    signature: signature.content.subarray(1),
    issuer: fields[2 + shift].whole,
    subject: fields[4 + shift].whole,
    notBefore,
    notAfter,
    key: fields[5 + shift].whole,
    extensions: fields.find((field) => field.tag === 0xa3),
  };
}

function readTime(element) {
  const text = new TextDecoder().decode(element.content);
  const digits = element.tag === 0x17 ? (text < "50" ? "20" : "19") + text : text;
  const [, y, mo, d, h, mi, s] = digits.match(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/);
  return Date.UTC(+y, +mo - 1, +d, +h, +mi, +s) / 1000;
}

/** The one URI of the subject alternative name (2.5.29.17) that is an identity of this service. */
function readIdentity(extensions) {
  if (!extensions) throw new Error("the certificate names nobody");
  for (const extension of children(children(extensions)[0])) {
    const parts = children(extension);
    if (!same(parts[0].content, Uint8Array.of(0x55, 0x1d, 0x11))) continue;
    const names = children(readDer(parts[parts.length - 1].content)).filter((name) => name.tag === 0x86);
    const uris = names.map((name) => new TextDecoder().decode(name.content)).filter((uri) => uri.startsWith(IDENTITY));
    if (uris.length === 1) return uris[0];
  }
  throw new Error("the certificate names no single identity of this service");
}

/** ECDSA signatures in certificates are DER; WebCrypto wants r and s side by side. */
function rawSignature(der) {
  const parts = children(readDer(der)).map((element) => element.content);
  return join(...parts.map((part) => {
    const trimmed = part[0] === 0 ? part.subarray(1) : part;
    if (trimmed.length > 32) throw new Error("the certificate's signature cannot be read");
    return join(new Uint8Array(32 - trimmed.length), trimmed);
  }));
}

const ALGORITHMS = {
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  Ed25519: [{ name: "Ed25519" }, { name: "Ed25519" }],
};

async function checkSignature(algorithm, key, signature, signed) {
  if (!Object.hasOwn(ALGORITHMS, algorithm)) throw new Error("the signature's algorithm is not used here");
  const [importing, verifying] = ALGORITHMS[algorithm];
  const imported = await crypto.subtle.importKey("spki", key, importing, false, ["verify"]);
  if (!(await crypto.subtle.verify(verifying, imported, signature, signed))) {
    throw new Error("a signature does not verify");
  }
}

/** @param {string} pem one or more certificates */
export function readPem(pem) {
  const found = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)];
  if (found.length === 0) throw new Error("the file holds no PEM certificate");
  return found.map((match) => readCertificate(fromBase64Url(match[1].replace(/\s/g, ""))));
}

/** The leaf's issuer must be one of the roots; a city's enclaves are certified by its root directly. */
async function checkIssuer(leaf, roots) {
  for (const root of roots.filter((one) => same(one.subject, leaf.issuer))) {
    try {
      await checkSignature("ES256", root.key, rawSignature(leaf.signature), leaf.signed);
      return;
    } catch {
      // A root that renewed its key has the same name.
    }
  }
  throw new Error("the certificate is not vouched for by the root you gave");
}

/** A compact JWS of one of `kinds` with its certificate in x5c: who signed it, and its claims. */
async function verifyDocument(token, kinds, role, roots) {
  const parts = token.split(".");
  if (parts.length !== 3) throw new Error("not a compact JWS");
  const [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(new TextDecoder().decode(fromBase64Url(part))));
  if (!kinds.includes(header.typ) || "crit" in header) throw new Error(`expected a document of type ${kinds}`);
  const leaf = readCertificate(fromBase64Url(header.x5c[0]));
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  await checkSignature(header.alg, leaf.key, fromBase64Url(parts[2]), signed);
  if (!(leaf.notBefore <= claims.iat && claims.iat <= leaf.notAfter)) throw new Error("the certificate was out of its time");
  if (readIdentity(leaf.extensions) !== `${IDENTITY}${role}:${claims.iss}`) throw new Error("a document names another signer than its certificate");
  if (roots.length > 0) await checkIssuer(leaf, roots);
  return { kind: header.typ, claims, digest: await sha256(signed) };
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} text the proof file
 * @param {{enclaveRoots?: string, witnessRoots?: string}} trust PEM; without roots, only that the file is consistent
 * @returns what was proven; throws when anything fails
 */
export async function verifyProof(text, { enclaveRoots = "", witnessRoots = "" } = {}) {
  if (text.length > MAX_BYTES) throw new Error("the file is larger than any proof");
  const proof = JSON.parse(text);
  if (proof.format !== FORMAT) throw new Error(`this page reads ${FORMAT}`);
  const roots = enclaveRoots ? readPem(enclaveRoots) : [];
  const document = await verifyDocument(proof.document, KINDS, "enclave", roots);
  const checkpoint = await verifyDocument(proof.checkpoint, ["checkpoint+jwt"], "enclave", roots);
  if (checkpoint.claims.iss !== document.claims.iss || checkpoint.claims.origin !== `${document.claims.iss}:log`) {
    throw new Error("document and checkpoint are of two logs");
  }
  const entry = await sha256(new TextEncoder().encode(LABEL), fromHex(proof.salt), document.digest);
  const leaf = await sha256(Uint8Array.of(0), entry);
  const root = fromHex(checkpoint.claims.root);
  await verifyInclusion(proof.index, checkpoint.claims.size, leaf, proof.path.map(fromHex), root);
  const witnesses = [];
  if (witnessRoots) {
    for (const raw of proof.cosignatures) {
      const { claims } = await verifyDocument(raw, ["cosignature+jwt"], "witness", readPem(witnessRoots));
      const named = [claims.origin, claims.size, claims.root, claims.checkpoint];
      const wanted = [checkpoint.claims.origin, checkpoint.claims.size, checkpoint.claims.root, toHex(checkpoint.digest)];
      if (named.some((value, index) => value !== wanted[index])) throw new Error("a cosignature is of another checkpoint");
      witnesses.push(claims.iss);
    }
  }
  return {
    kind: document.kind,
    claims: document.claims,
    index: proof.index,
    size: checkpoint.claims.size,
    sealedAt: checkpoint.claims.iat,
    witnesses: [...new Set(witnesses)],
    rooted: roots.length > 0,
  };
}
