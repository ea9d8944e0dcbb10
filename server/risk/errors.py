"""What risk sharing refuses.

Refused
 └─ RiskRefused
     ├─ SchemeUnknown      no such scheme, or none of its versions covers the day
     ├─ SchemeInvalid      a scheme's file breaks a rule; the message says where
     ├─ FilingUnknown      there is none, or it is not the caller's
     ├─ FilingClosed       the filing is in no state that allows this
     ├─ Ineligible         the scheme does not cover this loan, or not any more
     ├─ CapReached         a limit by loan, firm, bank or year
     ├─ FusePaused         too much of what was filed went bad: no new filings until the operator resumes
     └─ FundShort          a party's fund does not cover its share
"""

from xinyidai.reasons import Reason

from server.errors import Refused


class RiskRefused(Refused):
    pass


class SchemeUnknown(RiskRefused):
    reason = Reason.SCHEME_UNKNOWN

    def __init__(self) -> None:
        super().__init__("no such scheme is in force for this loan")


class SchemeInvalid(RiskRefused):
    pass


class FilingUnknown(RiskRefused):
    reason = Reason.FILING_UNKNOWN

    def __init__(self) -> None:
        super().__init__("no such filing that concerns the caller")


class FilingClosed(RiskRefused):
    reason = Reason.FILING_STATE


class Ineligible(RiskRefused):
    reason = Reason.FILING_INELIGIBLE


class CapReached(RiskRefused):
    reason = Reason.RISK_CAP


class FusePaused(RiskRefused):
    reason = Reason.FUSE_PAUSED

    def __init__(self) -> None:
        super().__init__("filings under this scheme are paused; its operator resumes them")


class FundShort(RiskRefused):
    reason = Reason.FUND_SHORT

    def __init__(self, party: str) -> None:
        super().__init__(f"the fund of {party} does not cover its share; it has to contribute first")
