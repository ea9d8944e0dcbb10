/** The page /verify: reads the chosen files, verifies here, and sends nothing anywhere. */

import { verifyProof } from "./proof.js";

const SHOWN = ["sub", "client_id", "jti", "kind", "state", "authorization", "centibits", "sequence"];
const form = document.querySelector("#proof-form");
const verdict = document.querySelector("#verdict");
const details = document.querySelector("#details");

function say(zh, en, state) {
  const english = document.createElement("span");
  english.lang = "en";
  english.textContent = ` ${en}`;
  verdict.replaceChildren(zh, english);
  verdict.dataset.state = state;
}

function time(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function show(rows) {
  const cells = rows.map(([name, value]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    const cell = document.createElement("td");
    cell.textContent = String(value);
    row.append(head, cell);
    return row;
  });
  details.querySelector("tbody").replaceChildren(...cells);
  details.hidden = cells.length === 0;
}

async function textOf(name) {
  const [file] = form.elements[name].files;
  return file ? file.text() : "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  show([]);
  say("正在核验……", "Verifying …", "busy");
  try {
    const trust = { enclaveRoots: await textOf("enclave"), witnessRoots: await textOf("witness") };
    const found = await verifyProof(await textOf("proof"), trust);
    if (found.rooted) {
      say("证明成立:该文件由数据域签发,且在日志之中。", "Proven: the enclave signed it, and it is in the log.", "good");
    } else {
      say(
        "文件内部一致,但未给出数据域根证书,无法确认签发者。",
        "The file is consistent, but without the enclaves' root nobody vouches for who signed it.",
        "partial",
      );
    }
    const named = SHOWN.filter((name) => name in found.claims).map((name) => [name, found.claims[name]]);
    show([
      ["文件 / document", found.kind],
      ["数据域 / enclave", found.claims.iss],
      ["时间 / time", time(found.claims.iat)],
      ...named,
      ["条目 / entry", `${found.index + 1} / ${found.size}`],
      ["检查点 / checkpoint", time(found.sealedAt)],
      ["见证 / witnesses", found.witnesses.join(", ") || "-"],
    ]);
  } catch (error) {
    say("证明不成立:", `Not proven: ${error.message}`, "bad");
  }
});
