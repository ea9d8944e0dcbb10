"""Disputed records: how an enterprise names one, and how the department that delivered it decides."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.identifiers import IdentifierError, Uscc, parse_uscc
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey, strict_json

DECISION_TYPE: Final = "dispute-decision+jwt"
MAX_RECORD_ID: Final = 256
_NAME_BYTES: Final = 2_048


@dataclass(frozen=True, slots=True)
class RecordName:
    """One record, all its versions. Whose it is follows from who signed."""

    category: str
    record_id: str

    def seal(self, key: SealingKey) -> str:
        """For the enclave alone. Raises `ValueError` for a name longer than any there is."""
        content = json.dumps({"category": self.category, "record_id": self.record_id}, ensure_ascii=False)
        return key.seal(content.encode(), _NAME_BYTES)


def open_record_name(raw: str, key: OpeningKey) -> RecordName:
    """Raises `DocumentMalformed`."""
    claims = Claims(strict_json(key.open(raw))).only("category", "record_id")
    return RecordName(claims.text("category", most=64), claims.text("record_id", most=MAX_RECORD_ID))


class Outcome(StrEnum):
    UPHELD = "upheld"
    """The enterprise is right: the versions delivered up to the decision stay out, a later one counts again."""
    DISMISSED = "dismissed"
    """The record is right and counts again."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a department decides about a record it delivered. Signed with its certificate."""

    stamp: Stamp
    enterprise: Uscc
    record: RecordName
    outcome: Outcome

    def sign(self, key: SigningKey) -> str:
        members = {
            **self.stamp.claims(),
            "sub": self.enterprise,
            "category": self.record.category,
            "record_id": self.record.record_id,
            "outcome": str(self.outcome),
        }
        return key.sign(members, DECISION_TYPE, with_chain=True)


def parse_decision(claims: Claims) -> Decision:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "category", "record_id", "outcome")
    try:
        enterprise, outcome = parse_uscc(claims.text("sub")), Outcome(claims.text("outcome"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("outcome is upheld or dismissed") from error
    record = RecordName(claims.text("category", most=64), claims.text("record_id", most=MAX_RECORD_ID))
    return Decision(parse_stamp(claims), enterprise, record, outcome)
