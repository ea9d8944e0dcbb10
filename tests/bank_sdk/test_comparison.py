"""Champion and challenger: both models over the same enterprises, and nothing that tells the platform which is
which."""

from collections.abc import Iterator
from typing import Any

import pytest

from bank_sdk import (
    Action,
    AuthorizationRefused,
    BankClientSync,
    Comparison,
    Grade,
    InputError,
    Pair,
    Policy,
    RegisteredModel,
    Scorecard,
    compare,
)
from bank_sdk.testing import InMemoryService
from bank_sdk.testing.servicer import InMemoryServicer
from tests.bank_sdk.materials import CATALOGUE, granted_service, scorecard
from tests.support.parties import uscc_number

CHAMPION = scorecard()
CHALLENGER = scorecard(base_points=520, missing=0)
FIRMS = 24


def cells(number: int) -> list[int]:
    return [(5 * number + at) % len(feature.cells) for at, feature in enumerate(CATALOGUE.features)]


@pytest.fixture(scope="module")
def service() -> Iterator[InMemoryService]:
    with granted_service(FIRMS, cells) as running:
        yield running


@pytest.fixture(scope="module")
def models(client: BankClientSync) -> tuple[RegisteredModel, RegisteredModel]:
    return client.register(CHAMPION), client.register(CHALLENGER)


def test_both_models_score_every_enterprise(
    client: BankClientSync, models: tuple[RegisteredModel, RegisteredModel]
) -> None:
    firms = [uscc_number(number) for number in range(FIRMS)]
    progress: list[int] = []
    found = compare(client, [*firms, uscc_number(700)], *models, on_progress=progress.append)
    assert [pair.enterprise for pair in found.complete] == firms and sum(progress) == FIRMS + 1
    for number, pair in enumerate(found.complete):
        scores = [getattr(outcome, "score", None) for outcome in (pair.champion, pair.challenger)]
        assert scores == [CHAMPION.score_cells(cells(number)), CHALLENGER.score_cells(cells(number))]
    missing = found.pairs[-1]
    assert isinstance(missing.champion, AuthorizationRefused) and isinstance(missing.challenger, AuthorizationRefused)
    assert "score" not in repr(found)


def test_the_platform_sees_the_same_of_either_model(
    service: InMemoryService,
    client: BankClientSync,
    models: tuple[RegisteredModel, RegisteredModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over many runs either model goes first about as often, each time with the same enterprises in an order of its
    own."""
    seen: list[tuple[str, tuple[str, ...]]] = []
    verified = InMemoryServicer._verified

    def noted(self: InMemoryServicer, raw: str) -> Any:
        asked = verified(self, raw)
        seen.append((asked.model, tuple(item.enterprise for item in asked.items)))
        return asked

    monkeypatch.setattr(InMemoryServicer, "_verified", noted)
    firms = [uscc_number(number) for number in range(FIRMS)]
    first, orders, runs = 0, set(), 40
    for _ in range(runs):
        seen.clear()
        compare(client, firms, *models)
        (one, its), (two, others) = seen
        assert {one, two} == {model.model_id for model in models}
        assert sorted(its) == sorted(others) == sorted(firms)
        first += one == models[0].model_id
        orders |= {its, others}
    # Outside of 4..36 once in 10^7 runs of this test.
    assert 4 <= first <= runs - 4
    assert len(orders) == 2 * runs


def test_the_swap_set(client: BankClientSync, models: tuple[RegisteredModel, RegisteredModel]) -> None:
    firms = [uscc_number(number) for number in range(FIRMS)]
    rules = Policy([Grade("A", 550, Action.APPROVE), Grade("B", 520, Action.REFER), Grade("C", None, Action.DECLINE)])
    found = compare(client, firms, *models)
    outcomes = {str(firm): int(number % 3 == 0) for number, firm in enumerate(firms)}
    table = found.swap_set(rules, rules, outcomes)
    assert len(table) == 9 and sum(cell.enterprises for cell in table) == FIRMS
    assert sum(cell.bads or 0 for cell in table) == sum(outcomes.values())
    for cell in table:
        wanted = [
            number
            for number in range(FIRMS)
            if rules.decide(CHAMPION.score_cells(cells(number))).action is cell.champion
            and rules.decide(CHALLENGER.score_cells(cells(number))).action is cell.challenger
        ]
        assert cell.enterprises == len(wanted)
    assert all(cell.bads is None for cell in found.swap_set(rules, rules))
    assert Comparison((Pair("x", found.pairs[0].champion, AuthorizationRefused("no")),)).complete == ()


def test_what_would_tell_the_models_apart_is_refused_before_anything_is_sent(
    service: InMemoryService, client: BankClientSync, models: tuple[RegisteredModel, RegisteredModel]
) -> None:
    with pytest.raises(InputError, match="same model"):
        compare(client, [uscc_number(1)], models[0], models[0])
    wide = Scorecard("wide", CATALOGUE, {"age": [0, 0, 0, 0, 0, 1000, 0, 0, 0]})
    registered = client.register(wide)
    service.grant(uscc_number(800), cells=cells(0), precision_points=100)
    before = len(service.charges)
    with pytest.raises(InputError, match="room for a precision of 100"):
        compare(client, [uscc_number(800)], models[0], registered)
    assert len(service.charges) == before
