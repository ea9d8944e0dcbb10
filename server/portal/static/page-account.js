import { call, post } from "./api.js";
import { action, byId, say, t } from "./page.js";
import { createPasskey } from "./passkeys.js";

byId("add").addEventListener(
  "submit",
  action(async () => {
    const credential = await createPasskey(await post("/portal/api/passkeys/options"));
    await post("/portal/api/passkeys", { credential, label: byId("label").value });
    say(t("passkey_added"), "good");
    location.reload();
  }),
);

byId("everywhere").addEventListener(
  "click",
  action(async () => location.assign((await call("POST", "/portal/api/sign-out?everywhere=true")).next)),
);
