import { get } from "./api.js";
import { dueDates, schedule, today } from "./cost.js";
import { confirmLoan, loans } from "./market.js";
import { rate, tag, wan, word, yuan } from "./money.js";
import { action, attempt, byId, confirmed, facts, h, ownDevice, said, say, t, table } from "./page.js";

const LOOKS = { disbursed: "good", repaying: "good", settled: "good", overdue: "bad", bad: "bad", compensated: "bad", registered: "warn" };
const DUE = { paid: "good", overdue: "bad", due: "quiet" };
let device, banks;

const nameOf = (id) => {
  const bank = banks.find((one) => one.id === id);
  return bank ? said({ zh: bank.name_zh, en: bank.name_en }) : id;
};

/** Of a report, which names money only where some moved. */
const money = (fen) => (fen ? yuan(fen) : "–");

/** Payments count for the oldest instalment first; what falls due today is not overdue yet. */
function instalments(loan) {
  let paid = loan.principal_paid_fen + loan.interest_paid_fen;
  const days = dueDates(loan.disbursed_on, loan.months);
  return schedule(loan).map(({ month, principal, interest }, index) => {
    const covered = paid >= principal + interest;
    paid -= principal + interest;
    const state = covered ? "paid" : days[index] < today() ? "overdue" : "due";
    return [t("instalment", month), days[index], yuan(principal), yuan(interest), yuan(principal + interest), tag("instalment", state, DUE)];
  });
}

function folded(title, content) {
  const region = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, content);
  return h("details", {}, h("summary", {}, title), region);
}

function confirmButton(loan) {
  const work = async () => {
    const about = [nameOf(loan.bank), t("yuan_of", yuan(loan.amount_fen)), rate(loan.annual_rate_bp), t("months_of", loan.months), word("repayment", loan.repayment), t("fee_of", yuan(loan.fee_fen)), loan.disbursed_on].join(" · ");
    if (!(await confirmed(t("confirm_loan_title"), t("confirm_loan_text"), about))) return say("");
    await confirmLoan(device, loan);
    await show();
    return say(t("done_confirm_loan"), "good");
  };
  return h("button", { type: "button", class: "main", onclick: action(work), "aria-label": `${t("confirm_loan")} ${nameOf(loan.bank)} ${loan.loan_id.slice(0, 8)}` }, t("confirm_loan"));
}

function details(loan) {
  const schedule = ["instalment_number", "due_day", "principal", "interest", "sum", "state"].map((key) => t(key));
  const reports = ["day", "report", "principal", "interest", "risk_class"].map((key) => t(key));
  const rows = loan.reports.map((one) => [one.day, word("report", one.kind), money(one.principal_fen), money(one.interest_fen), one.risk_class ? word("class", one.risk_class) : "–"]);
  return [folded(t("schedule"), table(t("schedule"), schedule, instalments(loan))), folded(t("reports"), table(t("reports"), reports, rows))];
}

function card(loan) {
  const head = h("div", { class: "head" }, h("h2", {}, `${nameOf(loan.bank)} · ${wan(loan.amount_fen)}`), tag("loan", loan.state, LOOKS));
  const out = Boolean(loan.disbursed_on);
  const list = facts([
    [t("nominal_rate"), rate(loan.annual_rate_bp)],
    [t("term"), t("months_of", loan.months)],
    [t("repayment"), word("repayment", loan.repayment)],
    [t("disbursed_on"), loan.disbursed_on || t("not_yet")],
    [t("repaid"), t("yuan_of", yuan(loan.principal_paid_fen))],
    [t("risk_class"), word("class", loan.risk_class)],
    [t("loan_confirmed"), loan.confirmed ? t("yes") : t("no")],
    [t("digest"), loan.loan_id.slice(0, 12)],
  ]);
  const late = loan.overdue_days ? [h("p", { class: "warning" }, t("overdue_for", loan.overdue_days))] : [];
  const confirm = out && !loan.confirmed ? [h("div", { class: "actions" }, confirmButton(loan))] : [];
  return h("article", { class: "card", "data-loan": loan.loan_id, "data-confirmed": String(loan.confirmed) }, head, ...late, list, ...(out ? details(loan) : []), ...confirm);
}

async function show() {
  const cards = (await loans(device)).map(card);
  byId("loans").replaceChildren(...(cards.length ? cards : [h("p", { class: "card empty" }, t("no_loans"))]));
}

await attempt(async () => {
  device = await ownDevice();
  ({ banks } = await get("/v1/banks"));
  await show();
  say("");
});
