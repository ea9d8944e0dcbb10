"""Watches inside the enclave, past the edges: real documents, a real database, a clock of the test's."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from xinyidai.alerts.documents import ALERT_TYPE, PURPOSE, Alert, WatchOrder, parse_alert
from xinyidai.authorization import Disclosure
from xinyidai.confidential import OpeningKey
from xinyidai.identity import Role
from xinyidai.parties import open_sealed
from xinyidai.purposes import DAY_SECONDS

from enclave.alerts import checks, watches
from enclave.alerts.watches import WatchState
from enclave.matrix import Matrix
from tests.support.authority import BANK, ENCLAVES_CA, ENTERPRISE, Bank, Desk, stamp
from tests.support.listing import matrix_of
from tests.support.town import GOOD

RISKY: Mapping[str, float] = {**GOOD, "jud_dishonest_now": 1, "ele_late_cnt_m24": 4}
READER = OpeningKey.generate()
_IDS = itertools.count()


@dataclass
class Guard:
    """A bank's watches in an enclave of its own."""

    desk: Desk
    matrix: Matrix = field(default_factory=lambda: matrix_of({ENTERPRISE.uscc: RISKY}))
    snapshots: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    def grant(self, **changes: Any) -> str:
        now = self.desk.now
        terms: dict[str, Any] = {
            "purpose": PURPOSE, "expires_at": now + 900 * DAY_SECONDS, "term_end": now + 901 * DAY_SECONDS,
            "disclosure": Disclosure.BY_CATEGORY, "precision_points": 31,
        }  # fmt: skip
        return self.desk.grant(ENTERPRISE, BANK, **(terms | changes))

    def order(self, digest: str, bank: Bank = BANK, *, ends: bool = False) -> str:
        reader = None if ends else READER.public
        return WatchOrder(stamp(bank.bank_id, self.desk.now), ENTERPRISE.uscc, digest, reader).sign(bank.key)

    def watch(self, digest: str, **rest: Any) -> WatchState:
        return watches.set_watch(self.desk.connection, self.desk.trust, self.order(digest, **rest), self.desk.now)

    def load(self, values: Mapping[str, float]) -> None:
        self.matrix = matrix_of({ENTERPRISE.uscc: values}, f"snapshot-{next(self.snapshots)}")

    def check(self) -> int:
        return checks.check_watches(
            self.desk.connection, self.desk.trust, self.matrix, self.desk.now, lambda: f"{next(_IDS):032x}"
        )

    def taken(self, after: int = 0) -> list[Alert]:
        anchor, at = ENCLAVES_CA.anchor(Role.ENCLAVE), datetime.now(UTC)
        made = checks.take_alerts(self.desk.connection, after)
        return [parse_alert(open_sealed(entry.sealed, READER, anchor, ALERT_TYPE, at)) for entry in made]

    def status(self) -> WatchState:
        (found,) = watches.watches_of(self.desk.connection, BANK.bank_id)
        return found
