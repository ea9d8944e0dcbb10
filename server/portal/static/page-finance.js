import { get } from "./api.js";
import { catalogue, DAY_SECONDS, now, renderNotice } from "./documents.js";
import { acceptOffer, chooseBanks, demands, draftFor, postDemand, withdrawDemand } from "./market.js";
import { fenOf, rate, tag, wan, word, yuan } from "./money.js";
import { action, attempt, byId, confirmed, facts, h, moment, ownDevice, said, say, t, table } from "./page.js";

const GRANT_DAYS = 31;
const PURPOSE = "loan_origination";
const CHOOSABLE = ["matching", "assigned", "offered", "declined"];
const OVER = ["fulfilled", "withdrawn", "expired"];
const LOOKS = { matching: "warn", assigned: "warn", offered: "good", accepted: "good", fulfilled: "good", declined: "bad" };
const PLACES = { held: "warn", offered: "good", won: "good", declined: "bad", lapsed: "bad" };
let device, known, terms, banks, chosen;

const nameOf = (id) => {
  const bank = banks.find((one) => one.id === id);
  return bank ? said({ zh: bank.name_zh, en: bank.name_en }) : id;
};

function reasonsOf({ points, reasons }) {
  const list = reasons.map((reason) => `${said(reason)} (+${reason.points})`).join(t("semicolon"));
  return `${t("match_points", points)}${list ? `${t("colon")}${list}` : ""}`;
}

/** The banks whose products meet a demand, best first; a tick for each that may still be chosen. */
function candidates(demand) {
  const open = CHOOSABLE.includes(demand.state);
  const rows = demand.candidates.map((one) => {
    const box = h("input", { type: "checkbox", name: "bank", value: one.bank });
    const free = open && ["open", "lapsed"].includes(one.place);
    const place = tag("place", one.place, PLACES);
    const why = one.decline_reason ? h("span", { class: "hint" }, word("decline", one.decline_reason)) : "";
    const text = h("span", { class: "hint" }, reasonsOf(one));
    const line = free ? h("label", { class: "choice" }, box, `${nameOf(one.bank)} `, place, text) : h("p", { class: "choice" }, `${nameOf(one.bank)} `, place, why, text);
    return line;
  });
  const form = h("form", { onsubmit: action(() => showNotices(demand, form)) }, h("fieldset", {}, h("legend", {}, t("matching_banks")), ...rows));
  if (form.querySelector("input")) form.append(h("div", { class: "actions" }, h("button", { class: "main" }, t("choose_banks"))));
  return demand.candidates.length ? form : h("p", { class: "empty" }, t("no_match"));
}

/** Drafts for each chosen bank, and exactly what would be signed. */
async function showNotices(demand, form) {
  const ticked = [...form.querySelectorAll("input:checked")].map(({ value }) => value);
  if (!ticked.length || ticked.length > demand.terms.places) throw new Error(t("choose_up_to", demand.terms.places));
  const categories = known.document.categories.filter(({ features }) => features.length).map(({ code }) => code);
  const purpose = terms.purposes.find(({ code }) => code === PURPOSE);
  const shown = [];
  for (const id of ticked) {
    const limits = { bank: banks.find((bank) => bank.id === id), purpose, categories, days: GRANT_DAYS, uses: 1, byCategory: false, precision: 0, loanDays: null };
    const draft = await draftFor(device, demand, limits, known);
    shown.push({ draft, notice: renderNotice(draft, known.document, terms) });
  }
  chosen = { demand, shown };
  byId("notices").replaceChildren(...shown.map(({ draft, notice }) => h("pre", { class: "notice", tabindex: "0", role: "region", "aria-label": nameOf(draft.client_id) }, notice)));
  byId("consent").hidden = false;
  byId("consent").querySelector("h2").focus();
  say("");
}

function acceptButton(demand, offer) {
  const work = async () => {
    const about = `${nameOf(offer.bank)} · ${wan(offer.amount_fen)} · ${rate(offer.annualised_bp)} · ${t("yuan_of", yuan(offer.total_cost_fen))}`;
    if (!(await confirmed(t("accept_title"), t("accept_text"), about))) return say("");
    await acceptOffer(device, demand, offer);
    await show();
    return say(t("done_accept"), "good");
  };
  return h("button", { type: "button", class: "main", onclick: action(work), "aria-label": `${t("accept")} ${nameOf(offer.bank)}` }, t("accept"));
}

