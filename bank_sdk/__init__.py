"""Xinyidai for banks: encrypt a scorecard, assess authorized enterprises, verify and decrypt every answer.

What is named in `__all__` is the interface; every module of this package is private.
"""

from xinyidai.alerts.documents import Alert
from xinyidai.alerts.rules import Level
from xinyidai.catalogue import Catalogue, CellKind, builtin_catalogue, load_catalogue, parse_catalogue
from xinyidai.market import DeclineReason, Guarantee, LoanPurpose, OfferTerms, ProductTerms, Repayment
from xinyidai.whitelist.lists import Member, Withdrawal

from bank_sdk.advice import next_step
from bank_sdk.alerts import AlertClient, ReceivedAlert, WatchStatus
from bank_sdk.calibration import calibrate_grades, calibrate_scale
from bank_sdk.client import BankClient
from bank_sdk.comparison import Comparison, Pair, SwapCell, compare
from bank_sdk.consent import AuthorizationEvent, ConsentClient, verify_event
from bank_sdk.credentials import BankCredentials
from bank_sdk.decision import Action, Decision, Grade, Policy
from bank_sdk.errors import (
    AccountRefused,
    AmbiguousCategory,
    AnswerNotFresh,
    AnswerOutOfRange,
    AuthorizationRefused,
    BankSdkError,
    BinGap,
    BinOverlap,
    BinSyntaxError,
    BudgetExhausted,
    CategoriesShareCell,
    CategoryNotInVocabulary,
    CredentialsError,
    EdgeNotOnGrid,
    EventGap,
    FileMalformed,
    ImportRefused,
    InputError,
    KeyStoreError,
    ListExpired,
    ListRolledBack,
    LoanRefused,
    LossyBinLabels,
    MarketRefused,
    MissingPolicyRequired,
    ModelRefused,
    NotAdditive,
    OddsDirectionRequired,
    ParityFailed,
    PlanMismatch,
    PointsInvalid,
    PointsOverflow,
    RequestRefused,
    ScaleRequired,
    ScorecardError,
    ServiceError,
    SpecialValueUnmapped,
    TableInvalid,
    Unavailable,
    UnknownFeature,
    UnknownFormat,
    UnknownPolicyRequired,
    UnsafeFormat,
    UnsupportedElement,
    UnsupportedObjective,
    VerificationError,
)
from bank_sdk.explain import ReasonCode, reasons
from bank_sdk.feedback import Outcome, PeriodReview, read_outcomes, review
from bank_sdk.fit.codes import codes_of
from bank_sdk.fit.parity import ParityReport, parity_report
from bank_sdk.fit.stumps import StumpOptions
from bank_sdk.fit.train import TrainedModel, train_on_codes
from bank_sdk.fit.trees import TrainedTrees, TreeOptions, train_trees
from bank_sdk.fit.woe import ScorecardOptions
from bank_sdk.keys import KeyStore
from bank_sdk.loans import Loan, LoanClient, LoanFiling, LoanScheme
from bank_sdk.market import DemandNotice, LoanProduct, MarketClient, MarketDemand, MarketOffer, MatchReason
from bank_sdk.metrics import Discrimination, discrimination
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.lightgbm import from_lightgbm
from bank_sdk.models.importers.load import load_any
from bank_sdk.models.importers.optbinning import from_optbinning
from bank_sdk.models.importers.pmml import from_pmml
from bank_sdk.models.importers.report import (
    ConversionReport,
    EdgeChange,
    LostBin,
    PointsChange,
    PolicyUse,
    Report,
    TreeReport,
)
from bank_sdk.models.importers.scorecardpy import from_scorecardpy
from bank_sdk.models.importers.sklearn import from_sklearn
from bank_sdk.models.importers.table import from_csv
from bank_sdk.models.importers.toad import from_toad
from bank_sdk.models.importers.tree_imports import TreeImport, load_trees, trees_from_lightgbm, trees_from_xgboost
from bank_sdk.models.importers.xgboost import from_xgboost
from bank_sdk.models.scale import Scale
from bank_sdk.models.scorecard import OverflowProof, Scorecard
from bank_sdk.models.trees import Split, Tree, TreeModel, TreeProof
from bank_sdk.monitoring import Band, Stability, csi, psi
from bank_sdk.portfolio import Journal, PortfolioRow, assess_frame, assess_portfolio
from bank_sdk.results import AssessmentResult, GrantedAuthorization, RegisteredModel, ScoreInterval
from bank_sdk.status_list import StatusList
from bank_sdk.sync import BankClientSync
from bank_sdk.whitelist import WhiteList, WhiteListClient
from bank_sdk.worker import Decline, Handled, OfferDraft, OfferWorker

