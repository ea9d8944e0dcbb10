from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterLoanRequest(_message.Message):
    __slots__ = ("demand_id", "amount_fen", "first_loan")
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    FIRST_LOAN_FIELD_NUMBER: _ClassVar[int]
    demand_id: str
    amount_fen: int
    first_loan: bool
    def __init__(self, demand_id: _Optional[str] = ..., amount_fen: _Optional[int] = ..., first_loan: bool = ...) -> None: ...

class Loan(_message.Message):
    __slots__ = ("loan_id", "demand_id", "enterprise", "state", "amount_fen", "annual_rate_bp", "months", "repayment", "fee_fen", "guarantee", "first_loan", "disbursed_on", "principal_paid_fen", "interest_paid_fen", "overdue_days", "risk_class", "registered_at", "confirmed_at")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    ANNUAL_RATE_BP_FIELD_NUMBER: _ClassVar[int]
    MONTHS_FIELD_NUMBER: _ClassVar[int]
    REPAYMENT_FIELD_NUMBER: _ClassVar[int]
    FEE_FEN_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    FIRST_LOAN_FIELD_NUMBER: _ClassVar[int]
    DISBURSED_ON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_PAID_FEN_FIELD_NUMBER: _ClassVar[int]
    INTEREST_PAID_FEN_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_DAYS_FIELD_NUMBER: _ClassVar[int]
    RISK_CLASS_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_AT_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    demand_id: str
    enterprise: str
    state: str
    amount_fen: int
    annual_rate_bp: int
    months: int
    repayment: str
    fee_fen: int
    guarantee: str
    first_loan: bool
    disbursed_on: str
    principal_paid_fen: int
    interest_paid_fen: int
    overdue_days: int
    risk_class: str
    registered_at: int
    confirmed_at: int
    def __init__(self, loan_id: _Optional[str] = ..., demand_id: _Optional[str] = ..., enterprise: _Optional[str] = ..., state: _Optional[str] = ..., amount_fen: _Optional[int] = ..., annual_rate_bp: _Optional[int] = ..., months: _Optional[int] = ..., repayment: _Optional[str] = ..., fee_fen: _Optional[int] = ..., guarantee: _Optional[str] = ..., first_loan: bool = ..., disbursed_on: _Optional[str] = ..., principal_paid_fen: _Optional[int] = ..., interest_paid_fen: _Optional[int] = ..., overdue_days: _Optional[int] = ..., risk_class: _Optional[str] = ..., registered_at: _Optional[int] = ..., confirmed_at: _Optional[int] = ...) -> None: ...

class ReportDisbursementRequest(_message.Message):
    __slots__ = ("loan_id", "request_id", "day")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    request_id: str
    day: str
    def __init__(self, loan_id: _Optional[str] = ..., request_id: _Optional[str] = ..., day: _Optional[str] = ...) -> None: ...

class ReportRepaymentRequest(_message.Message):
    __slots__ = ("loan_id", "request_id", "day", "principal_fen", "interest_fen")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FEN_FIELD_NUMBER: _ClassVar[int]
    INTEREST_FEN_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    request_id: str
    day: str
    principal_fen: int
    interest_fen: int
    def __init__(self, loan_id: _Optional[str] = ..., request_id: _Optional[str] = ..., day: _Optional[str] = ..., principal_fen: _Optional[int] = ..., interest_fen: _Optional[int] = ...) -> None: ...

class ReportClassRequest(_message.Message):
    __slots__ = ("loan_id", "request_id", "day", "risk_class")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    RISK_CLASS_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    request_id: str
    day: str
    risk_class: str
    def __init__(self, loan_id: _Optional[str] = ..., request_id: _Optional[str] = ..., day: _Optional[str] = ..., risk_class: _Optional[str] = ...) -> None: ...