/** Side by side, cheapest a year first. */
function offers(demand) {
  if (!demand.offers.length) return h("p", { class: "empty" }, t("no_offers"));
  const cheapest = demand.offers.find(({ state }) => state === "live");
  const headings = ["bank", "annualised", "total_cost", "nominal_rate", "fee", "amount", "term", "repayment", "offer_until", "offer_state"].map((key) => t(key));
  const rows = demand.offers.map((offer) => [
    nameOf(offer.bank),
    h("span", {}, h("strong", {}, rate(offer.annualised_bp)), offer === cheapest ? h("span", { class: "tag good beside" }, t("cheapest")) : ""),
    yuan(offer.total_cost_fen),
    rate(offer.annual_rate_bp),
    yuan(offer.fee_fen),
    wan(offer.amount_fen),
    t("months_of", offer.months),
    word("repayment", offer.repayment),
    moment(offer.valid_until),
    offer.state === "live" && demand.state === "offered" ? acceptButton(demand, offer) : word("offer", offer.state),
  ]);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("offers") }, table(t("offers"), headings, rows));
}

function withdrawButton(demand) {
  const work = async () => {
    const about = `${wan(demand.terms.amount_fen)} · ${demand.demand_id.slice(0, 12)}`;
    if (!(await confirmed(t("withdraw_demand_title"), t("withdraw_demand_text"), about))) return say("");
    await withdrawDemand(device, demand);
    await show();
    return say(t("done_withdraw_demand"), "good");
  };
  return h("button", { type: "button", class: "danger", onclick: action(work), "aria-label": `${t("withdraw_demand")} ${demand.demand_id.slice(0, 8)}` }, t("withdraw_demand"));
}

function card(demand) {
  const { terms: asked } = demand;
  const title = `${wan(asked.amount_fen)} · ${t("months_of", asked.months)} · ${word("loan_purpose", asked.purpose)}`;
  const head = h("div", { class: "head" }, h("h2", {}, title), tag("demand", demand.state, LOOKS));
  const list = facts([
    [t("guarantees"), asked.guarantees.map((one) => word("guarantee", one)).join(t("comma"))],
    [t("until"), moment(asked.expires_at)],
    [t("digest"), demand.demand_id.slice(0, 12)],
  ]);
  const over = OVER.includes(demand.state);
  const parts = over && !demand.offers.length ? [] : [offers(demand)];
  const choice = over || demand.state === "accepted" ? [] : [candidates(demand)];
  const end = over ? [] : [h("div", { class: "actions" }, withdrawButton(demand))];
  return h("article", { class: "card", "data-demand": demand.demand_id, "data-state": demand.state }, head, list, ...parts, ...choice, ...end);
}

async function show() {
  const cards = (await demands(device)).map(card);
  byId("demands").replaceChildren(...(cards.length ? cards : [h("p", { class: "card empty" }, t("no_demands"))]));
}

byId("new").addEventListener(
  "submit",
  action(async () => {
    const guarantees = [...document.querySelectorAll('input[name="guarantee"]:checked')].map(({ value }) => value);
    if (!guarantees.length) throw new Error(t("choose_guarantee"));
    const posted = {
      amount_fen: fenOf(byId("amount").valueAsNumber),
      months: byId("months").valueAsNumber,
      purpose: byId("loan-purpose").value,
      guarantees,
      region: byId("region").value,
      industry: byId("industry").value,
      months_in_business: byId("in-business").valueAsNumber,
      places: byId("places").valueAsNumber,
      expires_at: now() + byId("valid-days").valueAsNumber * DAY_SECONDS,
    };
    await postDemand(device, posted);
    byId("post").open = false;
    await show();
    say(t("done_post"), "good");
  }),
);

byId("consent").addEventListener(
  "submit",
  action(async () => {
    await chooseBanks(device, chosen.demand, chosen.shown);
    byId("consent").hidden = true;
    await show();
    say(t("done_choose"), "good");
  }),
);
byId("consent-cancel").addEventListener("click", () => (byId("consent").hidden = true));
byId("again").addEventListener("click", action(async () => say("", await show())));

await attempt(async () => {
  device = await ownDevice();
  known = await catalogue();
  terms = await get("/portal/api/terms");
  ({ banks } = await get("/v1/banks"));
  // The code of an enterprise says where it was registered; it may ask for finance elsewhere.
  byId("region").value = device.uscc.slice(2, 8);
  await show();
  say("");
});
