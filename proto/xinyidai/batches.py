"""What a department signs and what it is told: the header of a batch of records, and why a row was set aside.

A batch is one category's rows in one file, Parquet or an Arrow IPC stream. Its columns are the catalogue's, each in the
type of `wire_type` or as text (what a file of text holds; the data domain reads it); beside them stands `_line`, int64,
the row's place in the department's own file, and there may be `_fault`, text, naming a `RowFault` for a line that could
not be taken apart. A header has no nonce: sending it again changes nothing, because a batch id is counted once.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.identifiers import (
    BatchId,
    DepartmentId,
    EnclaveId,
    IdentifierError,
    parse_batch_id,
    parse_department_id,
    parse_enclave_id,
)
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

BATCH_TYPE: Final = "batch+jwt"
MAX_BATCH_BYTES: Final = 256 * 1024 * 1024
MAX_BATCH_ROWS: Final = 4_000_000
CHUNK_BYTES: Final = 1024 * 1024
"""Most that one message of an upload carries."""
MAX_TEXT_CHARACTERS: Final = 4096
"""Longest text a field of a record may hold."""
LINE_COLUMN: Final = "_line"
FAULT_COLUMN: Final = "_fault"
_HEX_DIGEST: Final = 64


class BatchFormat(StrEnum):
    PARQUET = "parquet"
    ARROW = "arrow"
    """An Arrow IPC stream."""


class RowFault(StrEnum):
    """Why a row is in quarantine. Add only; never rename or reuse."""

    ENCODING = "encoding"
    """Bytes that are no text of the declared encoding, or a replacement character left by a careless conversion."""
    COLUMN_COUNT = "column_count"
    TOO_LONG = "too_long"
    CONTROL_CHARACTER = "control_character"
    FORMULA = "formula"
    """A text a spreadsheet would run: it begins with =, +, -, @, a tab or a carriage return."""
    MISSING = "missing"
    TYPE = "type"
    """Text where a number, a truth value or a date belongs."""
    NOT_IN_LIST = "not_in_list"
    DATE_IMPOSSIBLE = "date_impossible"
    DATE_FUTURE = "date_future"
    DATE_ORDER = "date_order"
    MONTH_INVALID = "month_invalid"
    MONTH_FUTURE = "month_future"
    NUMBER_RANGE = "number_range"
    """Not finite, or 1e12 or more."""
    NEGATIVE = "negative"
    IMPLAUSIBLE = "implausible"
    """Outside what the field's unit allows: most likely another unit."""
    UNIT_RATIO = "unit_ratio"
    """Two fields contradict each other by orders of magnitude, such as a price of 7 000 yuan a kWh."""
    IDENTITY_MALFORMED = "identity_malformed"
    IDENTITY_CHECK = "identity_check"
    """Well formed, and the check character is wrong."""
    CONFLICT = "conflict"
    """Another row of the batch has the same record id and time and says something else."""


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """Who delivers what, to whom. It binds every byte of the content by its digest."""

    department: DepartmentId
    audience: tuple[EnclaveId, ...]
    issued_at: int
    category: str
    batch: BatchId
    catalogue_digest: str
    format: BatchFormat
    rows: int
    size: int
    """Bytes of the content."""
    digest: str
    """Hex SHA-256 of the content."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.department,
            "aud": list(self.audience),
            "iat": self.issued_at,
            "category": self.category,
            "batch": self.batch,
            "catalogue_digest": self.catalogue_digest,
            "format": str(self.format),
            "rows": self.rows,
            "size": self.size,
            "digest": self.digest,
        }
        return key.sign(members, BATCH_TYPE, with_chain=True)


def parse_batch_header(claims: Claims) -> BatchHeader:
    """Raises `DocumentMalformed`."""
    claims.only("iss", "aud", "iat", "category", "batch", "catalogue_digest", "format", "rows", "size", "digest")
    try:
        header = BatchHeader(
            department=parse_department_id(claims.text("iss")),
            audience=tuple(parse_enclave_id(name) for name in claims.texts("aud", most=8)),
            issued_at=claims.instant("iat"),
            category=claims.text("category", most=64),
            batch=parse_batch_id(claims.text("batch", most=64)),
            catalogue_digest=claims.text("catalogue_digest", most=_HEX_DIGEST),
            format=BatchFormat(claims.text("format")),
            rows=claims.integer("rows", 0, MAX_BATCH_ROWS),
            size=claims.integer("size", 1, MAX_BATCH_BYTES),
            digest=claims.text("digest", most=_HEX_DIGEST),
        )
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("format is parquet or arrow") from error
    return header
