"""Everything the SDK raises.

BankSdkError
 ├─ InputError                    what the caller gave cannot be used; nothing was sent
 │   ├─ CredentialsError          certificate, key or authority files
 │   └─ ScorecardError            a scorecard cannot be taken over exactly
 │       ├─ TableInvalid          a row cannot be read: columns, labels, numbers
 │       ├─ UnknownFeature        the catalogue has no such feature
 │       ├─ PointsInvalid         points are not whole numbers
 │       ├─ EdgeNotOnGrid         a bin edge is not on the feature's public grid
 │       ├─ BinGap                values without a bin
 │       ├─ BinOverlap            values in two bins, or a cell given twice
 │       ├─ MissingPolicyRequired points for a missing, not-applicable or not-authorized cell were not given
 │       ├─ ImportRefused         a file or fitted object holds something a points table cannot express
 │       │   ├─ UnknownFormat     a file is none of the formats that are read
 │       │   ├─ UnsafeFormat      reading the file would run code in it: pickle, joblib, archives
 │       │   ├─ FileMalformed     a file breaks its format, or is larger or deeper than any model
 │       │   ├─ UnsupportedElement an element of the format that has no exact counterpart here
 │       │   ├─ UnsupportedObjective the output of the model is no log-odds
 │       │   ├─ NotAdditive       a tree asks about more than one feature
 │       │   ├─ BinSyntaxError    a label of a bin cannot be read
 │       │   ├─ LossyBinLabels    labels were rounded: cut points are lost
 │       │   ├─ AmbiguousCategory a label can be split into categories in more than one way
 │       │   ├─ CategoryNotInVocabulary a category has no number in the catalogue
 │       │   ├─ CategoriesShareCell categories with different points lie in one cell
 │       │   ├─ UnknownPolicyRequired points for values the model never saw were not given
 │       │   ├─ SpecialValueUnmapped a special value with a bin of its own was not declared
 │       │   ├─ ScaleRequired     the file does not say how its numbers become points or probabilities
 │       │   ├─ OddsDirectionRequired which class a model predicts was not said
 │       │   ├─ ParityFailed      the imported model and the library's own scores differ
 │       │   └─ PlanMismatch      a plan was made for another import
 │       └─ PointsOverflow        the largest possible score does not fit the parameter set
 ├─ KeyStoreError                 wrong passphrase, damaged or unprotected files, no key for a model
 ├─ ServiceError                  the other side refused or failed; `reason` says why
 │   ├─ AuthorizationRefused      no authorization covers this
 │   ├─ BudgetExhausted           the enterprise's budget or the authorization's number of uses is spent
 │   ├─ AccountRefused            certificate, signature or registration of the bank
 │   ├─ ModelRefused              the model or its catalogue
 │   ├─ RequestRefused            the request itself
 │   ├─ MarketRefused             the market: a demand, product or offer is not in a state that allows it
 │   ├─ LoanRefused               a loan, or a scheme that shares its risk, does not allow it (any more)
 │   └─ Unavailable               try again later; `retry_after` in seconds, if the service said so
 └─ VerificationError             an answer or a receipt does not check; nothing was decrypted, or the result is void
     ├─ AnswerNotFresh            a fresh assessment was asked for and an earlier one came back
     ├─ AnswerOutOfRange          the decrypted number is no score of this model
     ├─ EventGap                  the service left out an event
     ├─ ListExpired               a white list past its time came; nobody on it may be turned to because of it
     └─ ListRolledBack            an older white list came than was seen before
"""

from types import MappingProxyType
from typing import Final

from xinyidai.reasons import Reason


class BankSdkError(Exception):
    """Root of all errors of this package."""


class InputError(BankSdkError, ValueError):
    pass


class CredentialsError(InputError):
    pass


class ScorecardError(InputError):
    """`place`: where in the file or object; `mend`: what to do about it. Empty where the message says it all."""

    def __init__(self, message: str, *, place: str = "", mend: str = "") -> None:
        super().__init__((f"{place}: " if place else "") + message + (f"; {mend}" if mend else ""))
        self.place = place
        self.mend = mend


class TableInvalid(ScorecardError):
    pass


class UnknownFeature(ScorecardError):
    def __init__(
        self, feature: str, message: str = "the catalogue has no such feature; map it to a code it has"
    ) -> None:
        super().__init__(f"{feature}: {message}")
        self.feature = feature


