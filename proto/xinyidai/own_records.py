"""What the city holds about an enterprise, for the enterprise itself: its question, and the enclave's sealed answer.

The question is signed and names a fresh key; the answer is signed by the enclave and encrypted to that key. A relay
learns that an enterprise looked, and at which category, and nothing of the answer, not even its length.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from xinyidai.answers import enterprise_member, object_member, open_answer, own_enterprise, seal_answer
from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.identifiers import EnclaveId, IdentifierError, Uscc, parse_enclave_id
from xinyidai.identity import TrustAnchor
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

OWN_RECORDS_REQUEST_TYPE: Final = "own-records-request+jwt"
OWN_RECORDS_TYPE: Final = "own-records+jwt"
MAX_PAGE: Final = 20
"""Records in one answer, at most; fewer where their content is long."""
MAX_RECORDS: Final = 1 << 40
MAX_VALUE: Final = 200
"""Characters of one field; longer ones are cut."""
_MAX_FIELDS: Final = 64
_TEXT: Final = 256
_UNSAYABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False)
class OwnRecordsRequest:
    """Proof that the holder of the enterprise's key asks what is held about the enterprise, now."""

    stamp: Stamp
    enterprise: Uscc
    category: str
    """Whose records to list; "": none, only what each category holds."""
    offset: int
    """How many of the newest records to pass over."""
    reader: SealingKey
    """Of a key made for this request."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {"sub": self.enterprise, "offset": self.offset, "reader": self.reader.claims()}
        if self.category:
            members["category"] = self.category
        return key.sign({**self.stamp.claims(), **members}, OWN_RECORDS_REQUEST_TYPE)


def parse_own_records_request(claims: Claims) -> OwnRecordsRequest:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "category", "offset", "reader")
    return OwnRecordsRequest(
        stamp=parse_stamp(claims),
        enterprise=own_enterprise(claims),
        category=claims.optional_text("category", most=64) or "",
        offset=claims.integer("offset", 0, MAX_RECORDS),
        reader=SealingKey.from_claims(object_member(claims, "reader")),
    )


@dataclass(frozen=True, slots=True)
class Holding:
    """What one category holds about the enterprise, of what the snapshot was made of."""

    category: str
    records: int
    left_out: int
    """Of these, not used: repaired, past their publicity, or in dispute."""
    latest_month: int
    """yyyymm of the newest record that states one; 0: none does."""
    last_received: str
    """ISO 8601, UTC; "" without records."""


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """One record in its newest version, with its content."""

    record_id: str
    source: str
    """Department that delivered it."""
    month: int
    """yyyymm the record is about; 0 when it states none."""
    received: str
    """ISO 8601, UTC."""
    rule: str
    """Why it is left out: a rule of the catalogue, or "disputed"; "" when it is used."""
    fields: tuple[tuple[str, str], ...]
    """(name in the catalogue, value as text), without empty ones."""


@dataclass(frozen=True, slots=True)
class OwnRecords:
    enclave: EnclaveId
    enterprise: Uscc
    request: str
    """Nonce of the request it answers."""
    issued_at: int
    catalogue: str
    snapshot: str
    as_of: str
    """Month end; records that came later are not shown yet."""
    holdings: tuple[Holding, ...]
    """Of every category, in catalogue order."""
    category: str
    offset: int
    records: tuple[OwnRecord, ...]
    """Newest first, from `offset`; as many as fit."""
    more: bool
    dispute_key: SealingKey
    """To name a record to the enclave, in a statement that a relay carries."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.enclave,
            "sub": self.enterprise,
            "jti": self.request,
            "iat": self.issued_at,
            "catalogue": self.catalogue,
            "snapshot": self.snapshot,
            "as_of": self.as_of,
            "holdings": [_held(holding) for holding in self.holdings],
            "offset": self.offset,
            "more": self.more,
            "dispute_key": self.dispute_key.claims(),
        }
        if self.category:
            members["category"] = self.category
        if self.records:
            members["records"] = [record_claims(record) for record in self.records]
        return key.sign(members, OWN_RECORDS_TYPE, with_chain=True)

    def seal(self, key: SigningKey, reader: SealingKey) -> str:
        """Sign for, and encrypt to, who asked. Raises `DocumentMalformed` when it lists more than fits."""
        return seal_answer(self.sign(key), reader)


