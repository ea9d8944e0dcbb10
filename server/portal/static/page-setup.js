import { certificateRequest, certificatesOf, readCertificate } from "./certificates.js";
import { allDevices, findDevice, keepDevice, makeDevice } from "./device.js";
import { registerKey, signInWithKey } from "./documents.js";
import { toHex } from "./encoding.js";
import { action, byId, h, say, t } from "./page.js";

function download(name, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

byId("make").addEventListener(
  "submit",
  action(async ({ target }) => {
    say("");
    const uscc = new FormData(target).get("uscc").toUpperCase();
    const known = await findDevice(uscc);
    const device = known ?? (await makeDevice(uscc));
    download("request.pem", await certificateRequest(device.pair, uscc));
    byId("made").textContent = t(known ? "key_there" : "key_made");
    byId("made").className = "status good";
  }),
);

async function fileOf(id) {
  return certificatesOf(await byId(id).files[0].text());
}

/** The device whose key a certificate is for. */
async function deviceOf(certificate) {
  for (const device of await allDevices()) {
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", device.pair.publicKey));
    if (toHex(spki) === toHex(certificate.spki)) return device;
  }
  throw new Error(t("not_my_key"));
}

byId("load").addEventListener(
  "submit",
  action(async () => {
    const [chain, enclaveRoots] = [await fileOf("certificate"), await fileOf("enclave")];
    if (!chain.length || !enclaveRoots.length) throw new Error("PEM?");
    enclaveRoots.forEach(readCertificate);
    const device = { ...(await deviceOf(readCertificate(chain[0]))), chain, enclaveRoots };
    await registerKey(device);
    await keepDevice(device);
    location.assign(await signInWithKey(device));
  }),
);
