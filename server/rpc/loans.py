"""LoanService over gRPC. Thin: who calls, read, hand to the desk, show."""

from typing import Any, Final

from xinyidai.identifiers import BankId
from xinyidai.loans import parse_day, parse_risk_class
from xinyidai.v1 import loan_pb2, loan_pb2_grpc

from server.admission import Admission
from server.loans.desk import FilingView, LoanDesk, read_filing_states, read_states
from server.loans.models import Loan, ReportKind
from server.loans.service import Report
from server.paging import Position, parse_page
from server.relay.banks import BankRelay
from server.risk.publishing import SchemeView
from server.rpc.calls import Context, for_bank

_MOST: Final = 200


class LoanServicer(loan_pb2_grpc.LoanServiceServicer):
    def __init__(self, relay: BankRelay, desk: LoanDesk, admission: Admission) -> None:
        self.relay = relay
        self.admission = admission
        self._desk = desk

    @for_bank
    async def RegisterLoan(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Loan:
        return _loan(await self._desk.register(bank, request.demand_id, request.amount_fen, request.first_loan))

    @for_bank
    async def ReportDisbursement(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Loan:
        return _loan(await self._desk.report(bank, _report(request, ReportKind.DISBURSEMENT)))

    @for_bank
    async def ReportRepayment(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Loan:
        amounts = {"principal_fen": request.principal_fen, "interest_fen": request.interest_fen}
        return _loan(await self._desk.report(bank, _report(request, ReportKind.REPAYMENT, **amounts)))

    @for_bank
    async def ReportClass(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Loan:
        found = parse_risk_class(request.risk_class)
        return _loan(await self._desk.report(bank, _report(request, ReportKind.CLASS, risk_class=found)))

    @for_bank
    async def CancelLoan(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Loan:
        report = Report(request.loan_id, request.request_id, ReportKind.CANCELLATION, self._desk.today())
        return _loan(await self._desk.report(bank, report))

    @for_bank
    async def ListLoans(self, bank: BankId, request: Any, context: Context) -> loan_pb2.ListLoansResponse:
        page = parse_page(request.page_size, request.page_token, _MOST)
        found, following = await self._desk.loans(bank, read_states(list(request.states)), page)
        return loan_pb2.ListLoansResponse(loans=[_loan(loan) for loan in found], next_page_token=_token(following))

    @for_bank
    async def ListSchemes(self, bank: BankId, request: Any, context: Context) -> loan_pb2.ListSchemesResponse:
        return loan_pb2.ListSchemesResponse(schemes=[_scheme(view) for view in await self._desk.schemes(bank)])

    @for_bank
    async def FileLoan(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Filing:
        return _filing(await self._desk.file(bank, request.loan_id, request.scheme_id))

    @for_bank
    async def ClaimCompensation(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Filing:
        return _filing(await self._desk.claim(bank, request.loan_id))

    @for_bank
    async def ReportRecovery(self, bank: BankId, request: Any, context: Context) -> loan_pb2.Filing:
        report = _report(request, ReportKind.RECOVERY, principal_fen=request.amount_fen)
        return _filing(await self._desk.recover(bank, report))

    @for_bank
    async def ListFilings(self, bank: BankId, request: Any, context: Context) -> loan_pb2.ListFilingsResponse:
        page = parse_page(request.page_size, request.page_token, _MOST)
        found, following = await self._desk.filings(bank, read_filing_states(list(request.states)), page)
        filings = [_filing(view) for view in found]
        return loan_pb2.ListFilingsResponse(filings=filings, next_page_token=_token(following))


def _report(request: Any, kind: ReportKind, **members: Any) -> Report:
    return Report(request.loan_id, request.request_id, kind, parse_day(request.day), **members)


def _token(following: Position | None) -> str:
    return following.token() if following else ""


def _loan(loan: Loan) -> loan_pb2.Loan:
    same = ("loan_id", "demand_id", "enterprise", "state", "amount_fen", "annual_rate_bp", "months", "repayment",
            "fee_fen", "guarantee", "first_loan", "principal_paid_fen", "interest_paid_fen", "overdue_days",
            "risk_class", "registered_at")  # fmt: skip
    return loan_pb2.Loan(
        **{name: getattr(loan, name) for name in same},
        disbursed_on=loan.disbursed_on.isoformat() if loan.disbursed_on else "",
        confirmed_at=loan.confirmed_at or 0,
    )


def _scheme(view: SchemeView) -> loan_pb2.Scheme:
    scheme = view.scheme
    return loan_pb2.Scheme(
        scheme_id=scheme.scheme_id,
        version=scheme.version,
        name_zh=scheme.name_zh,
        name_en=scheme.name_en,
        valid_from=scheme.valid_from.isoformat(),
        valid_until=scheme.valid_until.isoformat(),
        tiers=[loan_pb2.Tier(party=party, share_bp=share) for party, share in scheme.tiers.items()],
        filing_days=scheme.filing_days,
        loan_cap_fen=scheme.caps.loan_fen,
        paused=view.paused,
    )


def _filing(view: FilingView) -> loan_pb2.Filing:
    same = ("loan_id", "scheme_id", "scheme_version", "state", "principal_fen", "claimed_fen", "note", "filed_at")
    return loan_pb2.Filing(
        **{name: getattr(view.filing, name) for name in same},
        shares=[
            loan_pb2.Share(party=s.party, share_fen=s.share_fen, recovered_fen=s.recovered_fen) for s in view.shares
        ],
    )
