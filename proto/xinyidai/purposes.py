"""Purpose templates: the outer bounds of what an enterprise may be asked to grant.

The idea of a rule table keyed by purpose, checked when granting and at every use, is the fair-use library of India's
account aggregators (Sahamati, codes 103 and 104); the numbers below are this project's.
"""

from dataclasses import dataclass
from types import MappingProxyType

from xinyidai.reasons import Reason
from xinyidai.signing import DocumentError

DAY_SECONDS = 86_400


class PurposeLimit(DocumentError):
    """An authorization goes beyond what its purpose allows. Grant within the template, or choose another purpose."""

    reason = Reason.PURPOSE_LIMIT


@dataclass(frozen=True, slots=True)
class Purpose:
    code: str
    version: int
    zh: str
    en: str
    max_validity_days: int
    max_assessments: int
    min_days_between: int
    """Days between two fresh assessments of the same model under one authorization; 0: no rule."""
    needs_term: bool
    """The authorization names the loan's end, and may not outlive it."""


PURPOSES = MappingProxyType(
    {
        p.code: p
        for p in (
            Purpose("loan_origination", 1, "贷前审批", "loan origination", 31, 10, 0, needs_term=False),
            Purpose(
                "post_loan_monitoring",
                1,
                "贷后管理",
                "post-loan monitoring",
                5 * 366,
                60,
                28,
                needs_term=True,
            ),
        )
    }
)


def check_purpose(
    code: str, version: int, *, not_before: int, expires_at: int, max_assessments: int, term_end: int | None
) -> Purpose:
    """The template, if the grant keeps within it. Times in seconds since the epoch. Raises `PurposeLimit`."""
    purpose = PURPOSES.get(code)
    if purpose is None or purpose.version != version:
        raise PurposeLimit("unknown purpose or version; known: " + ", ".join(PURPOSES))
    if expires_at - not_before > purpose.max_validity_days * DAY_SECONDS:
        raise PurposeLimit(f"{code} is valid for at most {purpose.max_validity_days} days")
    if max_assessments > purpose.max_assessments:
        raise PurposeLimit(f"{code} allows at most {purpose.max_assessments} assessments")
    if purpose.needs_term and (term_end is None or expires_at > term_end):
        raise PurposeLimit(f"{code} must name the loan's end and may not outlive it")
    return purpose
