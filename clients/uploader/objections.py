"""A department's side of objections: what enterprises object to, and its signed decisions. Straight to the data
domain."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from xinyidai.disputes import Decision, Outcome, RecordName
from xinyidai.identifiers import EnclaveId, parse_uscc
from xinyidai.requests import Stamp
from xinyidai.status import read_error
from xinyidai.v1 import records_pb2, records_pb2_grpc

from clients.uploader.credentials import DepartmentCredentials
from clients.uploader.errors import DomainUnavailable, RefusedByDomain

_LIFETIME_SECONDS: Final = 240
_PAGE: Final = 100
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class DepartmentObjection:
    objection_id: str
    enterprise: str
    category: str
    record_id: str
    kind: str
    text: str
    evidence: tuple[str, ...]
    """Hex SHA-256 of files the enterprise will show."""
    state: str
    """transferred, escalated (overdue), unverified (past the last deadline), or as it was decided."""
    opened_at: int
    """Seconds since 1970-01-01 UTC, like what follows; 0: not yet."""
    decide_by: int
    cap_at: int
    decided_at: int
    reply: str


class ObjectionClient:
    """One connection to a data domain. Close it. Every method raises `RefusedByDomain` or `DomainUnavailable`."""

    def __init__(
        self,
        address: str,
        credentials: DepartmentCredentials,
        enclaves: Sequence[EnclaveId],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials, self._enclaves, self._clock = credentials, tuple(enclaves), clock
        self._channel = grpc.secure_channel(address, credentials.channel)
        self._stub: Any = records_pb2_grpc.RecordServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def objections(self, *, everything: bool = False) -> list[DepartmentObjection]:
        """In the categories this department writes, oldest first; what is listed counts as handed over to it."""
        found: list[DepartmentObjection] = []
        after = 0
        while True:
            page = records_pb2.ListObjectionsRequest(all=everything, after=after, page_size=_PAGE)
            answer = self._call(self._stub.ListObjections, page)
            found += [_objection(one) for one in answer.objections]
            if not (after := answer.next_after):
                return found

    def decide(self, enterprise: str, category: str, record_id: str, outcome: Outcome, reply: str = "") -> str:
        """Sign and carry out a decision; returns the objection's id. REPAIRED also of a record nobody objected to. It
        holds for every assessment after this returns."""
        now = int(self._clock())
        name, nonce = self._credentials.department, secrets.token_urlsafe(24)
        stamp = Stamp(name, self._enclaves, nonce, now, now + _LIFETIME_SECONDS)
        decision = Decision(stamp, parse_uscc(enterprise), RecordName(category, record_id), outcome, reply)
        request = records_pb2.DecideObjectionRequest(decision=decision.sign(self._credentials.key))
        return str(self._call(self._stub.DecideObjection, request).objection_id)

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=_TIMEOUT_SECONDS, wait_for_ready=True)
        except grpc.RpcError as error:
            wire = read_error(error)
            if wire is None:
                raise DomainUnavailable("数据域没有应答 / no answer from the data domain") from error
            raise RefusedByDomain(wire.reason, wire.message) from None

    def close(self) -> None:
        self._channel.close()


def _objection(one: Any) -> DepartmentObjection:
    members = {name: getattr(one, name) for name in DepartmentObjection.__dataclass_fields__ if name != "evidence"}
    return DepartmentObjection(**members, evidence=tuple(one.evidence))
