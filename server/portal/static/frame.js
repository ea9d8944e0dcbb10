// Of every page of somebody who is signed in: signing out.

import { call } from "./api.js";

document.getElementById("sign-out").addEventListener("click", async () => {
  location.assign((await call("POST", "/portal/api/sign-out")).next);
});
