// The white list: a consent of its own, its end, and what banks were told. proto/xinyidai/whitelist/statements.py has
// the same documents and the same text; the enclave refuses a consent that was signed over another text.

import { get, post } from "./api.js";
import { access, DAY_SECONDS, enclaveIds, stamp } from "./documents.js";
import { hexDigest } from "./encoding.js";
import { keepDevice } from "./device.js";
import { sign, signedDigest, verifyEnclave } from "./jws.js";
import { day } from "./notice.js";

const MAX_PAGES = 1000;
const PURPOSE = { purpose: "white_list", purpose_version: 1 };

/** The claims an opt-in would sign, all but the hash of its notice. @param {string[]} banks none: all that subscribe */
export async function draftOptIn(device, banks, days, scorecard) {
  const claims = stamp(device.uscc, await enclaveIds());
  return {
    ...claims,
    ...PURPOSE,
    not_after: claims.iat + days * DAY_SECONDS,
    scorecard: scorecard.reference,
    scorecard_digest: scorecard.digest,
    ...(banks.length ? { banks } : {}),
  };
}

/** @param {any} claims of an opt-in @param {any} scorecard @param {any} catalogue document @returns {string} */
export function renderListNotice(claims, scorecard, catalogue) {
  const titles = scorecard.categories.map((code) => catalogue.categories.find((category) => category.code === code).title);
  const [end, enclaves, banks] = [day(claims.not_after), claims.aud.join(", "), claims.banks ?? []];
  return [
    `【白名单告知书 / 第${PURPOSE.purpose_version}版】`,
    `您(统一社会信用代码 ${claims.sub})同意在 ${end} 前,当贵企业有未办结的融资需求且达到` +
      `“${scorecard.zh}”(${scorecard.reference})时,列入白名单,供以下银行主动联系:${banks.join("、") || "所有订阅白名单的银行"}。`,
    `判断使用以下 ${titles.length} 类信息:${titles.map(({ zh }) => zh).join(";")}。`,
    "银行只得知贵企业是否在名单上,看不到记录、分数或未列入的原因。每重新判断一次,对每家银行计1比特,从披露预算中扣除。",
    "这与评估授权是两回事:不勾选不影响任何其他服务。您可以随时退出,退出后制作的名单不再有贵企业。",
    `数据域:${enclaves}。`,
    "",
    `[Notice of the white list / version ${PURPOSE.purpose_version}]`,
    `You (${claims.sub}) agree that until ${end}, while you have an open demand for finance and meet ` +
      `"${scorecard.en}" (${scorecard.reference}), you are on a list by which these may turn to you: ` +
      `${banks.join(", ") || "every bank that subscribes to the white list"}.`,
    `It is decided on these ${titles.length} categories: ${titles.map(({ en }) => en).join("; ")}.`,
    "A bank learns whether you are on the list, and no record, no points and no reason. Each time it is " +
      "decided anew counts one bit for each bank, taken from your budgets.",
    "This is apart from any authorization: leaving it unticked changes nothing else. You may leave at any " +
      "time; no list made after that has you.",
    `Data domain: ${enclaves}.`,
  ].join("\n");
}

/** The enclave's signed word on exactly this statement. Throws without it: then nothing is known to hold. */
async function submit(device, raw, state) {
  const { confirmation } = await post("/v1/white-list", { statement: raw });
  const found = await verifyEnclave(confirmation, "white-list-confirmation+jwt", device.enclaveRoots);
  if (found.sub !== device.uscc || found.state !== state || found.statement !== (await signedDigest(raw))) {
    throw new Error("the enclave confirmed something else");
  }
  return found;
}

/** Sign the text that was shown. The signature is made anew: reading may take longer than one lives. */
export async function joinList(device, draft, shownNotice) {
  const fresh = stamp(device.uscc, await enclaveIds());
  if (fresh.aud.join() !== draft.aud.join()) throw new Error("the enclaves have changed; read the notice again");
  const claims = { ...draft, ...fresh, notice_hash: await hexDigest(shownNotice) };
  const raw = await sign(device.pair.privateKey, claims, "white-list-opt-in+jwt");
  const found = await submit(device, raw, "in");
  await keepDevice({ ...device, whiteList: { state: "in", at: found.iat, until: draft.not_after, banks: draft.banks ?? [] } });
}

export async function leaveList(device) {
  const raw = await sign(device.pair.privateKey, stamp(device.uscc, await enclaveIds()), "white-list-opt-out+jwt");
  const found = await submit(device, raw, "out");
  await keepDevice({ ...device, whiteList: { state: "out", at: found.iat } });
}

/** What banks were told besides scores, newest first, each by the enclave's signed receipt. Throws for a bad one. */
export async function told(device) {
  const found = [];
  let token = "";
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = new URLSearchParams({ page_size: "200", page_token: token });
    const answer = await get(`/v1/disclosures?${query}`, { access: await access(device) });
    for (const raw of answer.receipts) {
      const receipt = await verifyEnclave(raw, "disclosure+jwt", device.enclaveRoots);
      if (receipt.sub !== device.uscc) throw new Error("a receipt is about another enterprise");
      found.push(receipt);
    }
    token = answer.next_page_token;
    if (new Set(found.map(({ iss, jti }) => `${iss} ${jti}`)).size !== found.length) break;
    if (!token) return found;
  }
  throw new Error("the platform repeats entries, or never ends");
}
