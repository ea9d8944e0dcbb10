// The enclave's signed word that it carried out what was signed here. Whoever relays a statement could otherwise withhold
// it and say that it was carried out.

import { signedDigest, verifyEnclave } from "./jws.js";

/**
 * Throws unless the enclave signed that it carried out exactly `document`.
 * @param {{uscc: string, enclaveRoots: Uint8Array[]}} device @param {any} answer of the platform
 * @param {string} document as it was signed @param {string} kind "authorize", or the action of the statement
 * @param {string} [authorization] digest of the authorization it was about, if any
 */
export async function requireAcknowledgement(device, answer, document, kind, authorization) {
  const found = await verifyEnclave(answer.acknowledgement ?? "", "acknowledgement+jwt", device.enclaveRoots);
  const expected = [device.uscc, kind, await signedDigest(document), authorization ?? null];
  const named = [found.sub, found.kind, found.document, found.authorization ?? null];
  if (expected.some((value, index) => value !== named[index])) {
    throw new Error("the enclave did not confirm this; it may not have been carried out");
  }
}
