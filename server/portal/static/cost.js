// What a loan costs, exactly, in fen, as proto/xinyidai/cost.py computes it: the platform's figures are not believed.
// Whole numbers throughout: BigInt where a product may leave what a Number holds exactly.

const YEAR = 120_000n;
const MOST_BP = 1_000_000n;
const HOUR = 3_600_000;

/** Half up. @param {bigint} numerator @param {bigint} denominator */
const rounded = (numerator, denominator) => (2n * numerator + denominator) / (2n * denominator);

/** The level instalment, rounded up to a fen. */
function levelPayment(amount, months, rate) {
  if (rate === 0n) return (amount + months - 1n) / months;
  const [above, below] = [(YEAR + rate) ** months, YEAR ** months];
  const divisor = YEAR * (above - below);
  return (amount * rate * above + divisor - 1n) / divisor;
}

/**
 * One entry a month.
 * @param {{amount_fen: number, annual_rate_bp: number, months: number, repayment: string}} terms
 * @returns {{month: number, principal: number, interest: number}[]} fen
 */
export function schedule(terms) {
  const [amount, months, rate] = [terms.amount_fen, terms.months, terms.annual_rate_bp].map(BigInt);
  const payment = levelPayment(amount, months, rate);
  const entries = [];
  let left = amount;
  for (let month = 1n; month <= months; month += 1n) {
    const last = month === months;
    const bullet = terms.repayment === "bullet";
    const interest = bullet ? (last ? rounded(amount * rate * months, YEAR) : 0n) : rounded(left * rate, YEAR);
    let principal = payment - interest < left ? payment - interest : left;
    if (terms.repayment === "equal_principal") principal = (amount * month) / months - (amount * (month - 1n)) / months;
    if (bullet || terms.repayment === "interest_monthly") principal = 0n;
    if (last) principal = left;
    entries.push({ month: Number(month), principal: Number(principal), interest: Number(interest) });
    left -= principal;
  }
  return entries;
}

/** @returns {{interest: number, total: number, annualised: number}} fen, fen, basis points a year with fees */
export function costOf(terms) {
  const entries = schedule(terms);
  const interest = entries.reduce((sum, entry) => sum + entry.interest, 0);
  const flows = entries.map((entry) => BigInt(entry.principal + entry.interest));
  const received = BigInt(terms.amount_fen - terms.fee_fen);
  let [low, high] = [0n, MOST_BP];
  while (low < high) {
    const middle = (low + high) / 2n;
    if (worthNoMore(flows, received, middle)) high = middle;
    else low = middle + 1n;
  }
  return { interest, total: interest + terms.fee_fen, annualised: Number(low) };
}

function worthNoMore(flows, received, rate) {
  const above = YEAR + rate;
  let [worth, discount] = [0n, 1n];
  for (const flow of flows) {
    discount *= YEAR;
    worth = worth * above + flow * discount;
  }
  return worth <= received * above ** BigInt(flows.length);
}

/** The day of each instalment: that of the payment out, or the last one of a month too short for it. @param {string} start */
export function dueDates(start, months) {
  const [year, month, day] = start.split("-").map(Number);
  return Array.from({ length: months }, (_, index) => {
    const longest = new Date(Date.UTC(year, month + index + 1, 0)).getUTCDate();
    return new Date(Date.UTC(year, month + index, Math.min(day, longest))).toISOString().slice(0, 10);
  });
}

/** @returns {string} the calendar day of UTC+8, the one time zone of the country */
export const today = () => new Date(Date.now() + 8 * HOUR).toISOString().slice(0, 10);
