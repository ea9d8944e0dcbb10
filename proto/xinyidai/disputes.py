"""Objections to records: how an enterprise names a record and says what is wrong with it, how the department that
delivered it decides, and how the enterprise reads what became of it.

Between the enterprise and the enclave everything that could name a record is encrypted; the department's part goes
straight to the data domain.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.identifiers import EnclaveId, IdentifierError, Uscc, parse_enclave_id, parse_uscc
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import MAX_DOCUMENT_BYTES, Claims, DocumentMalformed, SigningKey, strict_json

DECISION_TYPE: Final = "dispute-decision+jwt"
OBJECTIONS_REQUEST_TYPE: Final = "objections-request+jwt"
OBJECTIONS_TYPE: Final = "objections+jwt"
MAX_RECORD_ID: Final = 256
MAX_TEXT: Final = 1_000
"""Characters of what an enterprise says, and of a department's reply."""
MAX_EVIDENCE: Final = 8
MAX_LISTED: Final = 200
_NAME_BYTES: Final = 2_048
_OBJECTION_BYTES: Final = 5_600
"""Fits the sealed member of a statement, and any text in any script of 3 bytes a character."""


class ObjectionKind(StrEnum):
    ERROR = "error"
    """What the record says is wrong."""
    OMISSION = "omission"
    """The record leaves something out that belongs to it."""
    EXPIRED = "expired"
    """It should no longer be shared."""
    WRONG_LIST = "wrong_list"
    """The enterprise does not belong on the list."""
    INFRINGEMENT = "infringement"
    """It was collected or shared without right."""


@dataclass(frozen=True, slots=True)
class RecordName:
    """One record, all its versions. Whose it is follows from who signed."""

    category: str
    record_id: str

    def seal(self, key: SealingKey) -> str:
        """For the enclave alone. Raises `ValueError` for a name longer than any there is."""
        content = json.dumps({"category": self.category, "record_id": self.record_id}, ensure_ascii=False)
        return key.seal(content.encode(), _NAME_BYTES)


@dataclass(frozen=True, slots=True)
class Objection:
    """What an enterprise says is wrong with a record. Read by the enclave and by the record's department, nobody
    else."""

    record: RecordName
    kind: ObjectionKind = ObjectionKind.ERROR
    text: str = ""
    evidence: tuple[str, ...] = ()
    """Hex SHA-256 of files that the enterprise will show the department."""

    def claims(self) -> dict[str, Any]:
        members: dict[str, Any] = {
            "category": self.record.category,
            "record_id": self.record.record_id,
            "kind": str(self.kind),
        }
        optional = {"text": self.text, "evidence": list(self.evidence)}
        return members | {name: value for name, value in optional.items() if value}

    def seal(self, key: SealingKey) -> str:
        """For the enclave alone, always of one length. Raises `ValueError` for more than an objection may hold."""
        return key.seal(json.dumps(self.claims(), ensure_ascii=False).encode(), _OBJECTION_BYTES)


def parse_objection(claims: Claims) -> Objection:
    """A bare record name is an objection without words. Raises `DocumentMalformed`."""
    claims.only("category", "record_id", "kind", "text", "evidence")
    try:
        kind = ObjectionKind(claims.optional_text("kind", most=32) or ObjectionKind.ERROR)
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("kind is one of: " + ", ".join(ObjectionKind)) from error
    evidence = claims.texts("evidence", most=MAX_EVIDENCE, each=64) if "evidence" in claims.members else ()
    for digest in evidence:
        Claims({"evidence": digest}).digest("evidence")
    record = RecordName(claims.text("category", most=64), claims.text("record_id", most=MAX_RECORD_ID))
    return Objection(record, kind, claims.optional_text("text", most=MAX_TEXT) or "", evidence)


def open_objection(raw: str, key: OpeningKey) -> Objection:
    """Raises `DocumentMalformed`."""
    return parse_objection(Claims(strict_json(key.open(raw))))


class Outcome(StrEnum):
    UPHELD = "upheld"
    """The enterprise is right: the versions delivered up to the decision stay out, a later one counts again."""
    DISMISSED = "dismissed"
    """The record is right and counts again."""
    REPAIRED = "repaired"
    """What the record says was made good: no version of it counts any more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a department decides about a record it delivered. Signed with its certificate.

    REPAIRED can also be said of a record that nobody objected to."""

    stamp: Stamp
    enterprise: Uscc
    record: RecordName
    outcome: Outcome
    reply: str = ""
    """To the enterprise; nobody else reads it."""

    def sign(self, key: SigningKey) -> str:
        members = {
            **self.stamp.claims(),
            "sub": self.enterprise,
            "category": self.record.category,
            "record_id": self.record.record_id,
            "outcome": str(self.outcome),
        }
        if self.reply:
            members["reply"] = self.reply
        return key.sign(members, DECISION_TYPE, with_chain=True)


