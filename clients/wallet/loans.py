"""An enterprise's own loans: what its banks reported about them, and its signature that one was paid out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xinyidai.loans import LoanAction, LoanFacts, parse_loan_facts
from xinyidai.signing import Claims, DocumentMalformed

from clients.wallet.platform import Platform, WalletError


@dataclass(frozen=True, slots=True)
class OwnLoan:
    loan_id: str
    bank: str
    state: str
    facts: LoanFacts | None
    """What can be confirmed; None before the loan was paid out."""
    principal_paid_fen: int
    interest_paid_fen: int
    overdue_days: int
    risk_class: str
    confirmed: bool
    reports: tuple[dict[str, Any], ...]
    """What the bank reported, oldest first: kind, day, principal_fen, interest_fen, risk_class."""


class WalletLoans:
    """Made by `Wallet.loans`. Every method raises `WalletError`."""

    def __init__(self, platform: Platform, sign: Callable[..., str]) -> None:
        self._platform = platform
        self._sign = sign

    def list(self) -> list[OwnLoan]:
        """The newest hundred."""
        answer = self._platform.get("/v1/loans", loan=self._sign(LoanAction.READ))
        return [_loan(entry) for entry in answer["loans"]]

    def confirm(self, loan: OwnLoan) -> OwnLoan:
        """Sign that this loan was paid out on these terms: risk is shared on the strength of it."""
        if loan.facts is None:
            raise WalletError("贷款尚未发放 / the loan was not paid out yet")
        return _loan(self._platform.post("/v1/loans", loan=self._sign(LoanAction.CONFIRM, facts=loan.facts)))

    def find(self, beginning: str) -> OwnLoan:
        """The loan whose id begins so. Raises `WalletError` unless exactly one does."""
        found = [entry for entry in self.list() if entry.loan_id.startswith(beginning)]
        if len(found) != 1:
            raise WalletError("没有或有多笔这样的贷款 / none or several loans begin so")
        return found[0]


def _loan(entry: dict[str, Any]) -> OwnLoan:
    names = ("amount_fen", "annual_rate_bp", "months", "repayment", "fee_fen", "disbursed_on")
    members = {"loan": entry["loan_id"], "client_id": entry["bank"], **{name: entry[name] for name in names}}
    try:
        facts = parse_loan_facts(Claims(members)) if entry["disbursed_on"] else None
    except DocumentMalformed as error:
        raise WalletError(f"平台给出的贷款有误 / the platform sent no valid loan: {error}") from error
    return OwnLoan(
        str(entry["loan_id"]),
        str(entry["bank"]),
        str(entry["state"]),
        facts,
        int(entry["principal_paid_fen"]),
        int(entry["interest_paid_fen"]),
        int(entry["overdue_days"]),
        str(entry["risk_class"]),
        bool(entry["confirmed"]),
        tuple(entry["reports"]),
    )
