// What an enterprise signs, member for member as proto/xinyidai has it, and the answers only it can read.

import { get, post } from "./api.js";
import { hexDigest, randomText } from "./encoding.js";
import { newReader, open, publicJwk, seal } from "./jwe.js";
import { readUnverified, sign, signedDigest, verify, verifyEnclave } from "./jws.js";
import { centibitsEach, renderNotice } from "./notice.js";

const LIFETIME_SECONDS = 240;
const RECORD_NAME_BYTES = 2048;
const MAX_PAGES = 1000;
export const DAY_SECONDS = 86_400;

export const now = () => Math.floor(Date.now() / 1000);

export async function enclaveIds() {
  return (await get("/v1/enclaves")).enclaves.map(({ id }) => id);
}

export function stamp(uscc, audience, nonce = randomText(24)) {
  const iat = now();
  return { iss: uscc, sub: uscc, aud: audience, jti: nonce, iat, exp: iat + LIFETIME_SECONDS };
}

/** @param {import("./device.js").Device} device */
export async function access(device) {
  return sign(device.pair.privateKey, stamp(device.uscc, await enclaveIds()), "access+jwt");
}

export async function registerKey(device) {
  const claims = stamp(device.uscc, await enclaveIds());
  const registration = await sign(device.pair.privateKey, claims, "key-registration+jwt", device.chain);
  return post("/v1/keys", { registration });
}

/** @returns {Promise<string>} where to go next */
export async function signInWithKey(device) {
  const { challenge, audience } = await post("/portal/api/challenge");
  const claims = stamp(device.uscc, [audience], challenge);
  const document = await sign(device.pair.privateKey, claims, "sign-in+jwt", device.chain);
  return (await post("/portal/api/sign-in/key", { document })).next;
}

/**
 * What the city holds. The answer is sealed to a key made for this question, signed by an enclave this device trusts,
 * and must be to what was asked. Throws otherwise.
 */
export async function ownRecords(device, category = "", offset = 0) {
  const reader = await newReader();
  const claims = { ...stamp(device.uscc, await enclaveIds()), offset, reader: await publicJwk(reader.publicKey) };
  if (category) claims.category = category;
  const request = await sign(device.pair.privateKey, claims, "own-records-request+jwt");
  const { answer } = await post("/v1/own-records", { request });
  const found = await verifyEnclave(await open(answer, reader.privateKey), "own-records+jwt", device.enclaveRoots);
  const asked = [device.uscc, claims.jti, category, offset];
  if ([found.sub, found.jti, found.category ?? "", found.offset].some((value, index) => value !== asked[index])) {
    throw new Error("the answer is not to what was asked");
  }
  return { records: [], ...found };
}

async function state(device, members) {
  const claims = { ...stamp(device.uscc, await enclaveIds()), ...members };
  return post("/v1/statements", { statement: await sign(device.pair.privateKey, claims, "statement+jwt") });
}

/** @param {"revoke" | "pause" | "resume"} action */
export const changeState = (device, action, authorization) => state(device, { action, authorization });

/** @param {string} [bank] none: all banks together */
export function setBudget(device, centibits, bank) {
  return state(device, { action: "set_budget", centibits, ...(bank ? { client_id: bank } : {}) });
}

/** @param {"dispute" | "withdraw_dispute"} action @param {JsonWebKey} disputeKey of the enclave */
export async function dispute(device, action, category, recordId, disputeKey) {
  const name = JSON.stringify({ category, record_id: recordId });
  return state(device, { action, record: await seal(name, RECORD_NAME_BYTES, disputeKey) });
}

/** @returns {Promise<{document: any, reference: string, digest: string}>} checked against its digest */
export async function catalogue() {
  const answer = await fetch("/v1/catalogue", { cache: "no-store" });
  const text = await answer.text();
  const { reference, digest, document } = JSON.parse(text);
  const marker = '"document": ';
  const raw = text.slice(text.indexOf(marker) + marker.length, -1);
  if ((await hexDigest(raw)) !== digest) throw new Error("the catalogue does not match its digest");
  return { reference, digest, document };
}

/**
 * The claims a grant would sign, all but the hash of its notice.
 * @param {{bank: any, purpose: any, categories: string[], days: number, uses: number, byCategory: boolean,
 *   precision: number, loanDays: number | null}} chosen
 */
export async function draftGrant(device, chosen, { reference, digest }) {
  const iat = now();
  const termEnd = chosen.loanDays ? iat + chosen.loanDays * DAY_SECONDS : null;
  const expires = iat + chosen.days * DAY_SECONDS;
  const details = {
    type: "credit_assessment",
    categories: chosen.categories,
    purpose: chosen.purpose.code,
    purpose_version: chosen.purpose.version,
    disclosure: chosen.byCategory ? "by_category" : "total",
    precision_points: chosen.precision,
    max_assessments: chosen.uses,
    catalogue: reference,
    catalogue_digest: digest,
    ...(termEnd ? { term_end: termEnd } : {}),
  };
  return {
    iss: device.uscc,
    sub: device.uscc,
    aud: await enclaveIds(),
    jti: randomText(24),
    iat,
    nbf: iat,
    exp: termEnd ? Math.min(expires, termEnd) : expires,
    client_id: chosen.bank.id,
    cnf: { "x5t#S256": chosen.bank.certificate_thumbprint },
    authorization_details: [details],
  };
}

/** Sign a draft with the hash of exactly the text that was shown, and submit it. @returns {Promise<string>} its digest */
export async function grant(device, draft, shownNotice) {
  const claims = { ...draft, notice_hash: await hexDigest(shownNotice) };
  const token = await sign(device.pair.privateKey, claims, "authz+jwt");
  await post("/v1/authorizations", { authorization: token });
  return signedDigest(token);
}

export { centibitsEach, renderNotice };

/** Every authorization; one that this device's key did not sign was revoked with the key that did. */
export async function authorizations(device) {
  const { authorizations: entries } = await get("/v1/authorizations", { access: await access(device) });
  return Promise.all(
    entries.map(async (entry) => {
      const found = { ...entry, digest: await signedDigest(entry.authorization) };
      try {
        return { ...found, terms: await verify(entry.authorization, "authz+jwt", device.pair.publicKey) };
      } catch {
        return { ...found, terms: readUnverified(entry.authorization), state: "revoked" };
      }
    }),
  );
}

/** Every use, newest first, each with `proven`: whether its receipt says the same. And the budgets. */
export async function usage(device) {
  const uses = [];
  let token = "";
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const found = await get(`/v1/usage?page_size=200&page_token=${token}`, { access: await access(device) });
    for (const use of found.usages) uses.push({ ...use, proven: await proven(device, use) });
    token = found.next_page_token;
    if (new Set(uses.map((use) => use.assessment_id)).size !== uses.length) break;
    if (!token) return { uses, budgets: found.budgets };
  }
  throw new Error("the platform repeats uses, or never ends");
}

/** @returns {Promise<"yes" | "no" | "pending">} pending: the answer is still being computed */
async function proven(device, use) {
  if (!use.receipt) return "pending";
  try {
    const receipt = await verifyEnclave(use.receipt, "receipt+jwt", device.enclaveRoots);
    const signed = [receipt.jti, receipt.client_id, receipt.authorization, receipt.model, receipt.centibits, receipt.iat, receipt.sub];
    const shown = [use.assessment_id, use.bank_id, use.authorization_digest, use.model_id, use.centibits, use.charged_at, device.uscc];
    return signed.every((value, index) => value === shown[index]) ? "yes" : "no";
  } catch {
    return "no";
  }
}
