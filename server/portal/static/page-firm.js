import { authorizations, catalogue, DAY_SECONDS, ownRecords } from "./documents.js";
import { attempt, byId, h, moment, monthText, ownDevice, said, say, t, table } from "./page.js";

const REMIND_DAYS = 30;

function row(category, held) {
  const link = h("a", { href: `/portal/records?category=${encodeURIComponent(category.code)}` }, said(category.title));
  const nothing = () => h("span", { class: "nothing" }, "–");
  if (!held?.records) {
    return [said(category.title), h("span", { class: "empty" }, t("none_held")), nothing(), nothing(), nothing()];
  }
  const received = moment(Date.parse(`${held.last_received}Z`) / 1000);
  return [link, String(held.records), String(held.left_out), monthText(held.latest_month), received];
}

/** Grants that are in force and end soon. */
function reminders(entries) {
  const now = Date.now() / 1000;
  return entries
    .filter(({ state, terms }) => state === "active" && terms.exp - now < REMIND_DAYS * DAY_SECONDS)
    .map(({ terms }) => {
      const days = Math.max(0, Math.ceil((terms.exp - now) / DAY_SECONDS));
      const renew = h("a", { href: `/portal/grant?bank=${encodeURIComponent(terms.client_id)}` }, t("renew"));
      return h("p", { class: "warning" }, `${terms.client_id}: ${t("ends_soon", days)} `, renew);
    });
}

await attempt(async () => {
  const device = await ownDevice();
  const { document: known } = await catalogue();
  const found = await ownRecords(device);
  const held = new Map(found.holdings.map((one) => [one.category, one]));
  const headings = ["category", "records", "left_out", "latest_month", "last_received"].map((key) => t(key));
  const rows = known.categories.map((category) => row(category, held.get(category.code)));
  byId("holdings").replaceChildren(table(`${t("holdings")} · ${t("as_of")} ${found.as_of}`, headings, rows));
  byId("holdings").hidden = false;
  byId("reminders").replaceChildren(...reminders(await authorizations(device)));
  say("");
});
