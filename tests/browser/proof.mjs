// Runs the verification of the page /verify, as the browser would, on proofs given on standard input.

import { readFileSync } from "node:fs";
import { verifyProof } from "../../server/pages/static/proof.js";

const { proofs, trust } = JSON.parse(readFileSync(0, "utf8"));
const found = [];
for (const proof of proofs) {
  try {
    found.push(await verifyProof(proof, trust));
  } catch (error) {
    found.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(found));
