"""Xinyidai for banks: encrypt a scorecard, assess authorized enterprises, verify and decrypt every answer.

What is named in `__all__` is the interface; every module of this package is private.
"""

from xinyidai.catalogue import Catalogue, CellKind, builtin_catalogue, load_catalogue, parse_catalogue
from xinyidai.market import DeclineReason, Guarantee, LoanPurpose, OfferTerms, ProductTerms, Repayment

from bank_sdk.client import BankClient
from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import (
    AccountRefused,
    AnswerNotFresh,
    AnswerOutOfRange,
    AuthorizationRefused,
    BankSdkError,
    BinGap,
    BinOverlap,
    BudgetExhausted,
    CredentialsError,
    EdgeNotOnGrid,
    ImportRefused,
    InputError,
    KeyStoreError,
    MarketRefused,
    MissingPolicyRequired,
    ModelRefused,
    PointsInvalid,
    PointsOverflow,
    RequestRefused,
    ScorecardError,
    ServiceError,
    TableInvalid,
    Unavailable,
    UnknownFeature,
    VerificationError,
)
from bank_sdk.keys import KeyStore
from bank_sdk.market import DemandNotice, LoanProduct, MarketClient, MarketDemand, MarketOffer, MatchReason
from bank_sdk.models.scorecard import OverflowProof, Scorecard
from bank_sdk.results import AssessmentResult, GrantedAuthorization, RegisteredModel, ScoreInterval
from bank_sdk.sync import BankClientSync
from bank_sdk.worker import Decline, Handled, OfferDraft, OfferWorker

__all__ = [
    "AccountRefused",
    "AnswerNotFresh",
    "AnswerOutOfRange",
    "AssessmentResult",
    "AuthorizationRefused",
    "BankClient",
    "BankClientSync",
    "BankCredentials",
    "BankSdkError",
    "BinGap",
    "BinOverlap",
    "BudgetExhausted",
    "Catalogue",
    "CellKind",
    "CredentialsError",
    "Decline",
    "DeclineReason",
    "DemandNotice",
    "EdgeNotOnGrid",
    "GrantedAuthorization",
    "Guarantee",
    "Handled",
    "ImportRefused",
    "InputError",
    "KeyStore",
    "KeyStoreError",
    "LoanProduct",
    "LoanPurpose",
    "MarketClient",
    "MarketDemand",
    "MarketOffer",
    "MarketRefused",
    "MatchReason",
    "MissingPolicyRequired",
    "ModelRefused",
    "OfferDraft",
    "OfferTerms",
    "OfferWorker",
    "OverflowProof",
    "PointsInvalid",
    "PointsOverflow",
    "ProductTerms",
    "RegisteredModel",
    "Repayment",
    "RequestRefused",
    "ScoreInterval",
    "Scorecard",
    "ScorecardError",
    "ServiceError",
    "TableInvalid",
    "Unavailable",
    "UnknownFeature",
    "VerificationError",
    "builtin_catalogue",
    "load_catalogue",
    "parse_catalogue",
]
