"""The service for a bank's own tests: the client is real, and so is everything it checks."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from xinyidai.catalogue import CellKind
from xinyidai.reasons import Reason

from bank_sdk import (
    AuthorizationRefused,
    BankClientSync,
    BudgetExhausted,
    InputError,
    ModelRefused,
    RegisteredModel,
    ScoreInterval,
    TreeModel,
    UnknownFeature,
    reasons,
)
from bank_sdk.testing import Charge, InMemoryService
from tests.bank_sdk.materials import CATALOGUE, cells_of, scorecard
from tests.support.parties import uscc_number
from tests.support.trees import random_cells, random_ensemble

CARD = scorecard()
VALUES: dict[str, float | CellKind] = {"age": 30.0, "paid_in": 60.0, "tax_rate": CellKind.MISSING}


@pytest.fixture(scope="module")
def service() -> Iterator[InMemoryService]:
    with InMemoryService(CATALOGUE) as running:
        yield running


@pytest.fixture(scope="module")
def model(client: BankClientSync) -> RegisteredModel:
    return client.register(CARD)


def test_a_score_is_that_of_the_plaintext_twin_and_a_repeat_is_free(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    firm = uscc_number(1)
    service.grant(firm, VALUES)
    before = len(service.charges)
    first, again = client.assess(firm, model), client.assess(firm, model)
    assert first.score == again.score == CARD.score(VALUES)
    assert (first.repeated, again.repeated, again.centibits_charged) == (False, True, 0)
    assert service.charges[before:] == (Charge(firm, model.model_id, 1004),)
    assert client.assess(firm, model, fresh=True).score == first.score and len(service.charges) == before + 2


def test_every_cell_scores_as_it_should(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    expected = []
    widest = max(len(feature.cells) for feature in CATALOGUE.features)
    for at in range(widest):
        cells = [at % len(feature.cells) for feature in CATALOGUE.features]
        service.grant(uscc_number(100 + at), cells=cells)
        expected.append(CARD.score_cells(cells))
    asked = [uscc_number(100 + at) for at in range(widest)]
    found = [outcome for _, outcome in client.assess_many(asked, model)]
    assert [getattr(outcome, "score", outcome) for outcome in found] == expected


def test_what_is_not_authorized_is_scored_in_its_own_cell(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    firm = uscc_number(2)
    service.grant(firm, {**VALUES, "tax_rate": 0.5}, categories=["registry"])
    cells = cells_of({"age": 30.0, "paid_in": 60.0, "tax_rate": CellKind.NOT_AUTHORIZED})
    assert client.assess(firm, model).score == CARD.score_cells(cells)


def test_by_category_at_a_precision(service: InMemoryService, client: BankClientSync, model: RegisteredModel) -> None:
    firm = uscc_number(3)
    service.grant(firm, VALUES, disclosure="by_category", precision_points=5)
    result = client.assess(firm, model)
    assert set(result.categories) == {"registry", "tax"} and isinstance(result.score, ScoreInterval)
    assert result.score.low <= CARD.score(VALUES) <= result.score.high
    assert reasons(result, CARD, CATALOGUE, most=1)[0].code == "registry"


def test_states_limits_and_failures_are_the_real_ones(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    firm = uscc_number(4)
    token = service.grant(firm, VALUES, max_assessments=1)
    client.assess(token, model)
    with pytest.raises(BudgetExhausted) as spent:
        client.assess(token, model, fresh=True)
    assert spent.value.reason is Reason.AUTHORIZATION_USED_UP
    service.set_state(firm, "revoked")
    with pytest.raises(AuthorizationRefused) as revoked:
        client.assess(token, model)
    assert revoked.value.reason is Reason.AUTHORIZATION_REVOKED
    with pytest.raises(AuthorizationRefused, match="revoked"):
        client.assess(firm, model)
    service.refuse_next(Reason.MODEL_UNKNOWN)
    with pytest.raises(ModelRefused):
        client.assess(token, model)


def test_an_overloaded_service_is_asked_again(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    firm = uscc_number(5)
    service.grant(firm, VALUES)
    service.refuse_next(Reason.OVERLOADED)
    started = time.monotonic()
    assert client.assess(firm, model).score == CARD.score(VALUES)
    assert time.monotonic() - started >= 1, "as long as the service asked to wait"


async def test_the_asynchronous_client_connects_likewise(service: InMemoryService) -> None:
    service.grant(uscc_number(6), VALUES)
    async with await service.connect() as client:
        model = await client.register(CARD)
        assert (await client.assess(uscc_number(6), model)).score == CARD.score(VALUES)
        assert model.model_id in {entry.model_id for entry in await client.models()}


def test_usable_authorizations_are_those_assess_would_take(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    for number in range(200, 260):
        service.grant(uscc_number(number), VALUES)
    newest = service.grant(uscc_number(200), VALUES, days=31)
    service.set_state(uscc_number(201), "paused")
    asked = [uscc_number(number) for number in range(200, 270)]
    for some in (asked, asked[:5]):
        found = client.usable_authorizations(model, some)
        assert set(found) == {firm for firm in some if firm not in (asked[1], *asked[60:])}
    assert newest in {grant.token for grant in client.authorizations(asked[0])}
    with pytest.raises(InputError, match="USCC"):
        client.usable_authorizations(model, ["nobody"])


def test_grants_are_checked(service: InMemoryService) -> None:
    with pytest.raises(UnknownFeature):
        service.grant(uscc_number(7), {"profit": 1.0})
    with pytest.raises(InputError, match="give 3 cells"):
        service.grant(uscc_number(7), cells=[0, 0])
    with pytest.raises(InputError, match="USCC"):
        service.grant("nobody", VALUES)
    with pytest.raises(InputError, match="state"):
        service.set_state(uscc_number(7), "gone")
    with pytest.raises(InputError, match="not started"):
        InMemoryService(CATALOGUE).client()


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_trees_are_scored_exactly_too(service: InMemoryService, client: BankClientSync, depth: int) -> None:
    ensemble = random_ensemble(CATALOGUE, 6, depth, np.random.default_rng(depth))
    model = client.register(ensemble)
    generator = np.random.default_rng(100 + depth)
    for number in range(4):
        firm, cells = uscc_number(1000 + 10 * depth + number), random_cells(CATALOGUE, generator).tolist()
        service.grant(firm, cells=cells)
        result = client.assess(firm, model)
        assert result.score == ensemble.score_cells(cells) and result.centibits == 1001
    assert model.model_id in {entry.model_id for entry in client.models()}


def test_a_coarse_answer_of_trees_holds_the_score(service: InMemoryService, client: BankClientSync) -> None:
    trees = random_ensemble(CATALOGUE, 3, 2, np.random.default_rng(9)).trees[:1]
    ensemble = TreeModel("coarse", CATALOGUE, trees)
    model = client.register(ensemble)
    cells = random_cells(CATALOGUE, np.random.default_rng(10)).tolist()
    service.grant(uscc_number(1100), cells=cells, precision_points=20)
    score = client.assess(uscc_number(1100), model).score
    assert isinstance(score, ScoreInterval) and score.low <= ensemble.score_cells(cells) <= score.high


def test_trees_under_an_authorization_by_category_are_refused(service: InMemoryService, client: BankClientSync) -> None:
    model = client.register(random_ensemble(CATALOGUE, 2, 2, np.random.default_rng(11)))
    service.grant(uscc_number(1101), VALUES, disclosure="by_category")
    with pytest.raises(InputError, match="no sum over categories"):
        client.assess(uscc_number(1101), model)
