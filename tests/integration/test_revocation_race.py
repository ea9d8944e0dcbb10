"""Assessments racing revocations against the real system: none is accepted that was asked after its revocation
returned.

`XYD_CAMPAIGN=long` runs ten times as many.
"""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import numpy as np
import pytest
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.status import read_error
from xinyidai.v1 import assessment_pb2

from tests.support.bare import BareEnclave
from tests.support.parties import RawEnterprise, uscc_number
from tests.support.platform import PlatformUnderTest

_LONG = os.environ.get("XYD_CAMPAIGN") == "long"
ROUNDS: Final = 10 if _LONG else 1
ENTERPRISES: Final = 100
EACH: Final = 10
"""Assessments of each enterprise: 1,000 in a round, all of them charged, racing 100 revocations."""
_ASKERS: Final = 4
_REVOKERS: Final = 2


@dataclass
class Raced:
    """One enterprise's authorization and what happened to it, by a clock all threads share."""

    owner: RawEnterprise
    digest: str
    returned_at: float = float("inf")
    """When its revocation had returned."""
    answered: list[tuple[float, float]] = field(default_factory=list)
    """(asked, answered) of every accepted assessment."""
    refused: list[float] = field(default_factory=list)
    """When refused ones were asked."""


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    budgets = {"budget_bank_bits": 1000, "budget_total_bits": 1000}
    bare = BareEnclave(tmp_path_factory.mktemp("race") / "d", ENTERPRISES, settings=budgets)
    platform = PlatformUnderTest(bare)
    yield platform
    platform.close()
    bare.close()


@pytest.mark.timeout(300 * ROUNDS)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_no_assessment_is_accepted_after_its_revocation_returned(raced: PlatformUnderTest, round_: int) -> None:
    generator = np.random.default_rng(round_)
    model = raced.register_model(100 + round_).model_id
    owners = [RawEnterprise(raced.bare.deployment, uscc) for uscc in _codes(round_)]
    races = []
    for owner in owners:
        raced.http.post("/v1/keys", json={"registration": owner.registration()}).raise_for_status()
        races.append(Raced(owner, raced.grant(owner)))
    stub = raced.bank_stub()

    def ask(race: Raced) -> None:
        items = [(race.owner.uscc, race.digest)]
        signed = raced.bare.bank.request(model, items, fresh=True)
        asked = time.monotonic()
        try:
            answer = stub.Assess(assessment_pb2.AssessRequest(request=signed), timeout=60)
        except grpc.RpcError as error:
            wire = read_error(error)
            assert wire is not None and wire.reason is Reason.AUTHORIZATION_REVOKED, wire
            race.refused.append(asked)
        else:
            assert answer.outcomes[0].WhichOneof("result") == "assessment"
            race.answered.append((asked, time.monotonic()))

    def revoke(race: Raced) -> None:
        statement = race.owner.statement(Action.REVOKE, race.digest)
        raced.http.post("/v1/statements", json={"statement": statement}).raise_for_status()
        race.returned_at = time.monotonic()

    _run(races, ask, revoke, generator)
    accepted = [(race, asked) for race in races for asked, _ in race.answered]
    assert sum(len(race.answered) + len(race.refused) for race in races) == ENTERPRISES * EACH
    assert all(race.returned_at < float("inf") for race in races)
    late = [(race.digest, asked - race.returned_at) for race, asked in accepted if asked > race.returned_at]
    assert late == []
    # It was a race: some were accepted, some refused, and the ledger holds no charge without its enterprise's consent.
    assert accepted and any(race.refused for race in races)
    for race in races[:10]:
        uses = raced.bare.direct.usage(race.owner).usages
        assert len(race.answered) <= len(uses) <= EACH
        ask(race)
        assert len(raced.bare.direct.usage(race.owner).usages) == len(uses)


def _codes(round_: int) -> list[str]:
    return [uscc_number(round_ * ENTERPRISES + number) for number in range(ENTERPRISES)]


def _run(races: list[Raced], ask: Any, revoke: Any, generator: np.random.Generator) -> None:
    """Askers take the assessments in a random order; revokers, each time so many of them are done."""
    asks = [race for race in races for _ in range(EACH)]
    generator.shuffle(asks)
    done = threading.Semaphore(0)
    pending = [races[i] for i in generator.permutation(len(races))]

    def asking(race: Raced) -> None:
        try:
            ask(race)
        finally:
            done.release()

    def revoking(mine: list[Raced]) -> None:
        for race in mine:
            for _ in range(len(asks) // len(races) // _REVOKERS):
                done.acquire()
            revoke(race)

    with ThreadPoolExecutor(_ASKERS + _REVOKERS) as pool:
        working = [pool.submit(revoking, pending[at::_REVOKERS]) for at in range(_REVOKERS)]
        working += [pool.submit(asking, race) for race in asks]
        for one in working:
            one.result()
