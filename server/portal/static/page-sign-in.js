import { allDevices } from "./device.js";
import { signInWithKey } from "./documents.js";
import { action, byId, h } from "./page.js";
import { signInWithPasskey } from "./passkeys.js";

byId("with-passkey").addEventListener("click", action(async () => location.assign(await signInWithPasskey())));

const devices = byId("keys") ? (await allDevices()).filter(({ chain }) => chain.length) : [];
if (devices.length) {
  byId("keys").hidden = false;
  byId("choice").hidden = devices.length < 2;
  byId("firm").append(...devices.map(({ uscc }) => h("option", { value: uscc }, uscc)));
  byId("with-key").addEventListener(
    "click",
    action(async () => location.assign(await signInWithKey(devices.find(({ uscc }) => uscc === byId("firm").value)))),
  );
}
