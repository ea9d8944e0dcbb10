"""The list itself: versions in parts of one length, each signed by the enclave and sealed to one bank.

How many parts there are follows from how many enterprises could be listed, which the relay knows anyway, and never from
how many are: so neither length nor number tells a relay anything about a record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from xinyidai.confidential import SealingKey
from xinyidai.identifiers import BankId, EnclaveId, Uscc
from xinyidai.parties import bank_of, enclave_of, enterprise_of
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

LIST_TYPE: Final = "white-list+jwt"
PART_ENTRIES: Final = 400
MAX_PARTS: Final = 100
PART_BYTES: Final = 60 * 1024
_MAX_VERSION: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Member:
    """In good standing, with an open demand."""

    enterprise: Uscc
    demand: str
    """Id of the demand on the market."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """It was on an earlier list and left by itself: forget it, and do not turn to it because of the list."""

    enterprise: Uscc
    at: int
    """Seconds since 1970-01-01 UTC, when the enclave first made a list without it."""


@dataclass(frozen=True, slots=True)
class ListHead:
    """What every part of a version says."""

    enclave: EnclaveId
    bank: BankId
    list_id: str
    version: int
    parts: int
    made_at: int
    expires_at: int
    snapshot: str
    as_of: str
    """Month end of the newest snapshot a standing was decided on, ISO 8601."""
    scorecard: str
    scorecard_digest: str


@dataclass(frozen=True, slots=True)
class ListPart:
    head: ListHead
    part: int
    """From 0."""
    members: tuple[Member, ...]
    withdrawn: tuple[Withdrawal, ...]

    def seal(self, key: SigningKey, reader: SealingKey) -> str:
        """Sign, and encrypt to the bank. Raises `ValueError` when it does not fit: its length would show."""
        head = self.head
        claims: dict[str, Any] = {
            "iss": head.enclave, "client_id": head.bank, "jti": head.list_id, "version": head.version,
            "parts": head.parts, "part": self.part, "iat": head.made_at, "exp": head.expires_at,
            "snapshot": head.snapshot, "as_of": head.as_of, "scorecard": head.scorecard,
            "scorecard_digest": head.scorecard_digest,
        }  # fmt: skip
        if self.members:
            claims["members"] = [{"sub": entry.enterprise, "demand": entry.demand} for entry in self.members]
        if self.withdrawn:
            claims["withdrawn"] = [{"sub": entry.enterprise, "at": entry.at} for entry in self.withdrawn]
        return reader.seal(key.sign(claims, LIST_TYPE, with_chain=True).encode(), PART_BYTES)


def parts_needed(candidates: int) -> int:
    """For as many enterprises as could be listed."""
    return min(MAX_PARTS, max(1, -(-candidates // PART_ENTRIES)))


def split(head: ListHead, members: Sequence[Member], withdrawn: Sequence[Withdrawal]) -> Iterator[ListPart]:
    """The parts of a version; `head.parts` must have room for all entries."""
    entries: list[Member | Withdrawal] = [*members, *withdrawn]
    if len(entries) > head.parts * PART_ENTRIES:
        raise ValueError("more entries than the parts have room for")
    for part in range(head.parts):
        chosen = entries[part * PART_ENTRIES : (part + 1) * PART_ENTRIES]
        yield ListPart(
            head,
            part,
            tuple(entry for entry in chosen if isinstance(entry, Member)),
            tuple(entry for entry in chosen if isinstance(entry, Withdrawal)),
        )


def parse_part(claims: Claims) -> ListPart:
    """Raises `DocumentMalformed`."""
    claims.only(
        "iss", "client_id", "jti", "version", "parts", "part", "iat", "exp", "snapshot", "as_of", "scorecard",
        "scorecard_digest", "members", "withdrawn",
    )  # fmt: skip
    head = ListHead(
        enclave=enclave_of(claims),
        bank=bank_of(claims.text("client_id")),
        list_id=claims.text("jti", most=64),
        version=claims.integer("version", 1, _MAX_VERSION),
        parts=claims.integer("parts", 1, MAX_PARTS),
        made_at=claims.instant("iat"),
        expires_at=claims.instant("exp"),
        snapshot=claims.text("snapshot", most=64),
        as_of=claims.text("as_of", most=10),
        scorecard=claims.text("scorecard", most=128),
        scorecard_digest=claims.digest("scorecard_digest"),
    )
    return ListPart(
        head,
        claims.integer("part", 0, head.parts - 1),
        tuple(
            Member(enterprise_of(entry.only("sub", "demand")), entry.text("demand", most=32))
            for entry in _entries(claims, "members")
        ),
        tuple(
            Withdrawal(enterprise_of(entry.only("sub", "at")), entry.instant("at"))
            for entry in _entries(claims, "withdrawn")
        ),
    )


def join(parts: Sequence[ListPart]) -> tuple[ListHead, tuple[Member, ...], tuple[Withdrawal, ...]]:
    """A whole version, whatever the order of its parts. Raises `DocumentMalformed` unless every part is there, once."""
    heads = {part.head for part in parts}
    if len(heads) != 1:
        raise DocumentMalformed("the parts are not of one version")
    (head,) = heads
    if sorted(part.part for part in parts) != list(range(head.parts)):
        raise DocumentMalformed("a part of the list is missing, or there twice")
    ordered = sorted(parts, key=lambda part: part.part)
    members = tuple(entry for part in ordered for entry in part.members)
    withdrawn = tuple(entry for part in ordered for entry in part.withdrawn)
    named = {member.enterprise for member in members} | {entry.enterprise for entry in withdrawn}
    if len(named) != len(members) + len(withdrawn):
        raise DocumentMalformed("the list names an enterprise twice")
    return head, members, withdrawn


def _entries(claims: Claims, name: str) -> tuple[Claims, ...]:
    return claims.objects(name, most=PART_ENTRIES) if name in claims.members else ()
