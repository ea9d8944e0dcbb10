import { post } from "./api.js";
import { action, byId } from "./page.js";
import { createPasskey } from "./passkeys.js";

byId("enrol").addEventListener(
  "submit",
  action(async ({ target }) => {
    const asked = Object.fromEntries(new FormData(target));
    const credential = await createPasskey(await post("/portal/api/enrol/options", asked));
    location.assign((await post("/portal/api/enrol", { ...asked, credential })).next);
  }),
);
