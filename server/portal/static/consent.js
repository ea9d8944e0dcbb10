// The life of authorizations, as clients/wallet/consent.py has it: banks' requests, narrowing, delegates, and what
// became of objections.

import { get, post } from "./api.js";
import { access, authorizations, DAY_SECONDS, enclaveIds, now, stamp, state } from "./documents.js";
import { canonical, fromBase64, randomText, sha256, toBase64url, utf8 } from "./encoding.js";
import { newReader, open, publicJwk } from "./jwe.js";
import { readUnverified, sign, signedDigest, verifyEnclave } from "./jws.js";

const KEY_MEMBERS = { "P-256": ["crv", "kty", "x", "y"], Ed25519: ["crv", "kty", "x"] };
const KEY_TYPES = { "P-256": "EC", Ed25519: "OKP" };
const COORDINATE = /^[A-Za-z0-9_-]{43}$/;
const MAX_ASSESSMENTS = 10_000;
const MAX_VALID_DAYS = 3660;
const MAX_POINTS = 255;

const isCount = (value, least, most) => Number.isInteger(value) && value >= least && value <= most;

/** A request's terms, if they are well formed. Who signed it is checked by the enclave when it is accepted. */
function readProposal(raw, device, banks) {
  const terms = readUnverified(raw);
  const bank = banks.find(({ id }) => id === terms.iss);
  const whole =
    terms.sub === device.uscc &&
    bank &&
    Array.isArray(terms.categories) &&
    terms.categories.length > 0 &&
    isCount(terms.max_assessments, 1, MAX_ASSESSMENTS) &&
    isCount(terms.valid_days, 1, MAX_VALID_DAYS) &&
    isCount(terms.precision_points, 0, MAX_POINTS) &&
    ["total", "by_category"].includes(terms.disclosure);
  if (!whole) throw new Error("the platform shows a request that is not for this enterprise");
  return { terms, bank };
}

/** What banks ask for and nobody has answered yet, newest first. */
export async function requests(device) {
  const { requests: found } = await get("/v1/authorization-requests", { access: await access(device) });
  const { banks } = await get("/v1/banks");
  return Promise.all(found.map(async (raw) => ({ digest: await signedDigest(raw), ...readProposal(raw, device, banks) })));
}

/**
 * @typedef {{digest: string, bank: string, purpose: string, disclosure: string, categories: string[], uses: number,
 *   days: number, precision: number}} Offer the most that may be granted
 * @typedef {{categories: string[], uses: number, days: number, precision: number}} Chosen at most the offer
 */

/** What accepting a request may grant at most. @returns {Offer} */
export function offerOfRequest({ digest, terms }) {
  const { iss: bank, purpose, disclosure, categories, max_assessments: uses, valid_days: days, precision_points: precision } = terms;
  return { digest, bank, purpose, disclosure, categories, uses, days, precision };
}

/** What may still be granted in place of an authorization in force. @returns {Offer} */
export function offerOfGrant({ digest, terms, assessments }) {
  const [{ purpose, disclosure, categories, max_assessments: uses, precision_points: precision }] = terms.authorization_details;
  const days = Math.max(1, Math.ceil((terms.exp - now()) / DAY_SECONDS));
  return { digest, bank: terms.client_id, purpose, disclosure, categories, uses: uses - assessments, days, precision };
}

/** No more than was asked for, however it was chosen. */
const within = (offer, chosen) => ({
  categories: offer.categories.filter((code) => chosen.categories.includes(code)),
  precision_points: Math.max(chosen.precision, offer.precision),
  max_assessments: Math.min(chosen.uses, offer.uses),
});

/** The authorization that accepts a request, as it is or narrower, all but the hash of its notice. @param {Chosen} chosen */
export function acceptDraft(device, request, chosen) {
  const { terms, bank, digest } = request;
  const offer = offerOfRequest(request);
  const iat = now();
  const expires = iat + Math.min(chosen.days, offer.days) * DAY_SECONDS;
  const { purpose, purpose_version, disclosure, catalogue, catalogue_digest, term_end } = terms;
  const kept = { purpose, purpose_version, disclosure, catalogue, catalogue_digest, ...(term_end ? { term_end } : {}) };
  return {
    iss: device.uscc,
    sub: device.uscc,
    aud: terms.aud,
    jti: randomText(24),
    iat,
    nbf: iat,
    exp: term_end ? Math.min(expires, term_end) : expires,
    client_id: bank.id,
    cnf: { "x5t#S256": bank.certificate_thumbprint },
    authorization_details: [{ type: "credit_assessment", ...kept, ...within(offer, chosen), request: digest }],
  };
}

