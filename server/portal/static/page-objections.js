import { objections } from "./consent.js";
import { catalogue } from "./documents.js";
import { attempt, byId, facts, h, moment, ownDevice, said, say, t } from "./page.js";

const TAGS = { marked: "warn", transferred: "warn", escalated: "bad", unverified: "bad", upheld: "good", dismissed: "quiet", repaired: "good", withdrawn: "quiet" };
const OVERDUE = ["escalated", "unverified"];

function words(title, text) {
  return text ? [h("h3", {}, title), h("p", { class: "said" }, text)] : [];
}

function card(entry, titles) {
  const { category, record_id: record, kind, text } = entry.objection;
  const tag = h("span", { class: `tag ${TAGS[entry.state] ?? "quiet"}` }, t(`stage_${entry.state}`));
  const title = titles.get(category);
  const link = h("a", { href: `/portal/records?category=${encodeURIComponent(category)}` }, title ? said(title) : category);
  const list = facts([
    [t("category"), link],
    [t("objection_kind"), t(`objection_${kind}`)],
    [t("opened"), moment(entry.opened_at)],
    ...(entry.transferred_at ? [[t("handed_over"), moment(entry.transferred_at)]] : []),
    ...(entry.decided_at ? [[t("decided"), moment(entry.decided_at)]] : [[t("decide_by"), moment(entry.decide_by)], [t("cap_at"), moment(entry.cap_at)]]),
  ]);
  const late = OVERDUE.includes(entry.state) ? [h("p", { class: "warning" }, t(`stage_${entry.state}_text`))] : [];
  return h("article", { class: "card", "data-stage": entry.state }, h("div", { class: "head" }, h("h2", {}, `${t("record")} ${record}`), tag),
    list, ...late, ...words(t("you_said"), text), ...words(t("reply"), entry.reply));
}

await attempt(async () => {
  const device = await ownDevice();
  const { document: known } = await catalogue();
  const titles = new Map(known.categories.map(({ code, title }) => [code, title]));
  const found = await objections(device);
  byId("rule").textContent = t("deadline_rule", said(found.rule));
  const cards = found.entries.map((entry) => card(entry, titles));
  if (found.total > cards.length) cards.push(h("p", { class: "empty" }, t("objections_shown", cards.length, found.total)));
  byId("objections").replaceChildren(...(cards.length ? cards : [h("p", { class: "empty" }, t("no_objections"))]));
  say("");
});
