"""What the parts of this package that sign and read documents of their own need of a connected client."""

from dataclasses import dataclass

from xinyidai.identifiers import EnclaveId
from xinyidai.identity import TrustAnchor
from xinyidai.requests import MAX_SKEW_SECONDS, Stamp
from xinyidai.signing import SigningKey

from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import VerificationError
from bank_sdk.keys import KeyStore
from bank_sdk.questions import Asker


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    credentials: BankCredentials
    asker: Asker
    keys: KeyStore
    enclaves: tuple[EnclaveId, ...]
    """Those that are asked, and believed."""

    def stamp(self) -> Stamp:
        return self.asker.stamp(self.enclaves)

    @property
    def signing_key(self) -> SigningKey:
        return self.credentials.signing_key

    @property
    def anchor(self) -> TrustAnchor:
        return self.credentials.enclave_anchor

    def check(self, enclave: str, bank: str, made_at: int) -> None:
        """Raises `VerificationError` for what another enclave made, for another bank, or in the future."""
        if enclave not in self.enclaves:
            raise VerificationError("an enclave that was not asked made this")
        if bank != self.credentials.bank:
            raise VerificationError("this was made for another bank")
        if made_at > self.asker.now() + MAX_SKEW_SECONDS:
            raise VerificationError("this is dated in the future; check this machine's clock")
