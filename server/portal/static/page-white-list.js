import { get } from "./api.js";
import { catalogue } from "./documents.js";
import { number } from "./notice.js";
import { action, attempt, byId, confirmed, h, moment, ownDevice, said, say, t, table } from "./page.js";
import { draftOptIn, joinList, leaveList, renderListNotice, told } from "./white-list.js";

let device, known, scorecard, draft;

const everyBank = () => document.querySelector('input[name="whom"]:checked').value === "all";
const boxes = () => [...byId("banks").querySelectorAll("input")];

/** As this device last heard from the enclave; there is no way to ask, and another device may have done otherwise. */
function showStanding() {
  const { whiteList: last } = device;
  const joined = last?.state === "in" && last.until * 1000 > Date.now();
  const whom = joined && (last.banks.length ? last.banks.join(t("comma")) : t("list_every"));
  byId("standing").textContent = joined ? t("list_in", moment(last.at), moment(last.until), whom) : last?.state === "out" ? t("list_out", moment(last.at)) : t("list_unknown");
  byId("standing").className = joined ? "warning" : "";
}

async function showTold() {
  const receipts = await told(device);
  const headings = ["time", "bank", "told_kind", "bits", "as_of", "receipt"].map((key) => t(key));
  const rows = receipts.map((one) => [moment(one.iat), one.client_id, t(`told_${one.kind}`), number(one.centibits), one.as_of, h("span", { class: "tag good", title: one.jti }, t("proven_yes"))]);
  byId("told").replaceChildren(rows.length ? table(t("told"), headings, rows) : h("p", { class: "empty" }, t("told_nothing")));
}

async function refresh() {
  device = await ownDevice();
  showStanding();
  await showTold();
}

byId("terms").addEventListener(
  "submit",
  action(async () => {
    const banks = everyBank() ? [] : boxes().filter(({ checked }) => checked).map(({ value }) => value);
    if (!everyBank() && !banks.length) throw new Error(t("list_choose_bank"));
    draft = await draftOptIn(device, banks, byId("days").valueAsNumber, scorecard);
    byId("notice").textContent = renderListNotice(draft, scorecard, known.document);
    byId("consent").hidden = false;
    byId("consent").querySelector("h2").focus();
    say("");
  }),
);

byId("consent").addEventListener(
  "submit",
  action(async () => {
    await joinList(device, draft, byId("notice").textContent);
    byId("consent").hidden = true;
    byId("agree").checked = false;
    await refresh();
    say(t("done_list_in"), "good");
  }),
);

byId("leave").addEventListener(
  "click",
  action(async () => {
    if (!(await confirmed(t("leave_title"), t("leave_text"), device.uscc))) return say("");
    await leaveList(device);
    await refresh();
    return say(t("done_list_out"), "good");
  }),
);

for (const radio of document.querySelectorAll('input[name="whom"]')) {
  radio.addEventListener("change", () => (byId("banks").hidden = everyBank()));
}

await attempt(async () => {
  known = await catalogue();
  ({ white_list: scorecard } = await get("/portal/api/terms"));
  const { banks } = await get("/v1/banks");
  byId("banks").append(...banks.map((bank) => h("label", {}, h("input", { type: "checkbox", value: bank.id }), `${said({ zh: bank.name_zh, en: bank.name_en })} (${bank.id})`)));
  await refresh();
  say("");
});
