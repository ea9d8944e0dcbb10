"""What the three utilities share: when a bill is late."""

import ibis

from enclave.features.tables import count_if
from enclave.features.windows import Clock


def late_bills(bills: ibis.Table, clock: Clock, surcharge: str) -> ibis.Table:
    """(uscc, late): bills paid after their due date, still unpaid after it, or with a surcharge. One bill of several
    such kinds counts once. Without a bill the enterprise has no row."""
    # A payment dated after as_of has not been made yet, so it neither ends nor makes a delay.
    made = clock.ended(bills.pay_date)
    late = (
        (made & (bills.pay_date > bills.due_date)).fill_null(False)
        | (~made & (bills.due_date < clock.as_of) & (bills.bill > 0)).fill_null(False)
        | (bills[surcharge] > 0).fill_null(False)
    )
    return bills.group_by("uscc").agg(late=count_if(late))
