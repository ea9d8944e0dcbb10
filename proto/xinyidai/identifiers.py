"""Identifiers as types: the unified social credit code (USCC) and the ids of banks, enclaves and departments."""

import re
from typing import Final, NewType

BankId = NewType("BankId", str)
EnclaveId = NewType("EnclaveId", str)
DepartmentId = NewType("DepartmentId", str)
BatchId = NewType("BatchId", str)
"""Chosen by the department, unique among its own batches."""
Uscc = NewType("Uscc", str)
"""18 characters; well formed. Whether its check character holds is said by `check_character_holds`."""

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
_USCC: Final = re.compile(rf"[{_ALPHABET}]{{18}}")
_BATCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class IdentifierError(ValueError):
    """The text is no identifier of the kind asked for. The message says the rule and does not repeat the text."""


def uscc_check_character(first17: str) -> str:
    """Check character of GB 32100-2015: C18 = (31 - sum(c_i * 3^(i-1) mod 31)) mod 31."""
    total = sum(_ALPHABET.index(c) * w for c, w in zip(first17, _WEIGHTS, strict=True))
    return _ALPHABET[-total % 31]


def parse_uscc(raw: str) -> Uscc:
    """A well-formed USCC, check character not judged: some genuine legacy codes fail it. Raises `IdentifierError`."""
    if not _USCC.fullmatch(raw):
        raise IdentifierError("a USCC is 18 characters of 0-9 and A-Z without I, O, S, V, Z")
    return Uscc(raw)


def check_character_holds(uscc: Uscc) -> bool:
    """Whether the 18th character is right. False is a warning and a quarantine, never a deletion (GB 32100-2015)."""
    return uscc_check_character(uscc[:17]) == uscc[17]


def parse_bank_id(raw: str) -> BankId:
    """1 to 63 characters of a-z, 0-9, dot and hyphen. Raises `IdentifierError`."""
    return BankId(_parse_name(raw, "bank"))


def parse_enclave_id(raw: str) -> EnclaveId:
    """1 to 63 characters of a-z, 0-9, dot and hyphen. Raises `IdentifierError`."""
    return EnclaveId(_parse_name(raw, "enclave"))


def parse_department_id(raw: str) -> DepartmentId:
    """1 to 63 characters of a-z, 0-9, dot and hyphen. Raises `IdentifierError`."""
    return DepartmentId(_parse_name(raw, "department"))


def parse_batch_id(raw: str) -> BatchId:
    """8 to 64 characters of a-z, A-Z, 0-9, dot, underscore and hyphen. Raises `IdentifierError`."""
    if not _BATCH.fullmatch(raw):
        raise IdentifierError("a batch id is 8 to 64 characters of letters, digits, dot, underscore and hyphen")
    return BatchId(raw)


def _parse_name(raw: str, kind: str) -> str:
    if not _NAME.fullmatch(raw):
        raise IdentifierError(f"a {kind} id is 1 to 63 characters of a-z, 0-9, dot and hyphen")
    return raw