/** A narrower authorization in place of one in force, which ends at the same moment. @param {Chosen} chosen */
export function narrowDraft(entry, chosen) {
  const { notice_hash: _hash, authorization_details: [{ request: _request, ...kept }], ...claims } = entry.terms;
  const offer = offerOfGrant(entry);
  const iat = now();
  const exp = chosen.days < offer.days ? Math.min(claims.exp, iat + chosen.days * DAY_SECONDS) : claims.exp;
  const details = { ...kept, ...within(offer, chosen), parent: entry.digest };
  return { ...claims, jti: randomText(24), iat, nbf: Math.max(iat, claims.nbf), exp, authorization_details: [details] };
}

/** The authorization in force that has this digest. */
export async function grantInForce(device, digest) {
  return (await authorizations(device)).find((one) => one.digest === digest && ["active", "paused"].includes(one.state));
}

export const rejectRequest = (device, request) => state(device, { action: "reject_request", request });

/** Say that a long authorization is still meant. */
export const reconfirm = (device, authorization) => state(device, { action: "reconfirm", authorization });

/** Delegates, and what they signed, newest first. */
export async function delegations(device) {
  return get("/v1/delegations", { access: await access(device) });
}

/**
 * A public key as somebody pasted it: a JWK, or PEM for P-256. Nothing but its required members.
 * @param {string} text @returns {Promise<{key: Record<string, string>, thumbprint: string}>} Throws `Error` "private"
 * for a private key, "key" for anything else.
 */
export async function readKey(text) {
  const raw = text.includes("-----BEGIN") ? await jwkOfPem(text) : parsed(text);
  if (raw.d !== undefined) throw new Error("private");
  const members = KEY_MEMBERS[raw.crv];
  if (!members || raw.kty !== KEY_TYPES[raw.crv] || !members.slice(2).every((name) => COORDINATE.test(raw[name]))) throw new Error("key");
  const key = Object.fromEntries(members.map((name) => [name, raw[name]]));
  return { key, thumbprint: toBase64url(await sha256(utf8(canonical(key)))) };
}

function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new Error("key");
  }
}

async function jwkOfPem(text) {
  if (text.includes("PRIVATE KEY")) throw new Error("private");
  try {
    const bytes = fromBase64(text.replace(/-----[^-]+-----/g, "").replace(/\s+/g, ""));
    const key = await crypto.subtle.importKey("spki", bytes, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
    return await crypto.subtle.exportKey("jwk", key);
  } catch {
    throw new Error("key");
  }
}

/** @param {{key: object, powers: string[], days: number, name: string}} given `name` masked */
export function delegate(device, { key, powers, days, name }) {
  const delegation = { key, powers: [...powers].sort(), not_after: now() + days * DAY_SECONDS, name };
  return state(device, { action: "delegate", delegation });
}

/** At once. @param {string} thumbprint of the delegate's key */
export const endDelegation = (device, thumbprint) => state(device, { action: "end_delegation", delegate: thumbprint });

/**
 * Both sides of this enterprise's objections, newest first, and the place whose rule sets their deadlines. Sealed to a key
 * made for this question, signed by an enclave this device trusts. Throws otherwise.
 */
export async function objections(device) {
  const reader = await newReader();
  const claims = { ...stamp(device.uscc, await enclaveIds()), reader: await publicJwk(reader.publicKey) };
  const request = await sign(device.pair.privateKey, claims, "objections-request+jwt");
  const { answer } = await post("/v1/objections", { request });
  const found = await verifyEnclave(await open(answer, reader.privateKey), "objections+jwt", device.enclaveRoots);
  if (found.sub !== device.uscc || found.jti !== claims.jti) throw new Error("the answer is not to what was asked");
  return { entries: [], ...found };
}