def parse_decision(claims: Claims) -> Decision:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "category", "record_id", "outcome", "reply")
    try:
        enterprise, outcome = parse_uscc(claims.text("sub")), Outcome(claims.text("outcome"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("outcome is one of: " + ", ".join(Outcome)) from error
    record = RecordName(claims.text("category", most=64), claims.text("record_id", most=MAX_RECORD_ID))
    reply = claims.optional_text("reply", most=MAX_TEXT) or ""
    return Decision(parse_stamp(claims), enterprise, record, outcome, reply)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectionsRequest:
    """Proof that the holder of the enterprise's key asks what became of its objections, now."""

    stamp: Stamp
    enterprise: Uscc
    reader: SealingKey
    """Of a key made for this request."""

    def sign(self, key: SigningKey) -> str:
        members = {"sub": self.enterprise, "reader": self.reader.claims()}
        return key.sign({**self.stamp.claims(), **members}, OBJECTIONS_REQUEST_TYPE)


def parse_objections_request(claims: Claims) -> ObjectionsRequest:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "reader")
    try:
        enterprise = parse_uscc(claims.text("sub"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    reader = claims.members.get("reader")
    if claims.text("iss") != enterprise or not isinstance(reader, dict):
        raise DocumentMalformed("issuer and subject must be the same enterprise, and reader a JWK")
    return ObjectionsRequest(parse_stamp(claims), enterprise, SealingKey.from_claims(Claims(reader)))


def stage(state: str, now: int, decide_by: int, cap_at: int) -> str:
    """How far an objection is at a moment: "marked" and "transferred" become "escalated" when the department is late,
    and "unverified" after the last deadline of all; what is decided or withdrawn stays so. Times in seconds since
    1970."""
    if state not in ("marked", "transferred"):
        return state
    if now > cap_at:
        return "unverified"
    return "escalated" if now > decide_by else state


@dataclass(frozen=True, slots=True)
class ObjectionEntry:
    """One objection and both sides of it."""

    objection_id: str
    objection: Objection
    state: str
    """marked, transferred, escalated, unverified, upheld, dismissed, repaired or withdrawn."""
    opened_at: int
    """Seconds since 1970-01-01 UTC, like what follows; 0: not yet."""
    transferred_at: int
    decide_by: int
    """The department's deadline by the rule in force."""
    cap_at: int
    """After this an undecided record counts as unverifiable, and stays left out."""
    decided_at: int
    reply: str

    def claims(self) -> dict[str, Any]:
        times = ("opened_at", "transferred_at", "decide_by", "cap_at", "decided_at")
        members = {"objection_id": self.objection_id, "objection": self.objection.claims(), "state": self.state}
        return members | {name: getattr(self, name) for name in times} | ({"reply": self.reply} if self.reply else {})


@dataclass(frozen=True, slots=True)
class RuleName:
    """The place whose rule sets the deadlines."""

    code: str
    zh: str
    en: str


def _parse_rule(claims: Claims) -> RuleName:
    claims.only("code", "zh", "en")
    return RuleName(claims.text("code", most=32), claims.text("zh", most=64), claims.text("en", most=64))


@dataclass(frozen=True, slots=True)
class ObjectionsAnswer:
    """An enterprise's own objections, newest first, as many as fit; `total` counts them all."""

    enclave: EnclaveId
    enterprise: Uscc
    request: str
    """Nonce of the request it answers."""
    issued_at: int
    total: int
    rule: RuleName
    entries: tuple[ObjectionEntry, ...]

    def seal(self, key: SigningKey, reader: SealingKey) -> str:
        """Sign for, and encrypt to, who asked, always of one length. Raises `DocumentMalformed` when it lists more than
        fits."""
        members = {
            "iss": self.enclave, "sub": self.enterprise, "jti": self.request, "iat": self.issued_at,
            "total": self.total, "rule": {"code": self.rule.code, "zh": self.rule.zh, "en": self.rule.en},
            **({"entries": [entry.claims() for entry in self.entries]} if self.entries else {}),
        }  # fmt: skip
        signed = key.sign(members, OBJECTIONS_TYPE, with_chain=True)
        if len(signed) > MAX_DOCUMENT_BYTES:
            raise DocumentMalformed("the answer lists too many objections")
        return reader.seal(signed.encode(), MAX_DOCUMENT_BYTES)


def parse_objections(claims: Claims) -> ObjectionsAnswer:
    """Raises `DocumentMalformed`."""
    claims.only("iss", "sub", "jti", "iat", "total", "rule", "entries")
    try:
        enclave, enterprise = parse_enclave_id(claims.text("iss")), parse_uscc(claims.text("sub"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    entries = claims.objects("entries", most=MAX_LISTED) if "entries" in claims.members else ()
    rule = claims.members.get("rule")
    if not isinstance(rule, dict):
        raise DocumentMalformed("member rule must be an object")
    return ObjectionsAnswer(
        enclave,
        enterprise,
        claims.text("jti", most=64),
        claims.instant("iat"),
        claims.integer("total", 0, 1 << 30),
        _parse_rule(Claims(rule)),
        tuple(_entry(one) for one in entries),
    )


def _entry(claims: Claims) -> ObjectionEntry:
    claims.only(
        "objection_id",
        "objection",
        "state",
        "opened_at",
        "transferred_at",
        "decide_by",
        "cap_at",
        "decided_at",
        "reply",
    )
    objection = claims.members.get("objection")
    if not isinstance(objection, dict):
        raise DocumentMalformed("member objection must be an object")
    return ObjectionEntry(
        claims.text("objection_id", most=64),
        parse_objection(Claims(objection)),
        claims.text("state", most=32),
        claims.instant("opened_at"),
        claims.instant("transferred_at"),
        claims.instant("decide_by"),
        claims.instant("cap_at"),
        claims.instant("decided_at"),
        claims.optional_text("reply", most=MAX_TEXT) or "",
    )
