// Calls to this host.

/** What the platform or the enclave said no with: RFC 9457, `reason` as in the interface's documentation. */
export class Refused extends Error {
  constructor({ title, detail, reason }, status) {
    super(`${title ?? status} ${detail ?? ""} [${reason ?? status}]`);
    this.reason = reason;
  }
}

/**
 * @param {string} method @param {string} path
 * @param {{body?: object, access?: string, scheme?: string}} [more] `access`: a signed document that opens what is read;
 *   `scheme`: which kind of document it is
 */
export async function call(method, path, { body, access, scheme = "Access" } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (access) headers.Authorization = `${scheme} ${access}`;
  const token = document.querySelector('meta[name="csrf"]')?.content;
  if (token && path.startsWith("/portal/")) headers["X-CSRF-Token"] = token;
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  const found = await answer.json();
  if (!answer.ok) throw new Refused(found, answer.status);
  return found;
}

export const get = (path, more) => call("GET", path, more);
export const post = (path, body = {}) => call("POST", path, { body });
