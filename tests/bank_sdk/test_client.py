"""The client in front of a real enclave, over a line that breaks: what is asked again, and what never is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xinyidai.authorization import Disclosure
from xinyidai.reasons import Reason
from xinyidai.signing import read_unverified

from bank_sdk import (
    AssessmentResult,
    AuthorizationRefused,
    BankClient,
    BankClientSync,
    InputError,
    KeyStore,
    ModelRefused,
    PointsOverflow,
    RegisteredModel,
    Scorecard,
    ScoreInterval,
    Unavailable,
)
from bank_sdk.stream import MOST_UNDER_WAY
from tests.bank_sdk.line import BreakingLine, credentials_of
from tests.support.bare import BareEnclave
from tests.support.parties import uscc_number

FIRMS = 20


@dataclass
class Scene:
    line: BreakingLine
    client: BankClient
    card: Scorecard
    model: RegisteredModel
    bare: BareEnclave
    target: str
    folder: Path

    def score(self, number: int) -> int:
        return self.card.score_cells([int(cell) for cell in self.bare.cells[number]])

    def grant(self, number: int, **changes: Any) -> str:
        """A new authorization of an enterprise no other test uses: its token."""
        return _grant(self.bare, self.line.tokens, number, **changes)

    def nonces(self) -> list[str]:
        return [read_unverified(request.request).text("jti") for request in self.line.requests]


def _grant(bare: BareEnclave, tokens: dict[str, str], number: int, **changes: Any) -> str:
    enterprise = bare.enterprise(number)
    token = tokens[enterprise.uscc] = enterprise.terms(bare.bank, **changes).sign(enterprise.key)
    bare.direct.submit_token(token)
    return token


def _scorecard(bare: BareEnclave) -> Scorecard:
    generator = np.random.default_rng(7)
    points = {f.code: [int(p) for p in generator.integers(-5, 5, len(f.cells))] for f in bare.catalogue.features}
    return Scorecard("every feature", bare.catalogue, points, base_points=600)


@pytest.fixture(scope="module")
def granted(bare: BareEnclave) -> dict[str, str]:
    """A total of full precision, of each of the first firms."""
    tokens: dict[str, str] = {}
    for number in range(FIRMS):
        _grant(bare, tokens, number)
    return tokens


@pytest.fixture(scope="module")
def registered() -> dict[str, RegisteredModel]:
    """One model for the whole module: budgets are charged for each model anew."""
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bank")


@pytest.fixture
async def scene(
    bare: BareEnclave, granted: dict[str, str], registered: dict[str, RegisteredModel], folder: Path
) -> AsyncIterator[Scene]:
    line = BreakingLine(bare.deployment.enclave_socket)
    line.tokens.update(granted)
    target = await line.start(bare.deployment, folder)
    keys = KeyStore(folder / "keys", "passphrase")
    card = _scorecard(bare)
    async with await BankClient.connect(
        target, credentials_of(bare.deployment, folder), key_store=keys, timeout=4
    ) as client:
        if "model" not in registered:
            registered["model"] = await client.register(card)
            line.requests.clear()
        yield Scene(line, client, card, registered["model"], bare, target, folder)
    await line.stop()


async def test_the_score_is_that_of_the_plaintext_twin(scene: Scene) -> None:
    assert (await scene.client.catalogue()).digest == scene.bare.catalogue.digest
    token = scene.grant(32)
    first = await scene.client.assess(uscc_number(32), scene.model)
    again = await scene.client.assess(token, scene.model.model_id)
    assert first.score == again.score == scene.score(32)
    assert (first.repeated, again.repeated) == (False, True)
    fresh = await scene.client.assess(uscc_number(32), scene.model, fresh=True)
    assert fresh.score == first.score and not fresh.repeated and fresh.assessment_id != first.assessment_id


async def test_a_lost_answer_is_fetched_with_a_new_nonce_and_charged_once(scene: Scene) -> None:
    scene.line.after.append(Reason.ENCLAVE_UNAVAILABLE)
    scene.grant(33)
    result = await scene.client.assess(uscc_number(33), scene.model)
    assert result.score == scene.score(33) and not result.repeated, "this call was charged, by its first attempt"
    assert len(set(scene.nonces())) == 2


async def test_a_fresh_request_is_sent_once(scene: Scene) -> None:
    scene.line.after.append(Reason.OVERLOADED)
    scene.grant(34)
    with pytest.raises(Unavailable) as caught:
        await scene.client.assess(uscc_number(34), scene.model, fresh=True)
    assert len(scene.line.requests) == 1 and caught.value.retry_after == 1


async def test_a_refusal_is_not_asked_again(scene: Scene) -> None:
    scene.line.before.append(Reason.MODEL_UNKNOWN)
    with pytest.raises(ModelRefused):
        await scene.client.assess(uscc_number(2), scene.model)
    assert len(scene.line.requests) == 1


async def test_a_registration_whose_receipt_was_lost_gives_one_model(scene: Scene) -> None:
    scene.line.after.append(Reason.ENCLAVE_UNAVAILABLE)
    model = await scene.client.register(scene.card)
    first, second = scene.line.requests
    assert first.weights == second.weights and first.registration != second.registration
    assert model.model_id != scene.model.model_id, "every registration has a key of its own"


async def test_a_refused_registration_leaves_its_key(scene: Scene) -> None:
    """The service may err or lie about what the enclave did; a key too many harms nobody."""
    keys = KeyStore(scene.folder / "keys", "passphrase")
    before = keys.models()
    scene.line.before.append(Reason.CATALOGUE_UNKNOWN)
    with pytest.raises(ModelRefused):
        await scene.client.register(scene.card)
    assert len(keys.models()) == len(before) + 1


async def test_a_stream_that_breaks_is_taken_up_again(scene: Scene) -> None:
    items = [uscc_number(number) for number in range(FIRMS)] * 15
    scene.line.cut.extend([(0, Reason.OVERLOADED), (3, Reason.ENCLAVE_UNAVAILABLE)])
    outcomes = [pair async for pair in scene.client.assess_many(iter(items), scene.model)]
    assert [item for item, _ in outcomes] == items
    scores = [outcome.score for _, outcome in outcomes if isinstance(outcome, AssessmentResult)]
    assert scores == [scene.score(number) for number in range(FIRMS)] * 15
    assert scene.line.streams == 3


async def test_a_fresh_stream_that_breaks_says_what_may_have_been_charged(scene: Scene) -> None:
    items = [uscc_number(number) for number in range(FIRMS)]
    scene.line.cut.append((1, Reason.ENCLAVE_UNAVAILABLE))
    outcomes = [outcome async for _, outcome in scene.client.assess_many(items, scene.model, fresh=True)]
    assert [type(outcome) for outcome in outcomes] == [AssessmentResult] * 16 + [Unavailable] * (FIRMS - 16)
    assert scene.line.streams == 1


async def test_one_bad_item_does_not_stop_the_others(scene: Scene) -> None:
    items = [uscc_number(0), "junk", uscc_number(50), uscc_number(1)]
    kinds = [type(outcome) async for _, outcome in scene.client.assess_many(items, scene.model)]
    assert kinds == [AssessmentResult, InputError, AuthorizationRefused, AssessmentResult]


async def test_items_are_taken_only_a_little_ahead(scene: Scene) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield scene.line.tokens[uscc_number(taken % FIRMS)]

    read = 0
    async for _ in scene.client.assess_many(endless(), scene.model):
        read += 1
        assert taken - read < MOST_UNDER_WAY
        if read == 500:
            break


async def test_a_service_that_stays_away_is_given_up_in_time(scene: Scene) -> None:
    scene.line.before.extend([Reason.OVERLOADED] * 50)
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await scene.client.assess(uscc_number(0), scene.model)
    assert asyncio.get_running_loop().time() - started < 4.5


async def test_the_precision_is_what_was_granted_or_coarser(scene: Scene) -> None:
    token = scene.grant(30, precision_points=8)
    result = await scene.client.assess(token, scene.model)
    assert isinstance(result.score, ScoreInterval) and result.precision_points == 8
    assert result.score.low <= scene.score(30) <= result.score.high
    with pytest.raises(AuthorizationRefused):
        await scene.client.assess(token, scene.model, precision_points=4)
    with pytest.raises(PointsOverflow):
        await scene.client.assess(token, scene.model, precision_points=255)


async def test_by_category_the_parts_add_up(scene: Scene) -> None:
    categories = ("enterprise_registration", "annual_report")
    token = scene.grant(31, disclosure=Disclosure.BY_CATEGORY, categories=categories, precision_points=0)
    result = await scene.client.assess(token, scene.model)
    expected = [
        int(cell) if set(feature.sources) <= set(categories) else feature.not_authorized
        for feature, cell in zip(scene.bare.catalogue.features, scene.bare.cells[31], strict=True)
    ]
    assert tuple(result.categories) == categories and result.score == scene.card.score_cells(expected)


async def test_the_blocking_client_reads_its_items_in_the_callers_thread(scene: Scene) -> None:
    items = [uscc_number(number) for number in range(FIRMS)]
    credentials = credentials_of(scene.bare.deployment, scene.folder)

    def work() -> list[object]:
        keys = KeyStore(scene.folder / "keys", "passphrase")
        with BankClientSync.connect(scene.target, credentials, key_store=keys) as client:
            assert client.assess(items[3], scene.model).score == scene.score(3)
            scores = [getattr(o, "score", o) for _, o in client.assess_many(iter(items), scene.model)]
        with pytest.raises(InputError, match="closed"):
            client.models()
        return scores

    assert await asyncio.to_thread(work) == [scene.score(number) for number in range(FIRMS)]
