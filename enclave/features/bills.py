"""What the three utilities share: when a bill is late."""

import ibis

from enclave.features.tables import count_if
from enclave.features.windows import Clock


def late_bills(bills: ibis.Table, clock: Clock, surcharge: str) -> ibis.Table:
    """(uscc, late): bills paid after their due date, still unpaid after it, or with a surcharge. One bill of several
    such kinds counts once. Without a bill the enterprise has no row."""
    overdue = (bills.due_date < clock.as_of) & (bills.pay_date.isnull() | (bills.pay_date > clock.as_of))
    late = (
        (bills.pay_date > bills.due_date).fill_null(False)
        | (overdue & (bills.bill > 0)).fill_null(False)
        | (bills[surcharge] > 0).fill_null(False)
    )
    return bills.group_by("uscc").agg(late=count_if(late))