__all__ = [
    "AccountRefused",
    "Action",
    "Alert",
    "AlertClient",
    "AmbiguousCategory",
    "AnswerNotFresh",
    "AnswerOutOfRange",
    "AssessmentResult",
    "AuthorizationEvent",
    "AuthorizationRefused",
    "Band",
    "BankClient",
    "BankClientSync",
    "BankCredentials",
    "BankSdkError",
    "BinGap",
    "BinOverlap",
    "BinSyntaxError",
    "BudgetExhausted",
    "Catalogue",
    "CategoriesShareCell",
    "CategoryNotInVocabulary",
    "CellKind",
    "Comparison",
    "ConsentClient",
    "ConversionReport",
    "CredentialsError",
    "Decision",
    "Decline",
    "DeclineReason",
    "DemandNotice",
    "Discrimination",
    "EdgeChange",
    "EdgeNotOnGrid",
    "EventGap",
    "FileMalformed",
    "Grade",
    "GrantedAuthorization",
    "Guarantee",
    "Handled",
    "Import",
    "ImportRefused",
    "InputError",
    "Journal",
    "KeyStore",
    "KeyStoreError",
    "Level",
    "ListExpired",
    "ListRolledBack",
    "Loan",
    "LoanClient",
    "LoanFiling",
    "LoanProduct",
    "LoanPurpose",
    "LoanRefused",
    "LoanScheme",
    "LossyBinLabels",
    "LostBin",
    "MarketClient",
    "MarketDemand",
    "MarketOffer",
    "MarketRefused",
    "MatchReason",
    "Member",
    "MissingPolicyRequired",
    "ModelRefused",
    "NotAdditive",
    "OddsDirectionRequired",
    "OfferDraft",
    "OfferTerms",
    "OfferWorker",
    "Outcome",
    "OverflowProof",
    "Pair",
    "ParityFailed",
    "ParityReport",
    "PeriodReview",
    "PlanMismatch",
    "PointsChange",
    "PointsInvalid",
    "PointsOverflow",
    "Policy",
    "PolicyUse",
    "PortfolioRow",
    "ProductTerms",
    "ReasonCode",
    "ReceivedAlert",
    "RegisteredModel",
    "Repayment",
    "Report",
    "RequestRefused",
    "Scale",
    "ScaleRequired",
    "ScoreInterval",
    "Scorecard",
    "ScorecardError",
    "ScorecardOptions",
    "ServiceError",
    "SpecialValueUnmapped",
    "Split",
    "Stability",
    "StatusList",
    "StumpOptions",
    "SwapCell",
    "TableInvalid",
    "TrainedModel",
    "TrainedTrees",
    "Tree",
    "TreeImport",
    "TreeModel",
    "TreeOptions",
    "TreeProof",
    "TreeReport",
    "Unavailable",
    "UnknownFeature",
    "UnknownFormat",
    "UnknownPolicyRequired",
    "UnsafeFormat",
    "UnsupportedElement",
    "UnsupportedObjective",
    "VerificationError",
    "WatchStatus",
    "WhiteList",
    "WhiteListClient",
    "Withdrawal",
    "assess_frame",
    "assess_portfolio",
    "builtin_catalogue",
    "calibrate_grades",
    "calibrate_scale",
    "codes_of",
    "compare",
    "csi",
    "discrimination",
    "from_csv",
    "from_lightgbm",
    "from_optbinning",
    "from_pmml",
    "from_scorecardpy",
    "from_sklearn",
    "from_toad",
    "from_xgboost",
    "load_any",
    "load_catalogue",
    "load_trees",
    "next_step",
    "parity_report",
    "parse_catalogue",
    "psi",
    "read_outcomes",
    "reasons",
    "review",
    "train_on_codes",
    "train_trees",
    "trees_from_lightgbm",
    "trees_from_xgboost",
    "verify_event",
]
