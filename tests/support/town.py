"""A small town whose records are cells written down here: enclave, platform and two banks as real processes.

Who is in good standing and which risk event has happened is the test's choice; a new snapshot takes milliseconds.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, builtin_catalogue

from clients.dev.deployment import Deployment
from clients.dev.system import System
from enclave.matrix import SnapshotStore, missing_cells
from server.commands import add_bank
from server.db import migrate
from server.settings import load_settings
from tests.support.parties import uscc_number

AS_OF = date(2026, 10, 31)
GOOD: Mapping[str, float] = {
    "reg_age_months": 100, "tax_months_m24": 24, "tcr_grade_latest": 4, "si_consecutive_months": 40,
    "si_arrears_months_m24": 0, "ele_late_cnt_m24": 0, "pen_severity_m36": 0, "jud_dishonest_now": 0,
    "abn_serious_now": 0, "tcr_arrears_balance": 0, "re_seizure_cnt": 0, "jud_exec_cnt_m24": 0,
}  # fmt: skip
POOR: Mapping[str, float] = {"reg_age_months": 3}


def row_of(catalogue: Catalogue, values: Mapping[str, float]) -> NDArray[np.uint16]:
    """Cells with these values; every other feature is missing."""
    row = missing_cells(catalogue).copy()
    for at, feature in enumerate(catalogue.features):
        if feature.code in values:
            row[at] = feature.cell_of(values[feature.code])
    return row


class Town:
    """`people`: the values of enterprise number i. Not started."""

    def __init__(self, root: Path, people: Sequence[Mapping[str, float]], banks: Sequence[str] = ("bank-a", "bank-b")):
        self.people = [dict(values) for values in people]
        self.catalogue = builtin_catalogue()
        deployment = Deployment.create(
            root,
            enclave={"answer_deadline_ms": 0, "workers": 1, "white_list_standing_days": 0},
            server={"outreach_sweep_seconds": 1},
        )
        self._snapshots = SnapshotStore(deployment.root / "enclave" / "data" / "snapshots", self.catalogue)
        self._snapshots.root.parent.mkdir(mode=0o700)
        self.load()
        self.system = System(deployment)
        settings = load_settings(deployment.server_config)
        migrate(settings.database_url.get_secret_value())
        for bank in banks:
            certificate = deployment.issue_bank(bank) / "bank.pem"
            add_bank(settings, bank, f"测试银行{bank}", f"Test {bank}", certificate)

    def firm(self, number: int) -> str:
        return uscc_number(number)

    def load(self) -> str:
        """A snapshot of the people as they are now; the enclave picks it up within a second."""
        order = np.argsort([self.firm(i) for i in range(len(self.people))])
        codes = np.array([self.firm(int(i)) for i in order], "S18")
        cells = np.stack([row_of(self.catalogue, self.people[int(i)]) for i in order])
        return self._snapshots.write(AS_OF, codes, cells)
