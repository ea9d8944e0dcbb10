// Two screens: how much of what a bank asks for, or of what it has, and the notice to sign.

import { get } from "./api.js";
import { acceptDraft, grantInForce, narrowDraft, offerOfGrant, offerOfRequest, requests } from "./consent.js";
import { catalogue, grant, renderNotice } from "./documents.js";
import { action, attempt, byId, facts, h, ownDevice, said, say, t } from "./page.js";

const query = new URLSearchParams(location.search);
const [asked, old] = [query.get("request"), query.get("authorization")];
let device, known, terms, offer, makeDraft, draft;

function go(step) {
  for (const at of [1, 2]) byId(`step-${at}`).hidden = at !== step;
  byId(`step-${step}`).querySelector("h2").focus();
  say("");
}

const boxes = () => [...byId("categories").querySelectorAll("input")];

function showNotice() {
  const categories = boxes().filter(({ checked }) => checked).map(({ value }) => value);
  if (!categories.length) throw new Error(t("choose_one"));
  const [days, uses, precision] = ["days", "uses", "precision"].map((id) => byId(id).valueAsNumber);
  draft = makeDraft({ categories, days, uses, precision });
  byId("notice").textContent = renderNotice(draft, known.document, terms);
  go(2);
}

function fill() {
  const purpose = terms.purposes.find(({ code }) => code === offer.purpose);
  byId("about").replaceChildren(facts([[t("bank"), offer.bank], [t("purpose"), purpose ? said(purpose) : offer.purpose], [t("what_bank_gets"), t(offer.disclosure)], [t("digest"), offer.digest.slice(0, 16)]]));
  for (const id of ["days", "uses"]) Object.assign(byId(id), { max: offer[id], value: offer[id] });
  Object.assign(byId("precision"), { min: offer.precision, max: terms.centibits.length - 1, value: offer.precision });
  const titles = new Map(known.document.categories.map(({ code, title }) => [code, title]));
  byId("categories").replaceChildren(
    ...offer.categories.map((code) => h("label", {}, h("input", { type: "checkbox", value: code, checked: true }), said(titles.get(code)))),
  );
}

byId("step-1").addEventListener("submit", action(async () => showNotice()));
byId("step-2").addEventListener(
  "submit",
  action(async () => {
    await grant(device, draft, byId("notice").textContent);
    byId("step-2").hidden = true;
    byId("after").hidden = false;
    say(t(asked ? "granted" : "done_narrow"), "good");
  }),
);
byId("back").addEventListener("click", () => go(1));

await attempt(async () => {
  device = await ownDevice();
  known = await catalogue();
  terms = await get("/portal/api/terms");
  if (asked) {
    const request = (await requests(device)).find(({ digest }) => digest === asked);
    if (!request) throw new Error(t("request_gone"));
    offer = offerOfRequest(request);
    makeDraft = (chosen) => acceptDraft(device, request, chosen);
  } else {
    const entry = await grantInForce(device, old);
    if (!entry || offerOfGrant(entry).uses < 1) throw new Error(t("grant_gone"));
    offer = offerOfGrant(entry);
    makeDraft = (chosen) => narrowDraft(entry, chosen);
  }
  byId("title").textContent = t(asked ? "answer_title" : "narrow_title");
  fill();
  if (asked && !query.has("less")) showNotice();
  else go(1);
});