class PointsInvalid(ScorecardError):
    pass


class EdgeNotOnGrid(ScorecardError):
    """`below` and `above` are the nearest edges that would do; None at an end of the grid.

    `rows_affected`: rows of the given sample between the edge and the nearer of them; None without a sample.
    """

    def __init__(
        self,
        feature: str,
        edge: float,
        below: float | None,
        above: float | None,
        rows_affected: int | None = None,
        *,
        place: str = "",
        mend: str = "",
    ) -> None:
        near = " or ".join(f"{value:.17g}" for value in (below, above) if value is not None)
        rows = "" if rows_affected is None else f"; moving it to the nearer affects {rows_affected} rows of the sample"
        message = f"{feature}: edge {edge:.17g} is not on the public grid; the nearest are {near}{rows}"
        super().__init__(message, place=place, mend=mend)
        self.feature = feature
        self.edge = edge
        self.below = below
        self.above = above
        self.rows_affected = rows_affected


class BinGap(ScorecardError):
    pass


class BinOverlap(ScorecardError):
    pass


class MissingPolicyRequired(ScorecardError):
    def __init__(self, feature: str, cell: str, mend: str = "") -> None:
        wanted = mend or f"give the {cell} cell a row, or its points to the argument {cell}="
        super().__init__(f"{feature}: {wanted}")
        self.feature = feature
        self.cell = cell


class ImportRefused(ScorecardError):
    pass


class UnknownFormat(ImportRefused):
    pass


class UnsafeFormat(ImportRefused):
    pass


class FileMalformed(ImportRefused):
    pass


class UnsupportedElement(ImportRefused):
    pass


class UnsupportedObjective(ImportRefused):
    pass


class NotAdditive(ImportRefused):
    """`depth`: of the deepest tree; `feature_sets`: the first few sets of features a single tree asks about."""

    def __init__(self, depth: int, feature_sets: tuple[tuple[str, ...], ...], *, place: str = "") -> None:
        sets = ", ".join("{" + ", ".join(names) + "}" for names in feature_sets)
        super().__init__(
            f"trees of depth {depth} ask about several features at once ({sets}); points cannot express that",
            place=place,
            mend="train with depth 1, refit on the catalogue's cells with train_on_codes, or take it over as trees, "
            "which are assessed under encryption too: load_trees",
        )
        self.depth = depth
        self.feature_sets = feature_sets


class BinSyntaxError(ImportRefused):
    pass


class LossyBinLabels(ImportRefused):
    pass


class AmbiguousCategory(ImportRefused):
    pass


class CategoryNotInVocabulary(ImportRefused):
    pass


class CategoriesShareCell(ImportRefused):
    pass


class UnknownPolicyRequired(ImportRefused):
    pass


class SpecialValueUnmapped(ImportRefused):
    pass


class ScaleRequired(ImportRefused):
    pass


class OddsDirectionRequired(ImportRefused):
    pass


class ParityFailed(ImportRefused):
    """`largest`: the largest difference found."""

    def __init__(self, largest: float, *, place: str = "", mend: str = "") -> None:
        message = f"the imported model and the source's own scores differ by {largest:.6g}"
        super().__init__(message, place=place, mend=mend)
        self.largest = largest


class PlanMismatch(ImportRefused):
    pass


class PointsOverflow(ScorecardError):
    """`largest`: the largest total after the offsets; `limit`: the largest that fits; `lost`: precision, both sides."""

    def __init__(self, largest: int, limit: int, lost: int = 0) -> None:
        precision = f", of which {lost} are needed for the asked precision" if lost else ""
        super().__init__(
            f"scores span 0..{largest} after the offsets and the parameter set carries 0..{limit}{precision}; "
            "scale the points down, for example with a smaller PDO, or ask for a finer precision"
        )
        self.largest = largest
        self.limit = limit


class KeyStoreError(BankSdkError):
    pass


class ServiceError(BankSdkError):
    """The other side's word: `reason` is None when it sent none; `code` is the name of the gRPC status."""

    def __init__(self, message: str, reason: Reason | None = None, code: str = "") -> None:
        super().__init__(f"{reason or code or 'UNKNOWN'}: {message}")
        self.reason = reason
        self.code = code


class AuthorizationRefused(ServiceError):
    pass


class BudgetExhausted(ServiceError):
    pass


class AccountRefused(ServiceError):
    pass


