import { delegate, delegations, endDelegation, readKey } from "./consent.js";
import { now } from "./documents.js";
import { action, attempt, byId, confirmed, facts, h, hasText, moment, ownDevice, say, t, table } from "./page.js";

let device;

const powersText = (powers) => powers.map((power) => (hasText(`power_${power}`) ? t(`power_${power}`) : power)).join(", ");

function ending({ delegate: thumbprint, name }) {
  const work = async () => {
    if (!(await confirmed(t("end_title"), t("end_text"), `${name} · ${thumbprint}`))) return say("");
    await endDelegation(device, thumbprint);
    await show();
    return say(t("done_end"), "good");
  };
  return h("button", { type: "button", class: "danger", onclick: action(work), "aria-label": `${t("end")} ${name} ${thumbprint.slice(0, 8)}` }, t("end"));
}

function card(one) {
  const over = one.ended_at > 0 || one.not_after <= now();
  const state = one.ended_at ? t("ended_on", moment(one.ended_at)) : t(over ? "state_expired" : "state_active");
  const head = h("div", { class: "head" }, h("h2", {}, one.name), h("span", { class: `tag ${over ? "quiet" : "good"}` }, state));
  const list = facts([[t("powers"), powersText(one.powers)], [t("until"), moment(one.not_after)], [t("thumbprint"), one.delegate]]);
  return h("article", { class: "card", "data-delegate": one.delegate }, head, list, ...(over ? [] : [h("div", { class: "actions" }, ending(one))]));
}

const act = ({ at, name, act: kind, about }) => [moment(at), name, hasText(`act_${kind}`) ? t(`act_${kind}`) : kind, about.slice(0, 16) || "–"];

async function show() {
  const { delegations: found, acts } = await delegations(device);
  byId("delegates").replaceChildren(...(found.length ? found.map(card) : [h("p", { class: "empty" }, t("no_delegates"))]));
  byId("acts").hidden = !acts.length;
  byId("acts").replaceChildren(table(t("acts"), ["time", "delegate", "kind", "about"].map((key) => t(key)), acts.map(act)));
}

async function keyGiven() {
  try {
    return await readKey(byId("key").value);
  } catch (error) {
    throw new Error(t(error.message === "private" ? "private_key" : "bad_key"));
  }
}

byId("add").addEventListener(
  "submit",
  action(async () => {
    const powers = [...document.querySelectorAll('input[name="power"]:checked')].map(({ value }) => value);
    if (!powers.length) throw new Error(t("choose_power"));
    const { key, thumbprint } = await keyGiven();
    const [name, days] = [byId("name").value.trim(), byId("days").valueAsNumber];
    const about = `${name} · ${powersText(powers)} · ${t("for_days", days)} · ${thumbprint}`;
    if (!(await confirmed(t("delegate_title"), t("delegate_text"), about))) return say("");
    await delegate(device, { key, powers, days, name });
    byId("add").reset();
    await show();
    return say(t("done_delegate"), "good");
  }),
);

await attempt(async () => {
  device = await ownDevice();
  await show();
  say("");
});
