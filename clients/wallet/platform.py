"""The platform's REST interface as a wallet uses it.

WalletError                 something an enterprise can act upon
 ├─ WalletLocked            the passphrase or the key file is wrong
 ├─ PlatformUnreachable     no answer; nothing is known to have happened
 └─ PlatformRefused         the platform or the enclave said no; `reason` is one of xinyidai.reasons
"""

import ssl
from pathlib import Path
from typing import Any, Final, Self

import httpx

_TIMEOUT_SECONDS: Final = 40.0
"""Longer than the platform lets an enclave take for a sealed answer."""


class WalletError(Exception):
    pass


class PlatformUnreachable(WalletError):
    pass


class PlatformRefused(WalletError):
    def __init__(self, reason: str, title: str, detail: str) -> None:
        super().__init__(f"{title}\n{reason}: {detail}")
        self.reason = reason


class Platform:
    """HTTPS to one platform, which must show a certificate of `anchor` (PEM file)."""

    def __init__(self, url: str, anchor: Path) -> None:
        if not url.startswith("https://"):
            raise WalletError("平台地址以 https:// 开头 / the platform's address begins with https://")
        context = ssl.create_default_context(cafile=str(anchor))
        self._http = httpx.Client(base_url=url, verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False)

    def get(
        self, path: str, *, access: str | None = None, demand: str | None = None, loan: str | None = None, **query: Any
    ) -> Any:
        """`access`, `demand`, `loan`: the signed document that opens what is read, if anything does."""
        opens = {"Access": access, "Demand": demand, "Loan": loan}
        given = [f"{scheme} {token}" for scheme, token in opens.items() if token]
        headers = {"Authorization": given[0]} if given else {}
        return self._call("GET", path, headers=headers, params=query)

    def post(self, path: str, **members: str) -> Any:
        return self._call("POST", path, json=members)

    def _call(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = self._http.request(method, path, **rest)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PlatformUnreachable(
                f"无法连接平台 {self._http.base_url},请检查地址、平台根证书和网络 / the platform cannot be reached; "
                f"check address, --platform-ca and network: {error}"
            ) from error
        if response.is_success:
            return body
        known = body if isinstance(body, dict) else {}
        reason, title = str(known.get("reason", response.status_code)), str(known.get("title", "被拒绝 / refused"))
        raise PlatformRefused(reason, title, str(known.get("detail", "")))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
