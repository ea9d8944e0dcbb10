import { get } from "./api.js";
import { setBudget, usage } from "./documents.js";
import { number } from "./notice.js";
import { action, attempt, byId, h, moment, ownDevice, said, say, t, table } from "./page.js";

const TAGS = { yes: "good", no: "bad", pending: "quiet" };
let device, purposes;

function row(use) {
  const purpose = purposes.find(({ code }) => code === use.purpose);
  const receipt = h("span", { class: `tag ${TAGS[use.proven]}`, title: use.assessment_id }, t(`proven_${use.proven}`));
  return [moment(use.charged_at), use.bank_id, purpose ? said(purpose) : use.purpose, number(use.centibits), String(use.repeats), receipt];
}

function budget({ bank_id: bank, limit_centibits: limit, spent_centibits: spent }) {
  const name = bank || t("all_banks");
  const said = t("spent", number(spent), number(limit));
  const meter = h("meter", { min: 0, max: Math.max(1, limit), high: Math.max(1, limit) / 2, low: 0, optimum: 0, value: spent, "aria-label": `${name}: ${said}` });
  const half = spent * 2 >= limit ? [h("p", { class: "warning" }, t("half"))] : [];
  return h("div", { class: "card" }, h("div", { class: "head" }, h("h3", {}, name), h("span", {}, said)), meter, ...half);
}

/** Bits by month and bank, as columns. The table below says the same. */
function draw(uses) {
  byId("figure").hidden = !uses.length;
  if (!uses.length) return;
  const monthOf = ({ charged_at: at }) => new Date(at * 1000).toISOString().slice(0, 7);
  const months = [...new Set(uses.map(monthOf))].sort();
  const banks = [...new Set(uses.map((use) => use.bank_id))].sort();
  const sum = (bank, month) => uses.filter((use) => use.bank_id === bank && monthOf(use) === month).reduce((all, use) => all + use.centibits, 0) / 100;
  const chart = globalThis.echarts.init(byId("chart"));
  chart.setOption({
    animation: false,
    grid: { left: 48, right: 16, top: 32, bottom: 32 },
    tooltip: { renderMode: "richText" },
    legend: { data: banks },
    color: ["#12508f", "#8a4b00", "#1b6b3a", "#6b2d8a", "#a1201d"],
    xAxis: { type: "category", data: months },
    yAxis: { type: "value" },
    series: banks.map((bank) => ({ name: bank, type: "bar", barMaxWidth: 48, data: months.map((month) => sum(bank, month)) })),
  });
  addEventListener("resize", () => chart.resize());
}

async function show() {
  const { uses, budgets } = await usage(device);
  byId("budgets").replaceChildren(...budgets.map(budget));
  const headings = ["time", "bank", "purpose", "bits", "repeats", "receipt"].map((key) => t(key));
  byId("uses").replaceChildren(uses.length ? table(t("usage"), headings, uses.map(row)) : h("p", { class: "card empty" }, t("no_usage")));
  byId("uses").hidden = false;
  draw(uses);
}

byId("budget").addEventListener(
  "submit",
  action(async () => {
    await setBudget(device, Math.round(byId("budget-bits").valueAsNumber * 100), byId("budget-bank").value);
    await show();
    say(t("done_budget"), "good");
  }),
);

await attempt(async () => {
  device = await ownDevice();
  ({ purposes } = await get("/portal/api/terms"));
  const { banks } = await get("/v1/banks");
  byId("budget-bank").append(h("option", { value: "" }, t("all_banks")), ...banks.map(({ id }) => h("option", { value: id }, id)));
  await show();
  say("");
});
