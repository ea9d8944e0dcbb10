// Money, rates and the words of the market, for people.

import { h, hasText, said, t } from "./page.js";

const FEN_OF_WAN = 1_000_000;

/** @param {number} fen @returns {string} yuan with two places */
export function yuan(fen) {
  return (fen / 100).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** @param {number} fen @returns {string} as each language counts: in units of 10,000 yuan, or in yuan */
export function wan(fen) {
  const zh = (fen / FEN_OF_WAN).toLocaleString("en", { maximumFractionDigits: 6 });
  return said({ zh: `${zh} 万元`, en: `¥${(fen / 100).toLocaleString("en")}` });
}

/** @param {number} wanYuan @returns {number} fen, whole */
export const fenOf = (wanYuan) => Math.round(wanYuan * FEN_OF_WAN);

/** @param {number} bp basis points a year */
export const rate = (bp) => `${(bp / 100).toFixed(2)} %`;

/** The word for a code of some kind; the code itself where there is none. */
export const word = (kind, code) => (hasText(`${kind}_${code}`) ? t(`${kind}_${code}`) : code);

/** @param {string} kind @param {string} code @param {Record<string, string>} looks */
export const tag = (kind, code, looks) => h("span", { class: `tag ${looks[code] ?? "quiet"}` }, word(kind, code));
