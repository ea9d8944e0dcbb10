"""Loans after an offer was accepted, from a bank's side: what it reports, and the sharing of the risk."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from xinyidai.loans import RiskClass
from xinyidai.v1 import loan_pb2, loan_pb2_grpc

from bank_sdk.client import BankClient
from bank_sdk.errors import VerificationError
from bank_sdk.wire import call, checked_request

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Loan:
    """As the service holds it: words of xinyidai.loans, money in fen, times in seconds since 1970-01-01 UTC."""

    loan_id: str
    """That of the offer it grew from."""
    demand_id: str
    enterprise: str
    state: str
    """registered, disbursed, repaying, overdue, bad, settled, cancelled, compensated, recovered or written_off."""
    amount_fen: int
    annual_rate_bp: int
    months: int
    repayment: str
    fee_fen: int
    guarantee: str
    first_loan: bool
    disbursed_on: date | None
    principal_paid_fen: int
    interest_paid_fen: int
    overdue_days: int
    risk_class: str
    """The worse of what this bank reported and what the days overdue demand."""
    registered_at: int
    confirmed_at: int
    """When the enterprise signed that it got this loan; 0 if it did not."""


@dataclass(frozen=True, slots=True)
class LoanScheme:
    """A scheme of risk sharing in force today."""

    scheme_id: str
    version: int
    name_zh: str
    name_en: str
    valid_from: date
    valid_until: date
    tiers: dict[str, int]
    """Party to share in basis points; together 10,000."""
    filing_days: int
    loan_cap_fen: int
    paused: bool


@dataclass(frozen=True, slots=True)
class LoanFiling:
    loan_id: str
    scheme_id: str
    scheme_version: int
    state: str
    """filed, claimed, approved, rejected, paid, released or closed."""
    principal_fen: int
    claimed_fen: int
    shares: dict[str, int]
    """Who bore how much; empty before payment."""
    recovered: dict[str, int]
    note: str
    """Why a claim was rejected."""
    filed_at: int


class LoanClient:
    """Over the connection of a `BankClient`, which stays the caller's to close.

    Every method raises `ServiceError`: `LoanRefused` when the loan or the scheme does not allow it. A report carries a
    request id of the bank's own: the same again changes nothing, so repeat a report whose outcome is unknown with the
    id it had. Without one, a random id is made, which is good for one call.
    """

    def __init__(self, client: BankClient) -> None:
        self._stub: Any = loan_pb2_grpc.LoanServiceStub(client.channel)  # type: ignore[no-untyped-call]
        self._timeout = client.timeout

    async def register(self, demand_id: str, *, amount_fen: int = 0, first_loan: bool = False) -> Loan:
        """The loan of the offer this bank won the demand with, on its terms. `amount_fen` 0: all that was offered."""
        request = partial(
            loan_pb2.RegisterLoanRequest, demand_id=demand_id, amount_fen=amount_fen, first_loan=first_loan
        )
        return _loan(await self._call(self._stub.RegisterLoan, request))

    async def disburse(self, loan_id: str, day: date, *, request_id: str | None = None) -> Loan:
        """Paid out on `day`; the demand is fulfilled."""
        request = partial(loan_pb2.ReportDisbursementRequest, **_head(loan_id, request_id), day=day.isoformat())
        return _loan(await self._call(self._stub.ReportDisbursement, request))

    async def repay(
        self, loan_id: str, day: date, *, principal_fen: int, interest_fen: int, request_id: str | None = None
    ) -> Loan:
        """Money that came in from the enterprise."""
        request = partial(
            loan_pb2.ReportRepaymentRequest,
            **_head(loan_id, request_id),
            day=day.isoformat(),
            principal_fen=principal_fen,
            interest_fen=interest_fen,
        )
        return _loan(await self._call(self._stub.ReportRepayment, request))

    async def classify(self, loan_id: str, day: date, risk_class: RiskClass, *, request_id: str | None = None) -> Loan:
        request = partial(
            loan_pb2.ReportClassRequest,
            **_head(loan_id, request_id),
            day=day.isoformat(),
            risk_class=str(risk_class),
        )
        return _loan(await self._call(self._stub.ReportClass, request))

    async def cancel(self, loan_id: str, *, request_id: str | None = None) -> Loan:
        """A registered loan is not paid out after all; final."""
        request = partial(loan_pb2.CancelLoanRequest, **_head(loan_id, request_id))
        return _loan(await self._call(self._stub.CancelLoan, request))

    async def loans(self, states: Iterable[str] = ()) -> list[Loan]:
        """This bank's own in these states (none given: any), newest first: also what became bad, for its models."""
        make = partial(loan_pb2.ListLoansRequest, states=list(states), page_size=_PAGE)
        return [_loan(entry) for entry in await self._pages(self._stub.ListLoans, make, "loans")]

    async def schemes(self) -> list[LoanScheme]:
        response = await self._call(self._stub.ListSchemes, loan_pb2.ListSchemesRequest)
        return [_scheme(entry) for entry in response.schemes]

    async def file(self, loan_id: str, scheme_id: str) -> LoanFiling:
        """Bring a loan under a scheme, while its time for filing runs; final."""
        request = partial(loan_pb2.FileLoanRequest, loan_id=loan_id, scheme_id=scheme_id)
        return _filing(await self._call(self._stub.FileLoan, request))

    async def claim(self, loan_id: str) -> LoanFiling:
        """Compensation for what is left of the principal, once the scheme's trigger is met."""
        request = partial(loan_pb2.ClaimCompensationRequest, loan_id=loan_id)
        return _filing(await self._call(self._stub.ClaimCompensation, request))

    async def recover(self, loan_id: str, day: date, amount_fen: int, *, request_id: str | None = None) -> LoanFiling:
        """Principal of a compensated loan came in; it is split among those who bore it."""
        request = partial(
            loan_pb2.ReportRecoveryRequest,
            **_head(loan_id, request_id),
            day=day.isoformat(),
            amount_fen=amount_fen,
        )
        return _filing(await self._call(self._stub.ReportRecovery, request))

    async def filings(self, states: Iterable[str] = ()) -> list[LoanFiling]:
        """This bank's own in these states (none given: any), newest first."""
        make = partial(loan_pb2.ListFilingsRequest, states=list(states), page_size=_PAGE)
        return [_filing(entry) for entry in await self._pages(self._stub.ListFilings, make, "filings")]

    async def _pages(self, method: Any, make_request: Callable[..., Any], name: str) -> list[Any]:
        found: list[Any] = []
        token = ""
        while True:
            response = await self._call(method, partial(make_request, page_token=token))
            found += getattr(response, name)
            if not (token := response.next_page_token):
                return found

    async def _call(self, method: Any, make_request: Callable[[], Any]) -> Any:
        """Every method is safe to repeat."""
        return await call(method, checked_request(make_request), self._timeout, repeatable=True)