class ModelRefused(ServiceError):
    pass


class RequestRefused(ServiceError):
    pass


class MarketRefused(ServiceError):
    pass


class LoanRefused(ServiceError):
    pass


class Unavailable(ServiceError):
    retry_after: float | None = None


class VerificationError(BankSdkError):
    pass


class AnswerNotFresh(VerificationError):
    pass


class AnswerOutOfRange(VerificationError):
    pass


class EventGap(VerificationError):
    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the service left out event {expected} and sent {found}; list the events from there again")
        self.expected, self.found = expected, found


class ListExpired(VerificationError):
    pass


class ListRolledBack(VerificationError):
    pass


_GROUPS: Final[dict[type[ServiceError], str]] = {
    AuthorizationRefused: (
        "AUTHORIZATION_UNKNOWN AUTHORIZATION_EXISTS AUTHORIZATION_REVOKED AUTHORIZATION_PAUSED AUTHORIZATION_EXPIRED "
        "AUTHORIZATION_NOT_YET_VALID AUTHORIZATION_SCOPE PURPOSE_LIMIT STATEMENT_SUPERSEDED NOTICE_MISMATCH "
        "CATEGORY_UNKNOWN AUTHORIZATION_WIDER PROPOSAL_UNKNOWN PROPOSAL_STATE PROPOSAL_LIMIT"
    ),
    BudgetExhausted: "AUTHORIZATION_USED_UP BUDGET_BANK_EXHAUSTED BUDGET_TOTAL_EXHAUSTED",
    AccountRefused: (
        "SIGNATURE_INVALID CERTIFICATE_INVALID BANK_NOT_REGISTERED KEY_NOT_REGISTERED KEY_ALREADY_PINNED "
        "SIGN_IN_FAILED SESSION_REQUIRED FORBIDDEN"
    ),
    ModelRefused: (
        "MODEL_UNKNOWN MODEL_LIMIT CATALOGUE_UNKNOWN PARAMETER_SET_UNKNOWN SEED_DEGENERATE SEED_REUSED "
        "CIPHERTEXT_REFUSED FRAME_MALFORMED FRAME_VERSION FRAME_KIND FRAME_LENGTH FRAME_RESIDUE"
    ),
    RequestRefused: (
        "CATEGORY_FORBIDDEN CATEGORY_DESTROYED DEPARTMENT_NOT_REGISTERED BATCH_UNKNOWN BATCH_CONFLICT BATCH_INCOMPLETE "
        "BATCH_CONTENT OFFSET_MISMATCH FEATURE_UNKNOWN LINEAGE_UNAVAILABLE DISPUTE_UNKNOWN DISPUTE_LIMIT "
        "EVENT_UNKNOWN DELEGATION_POWER DELEGATION_ENDED DELEGATION_LIMIT ENTRY_UNKNOWN ENTRY_PENDING "
        "DOCUMENT_MALFORMED DOCUMENT_EXPIRED AUDIENCE_MISMATCH NONCE_SPENT USCC_INVALID REQUEST_INVALID "
        "REQUEST_TOO_LARGE SUBSCRIPTION_UNKNOWN WATCH_UNKNOWN WHITE_LIST_NOT_READY BATCH_SPACE"
    ),
    MarketRefused: (
        "DEMAND_UNKNOWN DEMAND_STATE DEMAND_VERSION DEMAND_FULL PRODUCT_UNKNOWN PRODUCT_VERSION PRODUCT_CRITERIA "
        "QUOTA_EXHAUSTED OFFER_UNKNOWN OFFER_EXISTS OFFER_STATE DEMAND_LIMIT PRODUCT_LIMIT"
    ),
    LoanRefused: (
        "LOAN_UNKNOWN LOAN_STATE LOAN_TERMS REPORT_CONFLICT SCHEME_UNKNOWN FILING_UNKNOWN FILING_STATE "
        "FILING_INELIGIBLE RISK_CAP FUSE_PAUSED FUND_SHORT"
    ),
    Unavailable: "ENCLAVE_UNAVAILABLE OVERLOADED FEATURES_OUTDATED LOG_UNSEALED RATE_LIMITED",
    ServiceError: "INTERNAL",
}
ERROR_OF: Final = MappingProxyType({Reason(name): kind for kind, names in _GROUPS.items() for name in names.split()})
"""The error each reason of the wire is raised as."""