def open_own_records(raw: str, key: OpeningKey, anchor: TrustAnchor) -> OwnRecords:
    """Decrypt, and verify that an enclave of `anchor` signed. Raises `DocumentError`. The caller compares enterprise,
    request, category and offset with what it asked."""
    return parse_own_records(open_answer(raw, key, OWN_RECORDS_TYPE, anchor))


def parse_own_records(claims: Claims) -> OwnRecords:
    """Raises `DocumentMalformed`."""
    claims.only(
        "iss", "sub", "jti", "iat", "catalogue", "snapshot", "as_of", "holdings", "category", "offset", "records",
        "more", "dispute_key",
    )  # fmt: skip
    try:
        enclave = parse_enclave_id(claims.text("iss"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    listed = claims.objects("records", most=MAX_PAGE) if "records" in claims.members else ()
    return OwnRecords(
        enclave=enclave,
        enterprise=enterprise_member(claims),
        request=claims.text("jti", most=64),
        issued_at=claims.instant("iat"),
        catalogue=claims.text("catalogue", most=128),
        snapshot=claims.text("snapshot", most=64),
        as_of=claims.text("as_of", most=10),
        holdings=tuple(_holding(entry) for entry in claims.objects("holdings", most=256)),
        category=claims.optional_text("category", most=64) or "",
        offset=claims.integer("offset", 0, MAX_RECORDS),
        records=tuple(_record(entry) for entry in listed),
        more=claims.flag("more"),
        dispute_key=SealingKey.from_claims(object_member(claims, "dispute_key")),
    )


def shown(value: str, most: int = MAX_VALUE) -> str:
    """A value as a document may carry it: cut, and without characters that no text of ours has."""
    return _UNSAYABLE.sub("\N{REPLACEMENT CHARACTER}", value)[:most]


def record_claims(record: OwnRecord) -> dict[str, Any]:
    """As it stands in the answer, so that its size can be told before."""
    texts = {"source": record.source, "received": record.received, "rule": record.rule}
    return {
        "record_id": record.record_id,
        "month": record.month,
        "fields": dict(record.fields),
        **{name: value for name, value in texts.items() if value},
    }


def _held(holding: Holding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "category": holding.category,
        "records": holding.records,
        "left_out": holding.left_out,
        "latest_month": holding.latest_month,
    }
    return found | ({"last_received": holding.last_received} if holding.last_received else {})


def _holding(entry: Claims) -> Holding:
    entry.only("category", "records", "left_out", "latest_month", "last_received")
    return Holding(
        category=entry.text("category", most=64),
        records=entry.integer("records", 0, MAX_RECORDS),
        left_out=entry.integer("left_out", 0, MAX_RECORDS),
        latest_month=entry.integer("latest_month", 0, 999_912),
        last_received=entry.optional_text("last_received", most=32) or "",
    )


def _record(entry: Claims) -> OwnRecord:
    entry.only("record_id", "source", "month", "received", "rule", "fields")
    fields = object_member(entry, "fields")
    if len(fields.members) > _MAX_FIELDS:
        raise DocumentMalformed(f"a record has at most {_MAX_FIELDS} fields")
    return OwnRecord(
        record_id=entry.text("record_id", most=_TEXT),
        source=entry.optional_text("source", most=_TEXT) or "",
        month=entry.integer("month", 0, 999_912),
        received=entry.optional_text("received", most=32) or "",
        rule=entry.optional_text("rule", most=64) or "",
        fields=tuple((name, fields.text(name, most=MAX_VALUE)) for name in fields.members),
    )
