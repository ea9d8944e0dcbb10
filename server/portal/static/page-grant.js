import { get } from "./api.js";
import { catalogue, draftGrant, grant, renderNotice } from "./documents.js";
import { action, attempt, byId, h, ownDevice, said, say, t } from "./page.js";

const LAST = 3;
let device, known, terms, banks, draft;

function go(step) {
  for (let at = 1; at <= LAST; at += 1) byId(`step-${at}`).hidden = at !== step;
  byId("step").textContent = t("step", step);
  byId(`step-${step}`).querySelector("h2").focus();
  say("");
}

const purpose = () => terms.purposes.find(({ code }) => code === document.querySelector('input[name="purpose"]:checked').value);
const byCategory = () => document.querySelector('input[name="disclosure"]:checked').value === "by_category";
const boxes = () => [...byId("categories").querySelectorAll("input")];

function offerPurposes() {
  const offered = terms.purposes.map((one, at) => {
    const radio = h("input", { type: "radio", name: "purpose", value: one.code, checked: at === 0 });
    const limits = h("span", { class: "hint" }, t("purpose_limits", one.max_validity_days, one.max_assessments));
    return h("label", { class: "choice" }, radio, said(one), limits);
  });
  byId("purposes").replaceChildren(...offered);
}

function offerLimits() {
  const { max_validity_days: days, max_assessments: uses, needs_term: loan } = purpose();
  byId("days").max = days;
  byId("days").value = Math.min(31, days);
  byId("uses").max = uses;
  byId("uses").value = 1;
  byId("loan").hidden = !loan;
  byId("loan-days").required = loan;
  byId("precision").max = terms.centibits.length - 1;
}

byId("step-1").addEventListener("submit", (event) => {
  event.preventDefault();
  offerLimits();
  go(2);
});

byId("step-2").addEventListener(
  "submit",
  action(async () => {
    const categories = boxes().filter(({ checked }) => checked).map(({ value }) => value);
    if (!categories.length) throw new Error(t("choose_one"));
    const chosen = {
      bank: banks.find(({ id }) => id === byId("bank").value),
      purpose: purpose(),
      categories,
      days: byId("days").valueAsNumber,
      uses: byId("uses").valueAsNumber,
      byCategory: byCategory(),
      precision: byId("precision").valueAsNumber,
      loanDays: purpose().needs_term ? byId("loan-days").valueAsNumber : null,
    };
    draft = await draftGrant(device, chosen, known);
    byId("notice").textContent = renderNotice(draft, known.document, terms);
    go(LAST);
  }),
);

byId("step-3").addEventListener(
  "submit",
  action(async () => {
    await grant(device, draft, byId("notice").textContent);
    byId("step-3").hidden = true;
    byId("step").textContent = "";
    byId("after").hidden = false;
    say(t("granted"), "good");
  }),
);

for (const back of document.querySelectorAll(".back")) {
  back.addEventListener("click", () => go(back.closest("form").id === "step-3" ? 2 : 1));
}
byId("all").addEventListener("click", () => boxes().forEach((box) => (box.checked = true)));
byId("none").addEventListener("click", () => boxes().forEach((box) => (box.checked = false)));
for (const radio of document.querySelectorAll('input[name="disclosure"]')) {
  radio.addEventListener("change", () => (byId("precision").value = byCategory() ? terms.by_category_precision : 0));
}

await attempt(async () => {
  device = await ownDevice();
  known = await catalogue();
  terms = await get("/portal/api/terms");
  ({ banks } = await get("/v1/banks"));
  byId("bank").replaceChildren(...banks.map((bank) => h("option", { value: bank.id }, `${said({ zh: bank.name_zh, en: bank.name_en })} (${bank.id})`)));
  const wanted = new URLSearchParams(location.search).get("bank");
  if (banks.some(({ id }) => id === wanted)) byId("bank").value = wanted;
  byId("precision").value = 0;
  offerPurposes();
  const grantable = known.document.categories.filter(({ features }) => features.length);
  byId("categories").replaceChildren(
    ...grantable.map(({ code, title }) => h("label", {}, h("input", { type: "checkbox", value: code, checked: true }), said(title))),
  );
  go(1);
});
