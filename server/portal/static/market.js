// Demands for finance, offers and loans: what an enterprise signs, member for member as proto/xinyidai/demands.py and
// loans.py have it, and what the platform answers, held against what follows from the terms.

import { get, post } from "./api.js";
import { costOf } from "./cost.js";
import { draftGrant, enclaveIds, grant, stamp } from "./documents.js";
import { hexDigest } from "./encoding.js";
import { sign } from "./jws.js";

const ID_LENGTH = 32;

async function signed(device, typ, members) {
  const claims = { ...stamp(device.uscc, await enclaveIds()), ...members };
  return sign(device.pair.privateKey, claims, typ, device.chain);
}

/** An offer whose costs follow from its terms. Throws otherwise. */
export function checkedOffer(offer) {
  const cost = costOf(offer);
  if (offer.total_cost_fen !== cost.total || offer.annualised_bp !== cost.annualised || offer.interest_fen !== cost.interest) {
    throw new Error("the platform's costs do not follow from the terms of the offer");
  }
  return offer;
}

const byCost = (one, other) => one.annualised_bp - other.annualised_bp || one.total_cost_fen - other.total_cost_fen;
const checked = (demand) => ({ ...demand, offers: demand.offers.map(checkedOffer).sort(byCost) });

async function act(device, members) {
  return checked(await post("/v1/demands", { demand: await signed(device, "demand+jwt", members) }));
}

/** This enterprise's own, newest first, at most a hundred. */
export async function demands(device) {
  const access = await signed(device, "demand+jwt", { action: "read" });
  return (await get("/v1/demands", { access, scheme: "Demand" })).demands.map(checked);
}

/** Its id follows from the signed document, so nobody else chooses it. */
export async function postDemand(device, terms) {
  const raw = await signed(device, "demand+jwt", { action: "post", terms });
  const posted = checked(await post("/v1/demands", { demand: raw }));
  if (posted.demand_id !== (await hexDigest(raw)).slice(0, ID_LENGTH)) throw new Error("the platform answered with another demand");
  return posted;
}

export const withdrawDemand = (device, demand) => act(device, { action: "withdraw", demand: demand.demand_id });

/** Final for the other banks. */
export function acceptOffer(device, demand, offer) {
  return act(device, { action: "accept", demand: demand.demand_id, version: demand.version, offer: offer.offer_id });
}

/** The grant a bank would get for one demand, all but the hash of its notice. */
export async function draftFor(device, demand, chosen, known) {
  const draft = await draftGrant(device, chosen, known);
  draft.authorization_details[0].demand = demand.demand_id;
  return draft;
}

/** One action: grant to each bank what was shown, and give all of them their places, or none. */
export async function chooseBanks(device, demand, shown) {
  const choices = [];
  for (const { draft, notice } of shown) {
    choices.push({ client_id: draft.client_id, authorization: await grant(device, draft, notice) });
  }
  return act(device, { action: "choose", demand: demand.demand_id, choices });
}

/** This enterprise's own, newest first, at most a hundred. */
export async function loans(device) {
  const access = await signed(device, "loan+jwt", { action: "read" });
  return (await get("/v1/loans", { access, scheme: "Loan" })).loans;
}

/** What an enterprise confirms: which bank paid out how much, when and on what terms. */
export function loanFacts(loan) {
  const { amount_fen, annual_rate_bp, months, repayment, fee_fen, disbursed_on } = loan;
  return { loan: loan.loan_id, client_id: loan.bank, amount_fen, annual_rate_bp, months, repayment, fee_fen, disbursed_on };
}

export async function confirmLoan(device, loan) {
  return post("/v1/loans", { loan: await signed(device, "loan+jwt", { action: "confirm", facts: loanFacts(loan) }) });
}
