"""A browser's side of the pages, without a browser: cookies, the page's origin and the form token."""

import re
import secrets
import ssl
import time
from typing import Any

import httpx
from xinyidai.identifiers import parse_enclave_id
from xinyidai.requests import Stamp
from xinyidai.signing import SigningKey
from xinyidai.statements import SignIn

from clients.dev.deployment import Deployment
from tests.support.authenticator import Authenticator
from tests.support.parties import RawEnterprise

COOKIE = "__Host-xyd-session"


class PortalClient:
    def __init__(self, deployment: Deployment, rest_url: str) -> None:
        self.origin = f"https://localhost:{rest_url.rpartition(':')[2]}"
        context = ssl.create_default_context(cafile=str(deployment.anchor("platform")))
        self.http = httpx.Client(base_url=self.origin, verify=context, timeout=30, trust_env=False)
        self.http.headers["origin"] = self.origin

    def api(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.http.post(f"/portal/api{path}", json=body, **more)

    def document(self, enterprise: RawEnterprise, key: SigningKey | None = None, **changes: Any) -> str:
        """A sign-in to a new challenge; `changes` to its stamp."""
        asked = self.api("/challenge").json()
        now = int(time.time())
        audience = (parse_enclave_id(asked["audience"]),)
        fields = {"audience": audience, "nonce": asked["challenge"], "issued_at": now, "expires_at": now + 240}
        stamp = Stamp(enterprise.uscc, **{**fields, **changes})
        return SignIn(stamp, enterprise.uscc).sign(key or enterprise.key)

    def sign_in(self, enterprise: RawEnterprise) -> httpx.Response:
        return self.api("/sign-in/key", {"document": self.document(enterprise)})

    def csrf(self) -> dict[str, str]:
        """The header that carries the form token of a page of this session."""
        found = re.search(r'name="csrf" content="([0-9a-f]{64})"', self.http.get("/operator/account").text)
        found = found or re.search(r'name="csrf" content="([0-9a-f]{64})"', self.http.get("/portal/account").text)
        assert found
        return {"x-csrf-token": found[1]}

    def add_passkey(self, label: str = "test") -> Authenticator:
        headers = self.csrf()
        made = Authenticator(self.origin)
        options = self.api("/passkeys/options", headers=headers).json()
        answer = self.api("/passkeys", {"credential": made.create(options), "label": label}, headers=headers)
        answer.raise_for_status()
        return made

    def sign_in_with(self, passkey: Authenticator, **changes: Any) -> httpx.Response:
        options = self.api("/sign-in/passkey/options").json()
        return self.api("/sign-in/passkey", {"credential": passkey.get(options, **changes)})

    def enrol(self, role: str, staff_id: str, code: str) -> httpx.Response:
        asked = {"role": role, "id": staff_id, "code": code}
        options = self.api("/enrol/options", asked)
        if not options.is_success:
            return options
        passkey = Authenticator(self.origin)
        return self.api("/enrol", {**asked, "credential": passkey.create(options.json())})

    def forget(self) -> None:
        """As another browser."""
        self.http.cookies.clear()

    def close(self) -> None:
        self.http.close()


def random_token() -> str:
    return secrets.token_urlsafe(32)
