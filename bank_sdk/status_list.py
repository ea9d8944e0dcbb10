"""Status lists, for a bank that caches: is an authorization still in force, without asking about it by name?

A list is public and may be fetched from anywhere (`GET /v1/status-lists/<number>` of the platform); it is believed for
the enclave's signature alone. It is up to `ttl` old, so it spares useless requests and proves nothing: the enclave
decides on every assessment anew.
"""

import time
from collections.abc import Callable

from xinyidai.identity import TrustAnchor
from xinyidai.signing import DocumentError
from xinyidai.status_list import Status, verify_status_list

from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import InputError, VerificationError
from bank_sdk.results import GrantedAuthorization

_STATES = {Status.VALID: "active", Status.INVALID: "revoked", Status.SUSPENDED: "paused"}


class StatusList:
    """A verified list, good until `expires_at`."""

    def __init__(
        self,
        untrusted_token: str,
        uri: str,
        credentials: BankCredentials | TrustAnchor,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`uri`: the name of the list, from `GrantedAuthorization.status_uri`. Raises `VerificationError` for a list
        that is forged, another, or out of its time."""
        anchor = credentials if isinstance(credentials, TrustAnchor) else credentials.enclave_anchor
        try:
            self._token = verify_status_list(untrusted_token, uri, anchor, int(clock()))
        except DocumentError as error:
            raise VerificationError(f"the status list does not check: {error}") from error
        self._clock = clock

    @property
    def uri(self) -> str:
        return self._token.uri

    @property
    def expires_at(self) -> int:
        """When to fetch it again, seconds since 1970-01-01 UTC."""
        return min(self._token.expires_at, self._token.issued_at + self._token.ttl)

    def state(self, grant: GrantedAuthorization) -> str:
        """active, paused or revoked; of one that has ended by its own date, the state it ended in. Raises `InputError`
        for an authorization of another list, `VerificationError` once the list is out of its time."""
        if grant.status_uri != self.uri or grant.status_index is None:
            raise InputError("the authorization is published in another status list")
        if self._clock() >= self.expires_at:
            raise VerificationError("the status list is out of its time; fetch it again")
        try:
            return _STATES[self._token.status(grant.status_index)]
        except DocumentError as error:
            raise VerificationError(str(error)) from error
