import { get } from "./api.js";
import { authorizations, changeState, DAY_SECONDS } from "./documents.js";
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
  ]);
  const buttons = (ACTIONS[state] ?? []).map((verb) => button(entry, verb));
  return h("article", { class: "card", "data-digest": entry.digest, "data-state": state }, head, list, ...soon, h("div", { class: "actions" }, ...buttons));
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
