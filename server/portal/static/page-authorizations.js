import { get } from "./api.js";
import { authorizations, changeState, DAY_SECONDS } from "./documents.js";
import { reconfirm } from "./consent.js";
import { action, attempt, byId, confirmed, facts, h, moment, ownDevice, said, say, t } from "./page.js";

const REMIND_DAYS = 30;
const ACTIONS = { active: ["pause", "revoke"], paused: ["resume", "revoke"], used_up: ["revoke"] };
const KINDS = { active: "good", paused: "warn", used_up: "quiet", revoked: "bad", expired: "quiet" };
let device, purposes;

function stateOf({ state, assessments, terms }) {
  return state === "active" && assessments >= terms.authorization_details[0].max_assessments ? "used_up" : state;
}

function button(entry, verb) {
  const work = async () => {
    const about = `${entry.terms.client_id} · ${entry.digest.slice(0, 16)}`;
    if (!(await confirmed(t(`${verb}_title`), t(`${verb}_text`), about))) return say("");
    await changeState(device, verb, entry.digest);
    await show();
    return say(t(`done_${verb}`), "good");
  };
  const kind = verb === "revoke" ? "danger" : "";
  return h("button", { type: "button", class: kind, onclick: action(work), "aria-label": `${t(verb)} ${entry.terms.client_id} ${entry.digest.slice(0, 8)}` }, t(verb));
}

/** For monitoring that has gone on for long. It asks nothing: pressing it changes no right. */
function stillMeant(entry) {
  const work = async () => {
    await reconfirm(device, entry.digest);
    await show();
    return say(t("done_reconfirm"), "good");
  };
  const name = `${t("reconfirm")} ${entry.terms.client_id} ${entry.digest.slice(0, 8)}`;
  return h("p", { class: "warning" }, `${t("reconfirm_due")} `, h("button", { type: "button", onclick: action(work), "aria-label": name }, t("reconfirm")));
}

function narrowing(entry) {
  const name = `${t("narrow")} ${entry.terms.client_id} ${entry.digest.slice(0, 8)}`;
  return h("a", { class: "button", href: `/portal/answer?authorization=${entry.digest}`, "aria-label": name }, t("narrow"));
}

function card(entry) {
  const [details] = entry.terms.authorization_details;
  const state = stateOf(entry);
  const purpose = purposes.find(({ code }) => code === details.purpose);
  const head = h("div", { class: "head" }, h("h2", {}, `${entry.terms.client_id} · ${purpose ? said(purpose) : details.purpose}`), h("span", { class: `tag ${KINDS[state]}` }, t(`state_${state}`)));
  const left = Math.ceil((entry.terms.exp - Date.now() / 1000) / DAY_SECONDS);
  const renew = h("a", { href: `/portal/grant?bank=${encodeURIComponent(entry.terms.client_id)}` }, t("renew"));
  const soon = ["active", "paused"].includes(state) && left <= REMIND_DAYS ? [h("p", { class: "warning" }, `${t("ends_soon", left)} `, renew)] : [];
  const list = facts([
    [t("uses"), t("used_of", entry.assessments, details.max_assessments)],
    [t("until"), moment(entry.terms.exp)],
    [t("what_bank_gets"), t(details.disclosure)],
    [t("categories_used"), String(details.categories.length)],
    [t("digest"), entry.digest.slice(0, 16)],
    ...(entry.signed_by ? [[t("signed_by"), entry.signed_by]] : []),
  ]);
  const buttons = (ACTIONS[state] ?? []).map((verb) => button(entry, verb));
  if (["active", "paused"].includes(state)) buttons.unshift(narrowing(entry));
  const long = entry.reconfirm_due ? [stillMeant(entry)] : [];
  return h("article", { class: "card", "data-digest": entry.digest, "data-state": state }, head, list, ...soon, ...long, h("div", { class: "actions" }, ...buttons));
}

async function show() {
  const entries = await authorizations(device);
  const cards = entries.map(card);
  byId("authorizations").replaceChildren(...(cards.length ? cards : [h("p", { class: "empty" }, t("no_authorizations"))]));
}

await attempt(async () => {
  device = await ownDevice();
  ({ purposes } = await get("/portal/api/terms"));
  await show();
  say("");
});
