import { get } from "./api.js";
import { rejectRequest, requests } from "./consent.js";
import { catalogue } from "./documents.js";
import { action, attempt, byId, confirmed, facts, h, moment, ownDevice, said, say, t } from "./page.js";

let device, purposes, titles;

function rejecting({ digest, bank }) {
  const work = async () => {
    if (!(await confirmed(t("reject_title"), t("reject_text"), `${bank.id} · ${digest.slice(0, 16)}`))) return say("");
    await rejectRequest(device, digest);
    await show();
    return say(t("done_reject"), "good");
  };
  return h("button", { type: "button", class: "danger", onclick: action(work), "aria-label": `${t("reject")} ${bank.id} ${digest.slice(0, 8)}` }, t("reject"));
}

function card(request) {
  const { digest, bank, terms } = request;
  const purpose = purposes.find(({ code }) => code === terms.purpose);
  const list = facts([
    [t("purpose"), purpose ? said(purpose) : terms.purpose],
    [t("uses"), String(terms.max_assessments)],
    [t("days"), String(terms.valid_days)],
    [t("what_bank_gets"), t(terms.disclosure)],
    [t("categories_used"), terms.categories.map((code) => (titles.has(code) ? said(titles.get(code)) : code)).join("; ")],
    [t("answer_by"), moment(terms.respond_by)],
    [t("digest"), digest.slice(0, 16)],
  ]);
  const to = (word, more) =>
    h("a", { class: more ? "button" : "button main", href: `/portal/answer?request=${digest}${more}`, "aria-label": `${t(word)} ${bank.id} ${digest.slice(0, 8)}` }, t(word));
  const name = `${said({ zh: bank.name_zh, en: bank.name_en })} (${bank.id})`;
  return h("article", { class: "card", "data-digest": digest }, h("h2", {}, name), list,
    h("div", { class: "actions" }, to("accept_as_is", ""), to("accept_less", "&less=1"), rejecting(request)));
}

async function show() {
  const cards = (await requests(device)).map(card);
  byId("requests").replaceChildren(...(cards.length ? cards : [h("p", { class: "empty" }, t("no_requests"))]));
}

await attempt(async () => {
  device = await ownDevice();
  ({ purposes } = await get("/portal/api/terms"));
  titles = new Map((await catalogue()).document.categories.map(({ code, title }) => [code, title]));
  await show();
  say("");
});
