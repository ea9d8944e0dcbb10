"""Which records made a feature: what an enterprise asks for, and what the enclave answers it.

The request is signed and names a fresh key; the answer is signed by the enclave and encrypted to that key. So a relay
learns that an enterprise looked at one feature, and nothing of the answer, not even its length.
"""

from dataclasses import dataclass
from typing import Any, Final

from xinyidai.answers import enterprise_member, object_member, open_answer, own_enterprise, seal_answer
from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.identifiers import EnclaveId, IdentifierError, Uscc, parse_enclave_id
from xinyidai.identity import TrustAnchor
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

LINEAGE_REQUEST_TYPE: Final = "lineage-request+jwt"
LINEAGE_TYPE: Final = "lineage+jwt"
MAX_LISTED: Final = 1_000
"""Most records of one kind in an answer; the counts are always of all."""
_TEXT: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class LineageRequest:
    """Proof that the holder of the enterprise's key asks where one of its features comes from, now."""

    stamp: Stamp
    enterprise: Uscc
    feature: str
    reader: SealingKey
    """Of a key made for this request."""

    def sign(self, key: SigningKey) -> str:
        members = {"sub": self.enterprise, "feature": self.feature, "reader": self.reader.claims()}
        return key.sign({**self.stamp.claims(), **members}, LINEAGE_REQUEST_TYPE)


def parse_lineage_request(claims: Claims) -> LineageRequest:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "feature", "reader")
    reader = SealingKey.from_claims(object_member(claims, "reader"))
    return LineageRequest(parse_stamp(claims), own_enterprise(claims), claims.text("feature", most=64), reader)


@dataclass(frozen=True, slots=True)
class LineageRecord:
    """A record of the enterprise, by name. Its content stays where it is."""

    category: str
    record_id: str
    source: str
    """Department that delivered it."""
    month: int
    """yyyymm the record is about; 0 when it states none."""
    received: str
    """ISO 8601, UTC."""
    batch: str = ""
    """Id of the batch it came in, where records are kept by batch."""
    rule: str = ""
    """Of a record left out: a rule of the catalogue, or "disputed"."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where one feature of one enterprise comes from."""

    enclave: EnclaveId
    enterprise: Uscc
    request: str
    """Nonce of the request it answers."""
    issued_at: int
    feature: str
    catalogue: str
    catalogue_digest: str
    snapshot: str
    as_of: str
    status: str
    """value, missing or not_applicable."""
    value: str
    """Shortest decimal text of the value; "" when there is none."""
    cell: int
    current: bool
    """Whether the snapshot has this very cell. False: the records changed since; the next snapshot will follow."""
    rules: tuple[str, ...]
    """Codes of the rules in force that were applied to the records."""
    contributing: int
    """How many records made the value; `records` lists as many as fit."""
    excluded: int
    records: tuple[LineageRecord, ...]
    left_out: tuple[LineageRecord, ...]
    dispute_key: SealingKey
    """To name a record to the enclave, in a statement that a relay carries."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.enclave, "sub": self.enterprise, "jti": self.request, "iat": self.issued_at,
            "feature": self.feature, "catalogue": self.catalogue, "catalogue_digest": self.catalogue_digest,
            "snapshot": self.snapshot, "as_of": self.as_of, "status": self.status, "cell": self.cell,
            "current": self.current, "contributing": self.contributing, "excluded": self.excluded,
            "dispute_key": self.dispute_key.claims(),
        }  # fmt: skip
        lists = {
            "value": self.value,
            "rules": list(self.rules),
            "records": [_listed(record) for record in self.records],
            "left_out": [_listed(record) for record in self.left_out],
        }
        members.update({name: value for name, value in lists.items() if value})
        return key.sign(members, LINEAGE_TYPE, with_chain=True)

    def seal(self, key: SigningKey, reader: SealingKey) -> str:
        """Sign for, and encrypt to, who asked. Raises `DocumentMalformed` when it lists more than fits."""
        return seal_answer(self.sign(key), reader)


def open_lineage(raw: str, key: OpeningKey, anchor: TrustAnchor) -> Lineage:
    """Decrypt, and verify that an enclave of `anchor` signed. Raises `DocumentError`. The caller compares enterprise,
    request and feature with what it asked."""
    return parse_lineage(open_answer(raw, key, LINEAGE_TYPE, anchor))


def parse_lineage(claims: Claims) -> Lineage:
    """Raises `DocumentMalformed`."""
    claims.only(
        "iss", "sub", "jti", "iat", "feature", "catalogue", "catalogue_digest", "snapshot", "as_of", "status", "value",
        "cell", "current", "rules", "contributing", "excluded", "records", "left_out", "dispute_key",
    )  # fmt: skip
    try:
        enclave = parse_enclave_id(claims.text("iss"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    return Lineage(
        enclave=enclave,
        enterprise=enterprise_member(claims),
        request=claims.text("jti", most=64),
        issued_at=claims.instant("iat"),
        feature=claims.text("feature", most=64),
        catalogue=claims.text("catalogue", most=128),
        catalogue_digest=claims.text("catalogue_digest", most=64),
        snapshot=claims.text("snapshot", most=64),
        as_of=claims.text("as_of", most=10),
        status=claims.text("status", most=32),
        value=claims.optional_text("value", most=32) or "",
        cell=claims.integer("cell", 0, 4096),
        current=claims.flag("current"),
        rules=claims.texts("rules", most=64) if "rules" in claims.members else (),
        contributing=claims.integer("contributing", 0, 1 << 40),
        excluded=claims.integer("excluded", 0, 1 << 40),
        records=_records(claims, "records"),
        left_out=_records(claims, "left_out"),
        dispute_key=SealingKey.from_claims(object_member(claims, "dispute_key")),
    )


def _listed(record: LineageRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "category": record.category,
        "record_id": record.record_id,
        "source": record.source,
        "month": record.month,
        "received": record.received,
        "batch": record.batch,
        "rule": record.rule,
    }
    return {name: value for name, value in found.items() if value != ""}


def _records(claims: Claims, name: str) -> tuple[LineageRecord, ...]:
    if name not in claims.members:
        return ()
    return tuple(_record(entry) for entry in claims.objects(name, most=MAX_LISTED))


def _record(entry: Claims) -> LineageRecord:
    entry.only("category", "record_id", "source", "month", "received", "batch", "rule")
    return LineageRecord(
        category=entry.text("category", most=64),
        record_id=entry.optional_text("record_id", most=_TEXT) or "",
        source=entry.optional_text("source", most=_TEXT) or "",
        month=entry.integer("month", 0, 999_912),
        received=entry.optional_text("received", most=32) or "",
        batch=entry.optional_text("batch", most=64) or "",
        rule=entry.optional_text("rule", most=64) or "",
    )
