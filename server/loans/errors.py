"""What loans refuse.

Refused
 └─ LoanRefused
     ├─ LoanUnknown       there is none, or it is not the caller's
     ├─ LoanClosed        the loan is in no state that allows this
     ├─ TermsDiffer       what is said differs from what was agreed, or cannot be
     └─ ReportConflict    the request id stands for another report
"""

from xinyidai.reasons import Reason

from server.errors import Refused


class LoanRefused(Refused):
    pass


class LoanUnknown(LoanRefused):
    reason = Reason.LOAN_UNKNOWN

    def __init__(self) -> None:
        super().__init__("no such loan that concerns the caller")


class LoanClosed(LoanRefused):
    reason = Reason.LOAN_STATE


class TermsDiffer(LoanRefused):
    reason = Reason.LOAN_TERMS


class ReportConflict(LoanRefused):
    reason = Reason.REPORT_CONFLICT

    def __init__(self) -> None:
        super().__init__("this request_id was used for another report; give a new report a new one")
