import { catalogue, dispute, ownRecords } from "./documents.js";
import { action, attempt, byId, confirmed, facts, h, hasText, moment, monthText, ownDevice, said, say, t } from "./page.js";

const query = new URLSearchParams(location.search);
const category = query.get("category") ?? "";
const offset = Math.max(0, Number.parseInt(query.get("offset") ?? "0", 10) || 0);
let device;

function tag(rule) {
  if (!rule) return h("span", { class: "tag good" }, t("usable"));
  const key = `rule_${rule}`;
  return h("span", { class: rule === "disputed" ? "tag warn" : "tag quiet" }, hasText(key) ? t(key) : rule);
}

function button(record, key) {
  const kind = record.rule === "disputed" ? "withdraw_dispute" : "dispute";
  const word = record.rule === "disputed" ? "withdraw" : "dispute";
  const work = async () => {
    if (!(await confirmed(t(`${word}_title`), t(`${word}_text`), record.record_id))) return say("");
    await dispute(device, kind, category, record.record_id, key);
    await show();
    return say(t(`done_${kind}`), "good");
  };
  return h("button", { type: "button", onclick: action(work), "aria-label": `${t(word)} ${record.record_id}` }, t(word));
}

function card(record, key) {
  const received = moment(Date.parse(`${record.received}Z`) / 1000);
  const about = [[t("month"), monthText(record.month)], [t("source"), record.source ?? "–"], [t("received"), received]];
  const head = h("div", { class: "head" }, h("h2", {}, `${t("record")} ${record.record_id}`), tag(record.rule));
  return h("article", { class: "card" }, head, facts([...about, ...Object.entries(record.fields)]), h("div", { class: "actions" }, button(record, key)));
}

const page = (at) => `/portal/records?category=${encodeURIComponent(category)}&offset=${at}`;

async function show() {
  const found = await ownRecords(device, category, offset);
  byId("records").replaceChildren(...found.records.map((record) => card(record, found.dispute_key)));
  if (!found.records.length) byId("records").replaceChildren(h("p", { class: "empty" }, t("none_held")));
  const links = [];
  if (offset) links.push(h("a", { class: "button", href: page(0) }, t("newer")));
  if (found.more) links.push(h("a", { class: "button", href: page(offset + found.records.length) }, t("older")));
  byId("pages").replaceChildren(...links);
}

await attempt(async () => {
  device = await ownDevice();
  const known = (await catalogue()).document.categories.find(({ code }) => code === category);
  if (known) byId("category").textContent = said(known.title);
  await show();
  say("");
});
