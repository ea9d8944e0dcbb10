// Passkeys between the browser's API and this host's JSON (WebAuthn, level 3).

import { post } from "./api.js";
import { fromBase64url, toBase64url } from "./encoding.js";

const encoded = (buffer) => toBase64url(new Uint8Array(buffer));

/** @param {any} options from this host @returns {Promise<object>} */
export async function createPasskey(options) {
  const publicKey = {
    ...options,
    challenge: fromBase64url(options.challenge),
    user: { ...options.user, id: fromBase64url(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map((one) => ({ ...one, id: fromBase64url(one.id) })),
  };
  const made = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = made.response;
  const response = { clientDataJSON: encoded(clientDataJSON), attestationObject: encoded(attestationObject) };
  return { id: made.id, rawId: made.id, type: made.type, response };
}

/** @returns {Promise<string>} where to go next */
export async function signInWithPasskey() {
  const options = await post("/portal/api/sign-in/passkey/options");
  const publicKey = { ...options, challenge: fromBase64url(options.challenge) };
  const found = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = found.response;
  const response = {
    clientDataJSON: encoded(clientDataJSON),
    authenticatorData: encoded(authenticatorData),
    signature: encoded(signature),
    ...(userHandle ? { userHandle: encoded(userHandle) } : {}),
  };
  const credential = { id: found.id, rawId: found.id, type: found.type, response };
  return (await post("/portal/api/sign-in/passkey", { credential })).next;
}
