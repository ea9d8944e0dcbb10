// An independent JOSE implementation (the npm package jose) verifies and makes documents of this service.
// In: {"verify": [{token, typ}], "sign": {...}} on standard input. Out: what was found.

import { readFileSync } from "node:fs";
import { createPrivateKey } from "node:crypto";
import { CompactSign, compactVerify, decodeProtectedHeader, importSPKI, importX509 } from "jose";

const request = JSON.parse(readFileSync(0, "utf8"));

/** With the certificate in x5c, or the key given as PEM. */
async function verify({ token, typ, spki }) {
  try {
    const header = decodeProtectedHeader(token);
    const pem = `-----BEGIN CERTIFICATE-----\n${header.x5c?.[0]}\n-----END CERTIFICATE-----`;
    const key = spki ? await importSPKI(spki, header.alg) : await importX509(pem, header.alg);
    const found = await compactVerify(token, key, { algorithms: ["ES256", "Ed25519"] });
    if (found.protectedHeader.typ !== typ) throw new Error(`typ is ${found.protectedHeader.typ}`);
    return { claims: JSON.parse(new TextDecoder().decode(found.payload)), alg: header.alg };
  } catch (error) {
    return { error: String(error.code ?? error.message) };
  }
}

async function sign({ claims, header, key, passphrase }) {
  const payload = new TextEncoder().encode(JSON.stringify(claims));
  return new CompactSign(payload).setProtectedHeader(header).sign(createPrivateKey({ key, passphrase }));
}

const verified = await Promise.all((request.verify ?? []).map(verify));
const signed = await Promise.all((request.sign ?? []).map(sign));
process.stdout.write(JSON.stringify({ verified, signed }));
