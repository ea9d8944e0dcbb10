"""An enclave alone, as a real process, over a snapshot of random cells: for tests in which no record matters."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import builtin_catalogue

from clients.dev.deployment import Deployment
from clients.dev.system import System
from enclave.matrix import SnapshotStore
from tests.support.parties import DirectEnclave, RawBank, RawEnterprise, uscc_number

AS_OF = date(2026, 10, 31)


def write_random_cells(deployment: Deployment, enterprises: int = 64, seed: int = 0) -> NDArray[np.uint16]:
    """A snapshot of enterprises number 0 on, in force at the enclave's start; returns their cells, a row each."""
    catalogue, generator = builtin_catalogue(), np.random.default_rng(seed)
    # Never the not-authorized cell: only the authority puts an enterprise there.
    cells = np.stack([generator.integers(0, len(f.cells) - 1, enterprises) for f in catalogue.features], axis=1).astype(
        np.uint16
    )
    codes = [uscc_number(i) for i in range(enterprises)]
    order = np.argsort(codes)
    data = deployment.root / "enclave" / "data"
    data.mkdir(mode=0o700)
    SnapshotStore(data / "snapshots", catalogue).write(AS_OF, np.array(codes, "S18")[order], cells[order])
    return cells


class BareEnclave:
    """`cells`: the features of enterprise number i, shape (enterprises, features)."""

    def __init__(
        self, root: Path, enterprises: int = 64, seed: int = 0, settings: Mapping[str, str | int] | None = None
    ) -> None:
        defaults: dict[str, str | int] = {"answer_deadline_ms": 0, "workers": 1}
        self.deployment = Deployment.create(root, enclave=defaults | dict(settings or {}))
        self.catalogue = builtin_catalogue()
        self.cells = write_random_cells(self.deployment, enterprises, seed)
        self.system = System(self.deployment)
        self.bank = RawBank(self.deployment.issue_bank("bank-a"))
        self.other_bank = RawBank(self.deployment.issue_bank("bank-b"))
        self.system.start_enclave()
        self.direct = DirectEnclave(self.deployment.enclave_socket)

    def enterprise(self, number: int) -> RawEnterprise:
        """An enterprise with a registered key."""
        made = RawEnterprise(self.deployment, uscc_number(number))
        self.direct.register_key(made)
        return made

    def cells_of(self, number: int) -> dict[str, int]:
        return {f.code: int(c) for f, c in zip(self.catalogue.features, self.cells[number], strict=True)}

    def crash(self) -> None:
        """kill -9."""
        self.system.enclave.kill()

    def restart(self) -> None:
        self.direct.close()
        self.system.start_enclave()
        self.direct = DirectEnclave(self.deployment.enclave_socket)

    def close(self) -> None:
        self.direct.close()
        self.system.enclave.stop()