class CancelLoanRequest(_message.Message):
    __slots__ = ("loan_id", "request_id")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    request_id: str
    def __init__(self, loan_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListLoansRequest(_message.Message):
    __slots__ = ("states", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListLoansResponse(_message.Message):
    __slots__ = ("loans", "next_page_token")
    LOANS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    loans: _containers.RepeatedCompositeFieldContainer[Loan]
    next_page_token: str
    def __init__(self, loans: _Optional[_Iterable[_Union[Loan, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ("party", "share_bp")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    SHARE_BP_FIELD_NUMBER: _ClassVar[int]
    party: str
    share_bp: int
    def __init__(self, party: _Optional[str] = ..., share_bp: _Optional[int] = ...) -> None: ...

class Scheme(_message.Message):
    __slots__ = ("scheme_id", "version", "name_zh", "name_en", "valid_from", "valid_until", "tiers", "filing_days", "loan_cap_fen", "paused")
    SCHEME_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_ZH_FIELD_NUMBER: _ClassVar[int]
    NAME_EN_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    FILING_DAYS_FIELD_NUMBER: _ClassVar[int]
    LOAN_CAP_FEN_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    scheme_id: str
    version: int
    name_zh: str
    name_en: str
    valid_from: str
    valid_until: str
    tiers: _containers.RepeatedCompositeFieldContainer[Tier]
    filing_days: int
    loan_cap_fen: int
    paused: bool
    def __init__(self, scheme_id: _Optional[str] = ..., version: _Optional[int] = ..., name_zh: _Optional[str] = ..., name_en: _Optional[str] = ..., valid_from: _Optional[str] = ..., valid_until: _Optional[str] = ..., tiers: _Optional[_Iterable[_Union[Tier, _Mapping]]] = ..., filing_days: _Optional[int] = ..., loan_cap_fen: _Optional[int] = ..., paused: bool = ...) -> None: ...

class ListSchemesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSchemesResponse(_message.Message):
    __slots__ = ("schemes",)
    SCHEMES_FIELD_NUMBER: _ClassVar[int]
    schemes: _containers.RepeatedCompositeFieldContainer[Scheme]
    def __init__(self, schemes: _Optional[_Iterable[_Union[Scheme, _Mapping]]] = ...) -> None: ...

class FileLoanRequest(_message.Message):
    __slots__ = ("loan_id", "scheme_id")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEME_ID_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    scheme_id: str
    def __init__(self, loan_id: _Optional[str] = ..., scheme_id: _Optional[str] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("party", "share_fen", "recovered_fen")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    SHARE_FEN_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FEN_FIELD_NUMBER: _ClassVar[int]
    party: str
    share_fen: int
    recovered_fen: int
    def __init__(self, party: _Optional[str] = ..., share_fen: _Optional[int] = ..., recovered_fen: _Optional[int] = ...) -> None: ...

class Filing(_message.Message):
    __slots__ = ("loan_id", "scheme_id", "scheme_version", "state", "principal_fen", "claimed_fen", "shares", "note", "filed_at")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEME_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEME_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FEN_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FEN_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    FILED_AT_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    scheme_id: str
    scheme_version: int
    state: str
    principal_fen: int
    claimed_fen: int
    shares: _containers.RepeatedCompositeFieldContainer[Share]
    note: str
    filed_at: int
    def __init__(self, loan_id: _Optional[str] = ..., scheme_id: _Optional[str] = ..., scheme_version: _Optional[int] = ..., state: _Optional[str] = ..., principal_fen: _Optional[int] = ..., claimed_fen: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., note: _Optional[str] = ..., filed_at: _Optional[int] = ...) -> None: ...

class ClaimCompensationRequest(_message.Message):
    __slots__ = ("loan_id",)
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    def __init__(self, loan_id: _Optional[str] = ...) -> None: ...

class ReportRecoveryRequest(_message.Message):
    __slots__ = ("loan_id", "request_id", "day", "amount_fen")
    LOAN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    loan_id: str
    request_id: str
    day: str
    amount_fen: int
    def __init__(self, loan_id: _Optional[str] = ..., request_id: _Optional[str] = ..., day: _Optional[str] = ..., amount_fen: _Optional[int] = ...) -> None: ...

class ListFilingsRequest(_message.Message):
    __slots__ = ("states", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFilingsResponse(_message.Message):
    __slots__ = ("filings", "next_page_token")
    FILINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filings: _containers.RepeatedCompositeFieldContainer[Filing]
    next_page_token: str
    def __init__(self, filings: _Optional[_Iterable[_Union[Filing, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
