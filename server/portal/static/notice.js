// The text an enterprise is shown before it signs, made from the terms alone, character for character as
// proto/xinyidai/notice.py makes it: the enclave refuses a grant that was signed over another text.

/** @param {any} claims of an authorization @param {number[]} centibits by points of precision */
export function centibitsEach(claims, centibits) {
  const [details] = claims.authorization_details;
  const answers = details.disclosure === "by_category" ? details.categories.length : 1;
  return answers * centibits[details.precision_points];
}

/**
 * @param {any} claims of an authorization @param {any} catalogue document
 * @param {{notice_version: number, centibits: number[], purposes: any[]}} terms @returns {string}
 */
export function renderNotice(claims, catalogue, terms) {
  const [details] = claims.authorization_details;
  const each = centibitsEach(claims, terms.centibits);
  const total = each * details.max_assessments * claims.aud.length;
  const enclaves = claims.aud.join(", ");
  const purpose = terms.purposes.find(({ code }) => code === details.purpose) ?? { zh: details.purpose, en: details.purpose };
  const titles = details.categories.map((code) => catalogue.categories.find((category) => category.code === code).title);
  const [start, end] = [day(claims.nbf), day(claims.exp)];
  const byCategory = details.disclosure === "by_category";
  const precision = details.precision_points;
  const facts = Math.ceil(total / 100);
  return [
    `【授权告知书 / 第${terms.notice_version}版】`,
    `您(统一社会信用代码 ${claims.sub})将授权银行 ${claims.client_id} ` +
      `在 ${start} 至 ${end} 期间,为“${purpose.zh}”对贵企业进行信用评估,最多 ${details.max_assessments} 次。`,
    `评估使用以下 ${titles.length} 类信息:${titles.map(({ zh }) => zh).join(";")}。`,
    "银行看不到任何一条记录," +
      (byCategory ? "只得到每一类信息的分数" : "只得到一个总分") +
      (precision ? `,且误差可达正负 ${precision} 分。` : "。"),
    `即使银行作弊,每次评估最多得知 ${number(each)} 比特,全部评估合计最多 ${number(total)} 比特,` +
      `即最多 ${facts} 个由银行自选的“是或否”的事实。`,
    `数据域:${enclaves}。`,
    ...(details.parent ? [`本授权取代您此前的授权 ${details.parent.slice(0, 16)},后者同时终止。`] : []),
    ...(details.request ? [`本授权答复该银行的授权请求 ${details.request.slice(0, 16)}。`] : []),
    "您可以随时暂停或撤销本授权,撤销立即生效;每次使用您都能看到。",
    "",
    `[Notice of authorization / version ${terms.notice_version}]`,
    `You (${claims.sub}) authorize bank ${claims.client_id} to assess your credit for ` +
      `${purpose.en} from ${start} to ${end}, at most ${details.max_assessments} time(s).`,
    `It uses these ${titles.length} categories: ${titles.map(({ en }) => en).join("; ")}.`,
    "The bank sees no record; it gets " +
      (byCategory ? "one score for each category" : "one total score") +
      (precision ? `, off by up to ${precision} points either way.` : "."),
    `Even if the bank cheats, it learns at most ${number(each)} bits an assessment and ${number(total)} bits ` +
      `in all: at most ${facts} yes/no facts of its own choosing.`,
    `Data domain: ${enclaves}.`,
    ...(details.parent ? [`It replaces your authorization ${details.parent.slice(0, 16)}, which ends at the same moment.`] : []),
    ...(details.request ? [`It answers the bank's request ${details.request.slice(0, 16)}.`] : []),
    "You may pause or revoke this at any time, with immediate effect, and you see every use.",
  ].join("\n");
}

/** @param {number} centibits @returns {string} bits with two places */
export function number(centibits) {
  return `${Math.floor(centibits / 100)}.${String(centibits % 100).padStart(2, "0")}`;
}

/** @param {number} instant seconds since 1970-01-01 UTC */
export function day(instant) {
  return `${new Date(instant * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