def _head(loan_id: str, request_id: str | None) -> dict[str, str]:
    return {"loan_id": loan_id, "request_id": request_id or secrets.token_hex(16)}


def _day(raw: str) -> date:
    try:
        return date.fromisoformat(raw)
    except ValueError as error:
        raise VerificationError("the service sent something else than a day") from error


def _loan(entry: loan_pb2.Loan) -> Loan:
    plain = {name: getattr(entry, name) for name in Loan.__dataclass_fields__ if name != "disbursed_on"}
    return Loan(**plain, disbursed_on=_day(entry.disbursed_on) if entry.disbursed_on else None)


def _scheme(entry: loan_pb2.Scheme) -> LoanScheme:
    same = ("scheme_id", "version", "name_zh", "name_en", "filing_days", "loan_cap_fen", "paused")
    return LoanScheme(
        **{name: getattr(entry, name) for name in same},
        valid_from=_day(entry.valid_from),
        valid_until=_day(entry.valid_until),
        tiers={tier.party: tier.share_bp for tier in entry.tiers},
    )


def _filing(entry: loan_pb2.Filing) -> LoanFiling:
    same = ("loan_id", "scheme_id", "scheme_version", "state", "principal_fen", "claimed_fen", "note", "filed_at")
    return LoanFiling(
        **{name: getattr(entry, name) for name in same},
        shares={share.party: share.share_fen for share in entry.shares},
        recovered={share.party: share.recovered_fen for share in entry.shares},
    )
