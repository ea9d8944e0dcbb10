import { catalogue, dispute, ownRecords, withdrawDispute } from "./documents.js";
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
  const withdrawing = record.rule === "disputed";
  const word = withdrawing ? "withdraw" : "dispute";
  const withdraw = async () => {
    if (!(await confirmed(t("withdraw_title"), t("withdraw_text"), record.record_id))) return say("");
    await withdrawDispute(device, category, record.record_id, key);
    await show();
    return say(t("done_withdraw_dispute"), "good");
  };
  const object = async () => {
    const objection = await objected(record.record_id);
    if (!objection) return say("");
    await dispute(device, category, record.record_id, objection, key);
    await show();
    return say(t("done_dispute"), "good");
  };
  const work = withdrawing ? withdraw : object;
  return h("button", { type: "button", onclick: action(work), "aria-label": `${t(word)} ${record.record_id}` }, t(word));
}

/** Ask what is wrong. @returns {Promise<{kind: string, text: string} | undefined>} none: not to be signed */
function objected(recordId) {
  const dialog = byId("objection");
  byId("objection-form").reset();
  byId("objection-about").textContent = recordId;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = () => {
      if (dialog.returnValue !== "yes") return resolve(undefined);
      const text = byId("objection-text").value.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, " ").trim();
      return resolve({ kind: byId("objection-kind").value, text });
    };
    dialog.addEventListener("close", answer, { once: true });
  });
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
