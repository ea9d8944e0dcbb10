"""When the records behind a snapshot are gone: rather no answer than one with a record that must be left out."""

import asyncio
import time
from datetime import date

import numpy as np
import pytest
from xinyidai.disputes import Objection, RecordName
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from enclave.authority import revisions
from enclave.authority.disputes import dispute_key
from enclave.authority.store import Store
from enclave.environment import SoftwareEnvironment
from enclave.matrix import SnapshotStore
from tests.support.bare import AS_OF, BareEnclave
from tests.support.parties import Refusal, plain_score, random_points, uscc_number


def test_who_objects_is_not_assessed_until_a_load_accounts_for_it(bare: BareEnclave) -> None:
    owner, other = bare.enterprise(3), bare.enterprise(4)
    points = random_points(bare.catalogue, np.random.default_rng(5))
    model = bare.direct.register(bare.bank, points)
    grants = {firm: bare.direct.submit(firm, firm.terms(bare.bank)) for firm in (owner, other)}
    data = bare.deployment.enclave_config.parent / "data"
    environment = SoftwareEnvironment(data.parent / "sealing.key")
    store = Store(data / "authority.sqlite")
    try:
        key = asyncio.run(store.run(dispute_key, environment))
        sealed = Objection(RecordName("tax_payment", "r-1"), text="有误").seal(key.public)
        bare.direct.state(owner.statement(Action.DISPUTE, record=sealed))
        with pytest.raises(Refusal) as refusal:
            bare.direct.score(bare.bank, model, owner.uscc, grants[owner])
        assert refusal.value.reason is Reason.FEATURES_OUTDATED
        assert bare.direct.usage(owner).usages == []
        # Nobody else notices.
        exact = plain_score(bare.catalogue, points, bare.cells_of(4))
        assert bare.direct.score(bare.bank, model, other.uscc, grants[other]) == exact
        accounted = asyncio.run(store.run(revisions.last_change))
    finally:
        store.close()
    codes = np.array([uscc_number(i) for i in range(len(bare.cells))], "S18")
    order = np.argsort(codes)
    as_of: date = AS_OF
    SnapshotStore(data / "snapshots", bare.catalogue).write(as_of, codes[order], bare.cells[order], accounted)
    time.sleep(1.5)  # a new snapshot is noticed within a second
    exact = plain_score(bare.catalogue, points, bare.cells_of(3))
    assert bare.direct.score(bare.bank, model, owner.uscc, grants[owner]) == exact
