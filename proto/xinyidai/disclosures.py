"""Receipts for what an enclave tells a bank besides scores: standing on the white list, and alerts after the loan."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.identifiers import BankId, EnclaveId, Uscc
from xinyidai.parties import bank_of, enclave_of, enterprise_of
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

DISCLOSURE_TYPE: Final = "disclosure+jwt"


class DisclosureKind(StrEnum):
    WHITE_LIST = "white_list"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One charge to the ledger. It says that something was told, and never what."""

    enclave: EnclaveId
    disclosure_id: str
    charged_at: int
    """Seconds since 1970-01-01 UTC."""
    enterprise: Uscc
    bank: BankId
    kind: DisclosureKind
    basis: str
    """Hex digest of the opt-in or authorization it rests on."""
    centibits: int
    snapshot: str
    as_of: str

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.enclave,
            "jti": self.disclosure_id,
            "iat": self.charged_at,
            "sub": self.enterprise,
            "client_id": self.bank,
            "kind": str(self.kind),
            "basis": self.basis,
            "centibits": self.centibits,
            "snapshot": self.snapshot,
            "as_of": self.as_of,
        }
        return key.sign(members, DISCLOSURE_TYPE, with_chain=True)


def parse_disclosure(claims: Claims) -> Disclosure:
    """Raises `DocumentMalformed`. Members a later enclave adds are tolerated: a receipt grants nothing."""
    try:
        kind = DisclosureKind(claims.text("kind", most=32))
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed("kind is white_list or alert") from error
    return Disclosure(
        enclave=enclave_of(claims),
        disclosure_id=claims.text("jti", most=64),
        charged_at=claims.instant("iat"),
        enterprise=enterprise_of(claims),
        bank=bank_of(claims.text("client_id")),
        kind=kind,
        basis=claims.digest("basis"),
        centibits=claims.integer("centibits", 0, 1 << 30),
        snapshot=claims.text("snapshot", most=64),
        as_of=claims.text("as_of", most=10),
    )
