// What every page's script shares: texts, elements, the line that says how it went, and the question before signing.

import { findDevice } from "./device.js";

const language = document.documentElement.lang.startsWith("zh") ? 0 : 1;
const texts = await (await fetch(new URL("texts.json", import.meta.url))).json();

/** A text of the catalogue; {0}, {1} are filled in. @param {string} key @param {...unknown} values @returns {string} */
export function t(key, ...values) {
  return texts[key][language].replace(/\{(\d)\}/g, (_, at) => String(values[at]));
}

/** Whether the catalogue has it. @param {string} key */
export const hasText = (key) => key in texts;

/** The half of a bilingual pair that this page is in. @param {{zh: string, en: string}} pair */
export const said = (pair) => (language === 0 ? pair.zh : pair.en);

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * An element. Strings become text and never markup.
 * @param {string} tag @param {Record<string, unknown>} [attributes] `onclick` and the like take functions
 * @param {...(Node | string)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** @param {string} text @param {"" | "good" | "bad"} [kind] */
export function say(text, kind = "") {
  const line = byId("status");
  line.textContent = text;
  line.className = `status ${kind}`;
}

/** Do something that may fail, and say so. @param {() => Promise<unknown>} work */
export async function attempt(work) {
  say(t("working"));
  try {
    return await work();
  } catch (error) {
    say(`${t("failed")}${error.message}`, "bad");
    return undefined;
  }
}

/** An event handler that attempts its work, with its button out of reach meanwhile. */
export function action(work) {
  return async (event) => {
    event.preventDefault();
    const button = event.submitter ?? event.currentTarget;
    button.disabled = true;
    try {
      await attempt(() => work(event));
    } finally {
      button.disabled = false;
    }
  };
}

/** The key of the enterprise that is signed in. Throws where this device has none. */
export async function ownDevice() {
  const device = await findDevice(document.querySelector('meta[name="holder"]').content);
  if (!device?.chain.length) throw new Error(t("no_device"));
  return device;
}

/** Ask before signing. @returns {Promise<boolean>} */
export function confirmed(title, text, about) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-about").textContent = about;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** @param {[string, Node | string][]} pairs @returns {HTMLElement} a list of names and values */
export function facts(pairs) {
  return h("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/**
 * A table that becomes a list on a narrow screen. The first cell of a row is its heading.
 * @param {string} caption @param {string[]} headings @param {(Node | string)[][]} rows
 */
export function table(caption, headings, rows) {
  const head = h("thead", {}, h("tr", {}, ...headings.map((text) => h("th", { scope: "col" }, text))));
  const body = rows.map(([first, ...rest]) =>
    h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell, at) => h("td", { "data-label": headings[at + 1] }, cell))),
  );
  return h("table", { class: "stacked" }, h("caption", {}, caption), head, h("tbody", {}, ...body));
}

/** @param {number} instant seconds since 1970-01-01 UTC @returns {string} in the time of this device */
export function moment(instant) {
  return new Date(instant * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}

/** @param {number} month yyyymm */
export const monthText = (month) => (month ? `${Math.floor(month / 100)}-${String(month % 100).padStart(2, "0")}` : "–");
