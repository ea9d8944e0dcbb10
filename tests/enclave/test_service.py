"""From a signed request to an answer the bank decrypts, with a power cut in between."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from xinyidai.authorization import Disclosure, authorization_digest
from xinyidai.framing import FrameKind, decode_answer, encode_seeded
from xinyidai.identity import Role, verify_with_chain
from xinyidai.receipt import RECEIPT_TYPE, answer_digest, parse_receipt
from xinyidai.seal import SecretKey

from enclave.authority.ledger import Stored
from enclave.service import EnclaveService
from tests.support.authority import ANSWER, BANK, ENCLAVES_CA, ENTERPRISE, USCC, make_trust
from tests.support.evaluator import Clock, InProcessEvaluator, build_service, load_snapshot
from tests.support.scoring import CATALOGUE, COUNTS, OFFSETS, PARAMETERS, random_points

NOW = Clock.now
POINTS = random_points(np.random.default_rng(11))
ROW = np.random.default_rng(12).integers(0, COUNTS).astype(np.uint16)
SCORE = int(POINTS[OFFSETS + ROW].sum())


@dataclass
class Room:
    """A running service with a registered model."""

    service: EnclaveService
    evaluator: InProcessEvaluator
    key: SecretKey
    model: str

    async def grant(self, **changes: Any) -> str:
        token = ENTERPRISE.terms(BANK, NOW, **changes).sign(ENTERPRISE.key)
        await self.service.submit_authorization(token)
        return authorization_digest(token)

    async def ask(self, digest: str, **changes: Any) -> Stored:
        _, (outcome,) = await self.service.assess(BANK.request(self.model, digest, NOW, **changes))
        assert isinstance(outcome, Stored), outcome
        return outcome

    def read(self, frame: bytes) -> int:
        return self.key.decrypt_coefficient(decode_answer(frame))

    async def spent(self) -> int:
        usage = await self.service.usage(ENTERPRISE.access(NOW), 1 << 60, 100)
        return dict((bank, spent) for bank, _, spent in usage.budgets)[""]


@pytest_asyncio.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    service, evaluator = await build_service(tmp_path, make_trust(bank_bits=500, total_bits=500), ROW)
    await service.register_key(ENTERPRISE.key_registration(NOW))
    key = SecretKey.generate(PARAMETERS)
    frames = (
        encode_seeded(key.encrypt_weights(POINTS), FrameKind.WEIGHTS),
        encode_seeded(key.encrypt_zero(), FrameKind.ZERO),
    )
    model = (await service.register_model(BANK.registration(frames, NOW), *frames)).model_id
    yield Room(service, evaluator, key, model)
    await service.close()


async def test_the_bank_reads_the_score_and_the_receipt_vouches_for_it(room: Room) -> None:
    digest = await room.grant()
    answer = await room.ask(digest)
    ((category, frame),) = answer.parts
    assert (category, room.read(frame)) == ("", SCORE)
    signed = verify_with_chain(answer.receipt, RECEIPT_TYPE, ENCLAVES_CA.anchor(Role.ENCLAVE))
    receipt = parse_receipt(signed.claims)
    assert (receipt.enterprise, receipt.bank, receipt.authorization) == (USCC, BANK.bank_id, digest)
    assert (receipt.model, receipt.centibits, receipt.as_of) == (room.model, ANSWER, "2026-10-31")
    assert [a.digest for a in receipt.answers] == [answer_digest(frame)]


async def test_a_power_cut_after_the_charge_costs_nothing_and_changes_no_byte(room: Room, tmp_path: Path) -> None:
    """The answer lost with the process and the one made after it have one id and one mask."""
    digest = await room.grant()
    room.evaluator.fail_next = True
    with pytest.raises(ConnectionResetError):
        await room.ask(digest)
    assert await room.spent() == ANSWER, "charged, though nobody got an answer"
    after = await room.ask(digest)
    assert await room.spent() == ANSWER
    repeated = await room.ask(digest)
    fresh = await room.ask(digest, fresh=True)
    assert after.parts == repeated.parts == fresh.parts, "the same question has the same mask"
    assert await room.spent() == 2 * ANSWER, "yet a fresh one is charged in full"


async def test_categories_not_authorized_score_in_their_own_cells(room: Room) -> None:
    codes = ("tax_payment", "social_insurance")
    ((_, frame),) = (await room.ask(await room.grant(categories=codes))).parts
    cells = [
        int(cell) if set(feature.sources) <= set(codes) else feature.not_authorized
        for feature, cell in zip(CATALOGUE.features, ROW, strict=True)
    ]
    assert room.read(frame) == POINTS[OFFSETS + np.array(cells)].sum()


async def test_by_category_each_answer_holds_its_category_and_nothing_else(room: Room) -> None:
    codes = ("enterprise_registration", "tax_credit", "water_usage")
    digest = await room.grant(categories=codes, disclosure=Disclosure.BY_CATEGORY)
    answer = await room.ask(digest, disclosure=Disclosure.BY_CATEGORY)
    assert [category for category, _ in answer.parts] == list(codes)
    for category, frame in answer.parts:
        own = np.array([feature.category == category for feature in CATALOGUE.features])
        assert room.read(frame) == POINTS[(OFFSETS + ROW)[own]].sum()
    assert await room.spent() == 3 * ANSWER


async def test_an_enterprise_without_records_gets_an_answer_like_any_other(room: Room, tmp_path: Path) -> None:
    """Whether there are records is itself something an asker must not learn."""
    digest = await room.grant()
    before = await room.ask(digest)
    empty = np.array([feature.missing for feature in CATALOGUE.features], np.uint16)
    other: NDArray[np.bytes_] = np.array([b"91440300192317458F"])
    room.service._snapshots.write(date(2026, 11, 30), other, empty[None, :])
    room.service._looked -= 10
    ((_, frame),) = (await room.ask(digest, fresh=True)).parts
    assert room.read(frame) == POINTS[OFFSETS + empty].sum()
    assert len(frame) == len(before.parts[0][1])


async def test_a_repeat_says_nothing_about_a_later_snapshot(room: Room) -> None:
    digest = await room.grant()
    first = await room.ask(digest)
    load_snapshot(room.service._snapshots, (ROW + 1) % COUNTS.astype(np.uint16), "2026-11-30")
    room.service._looked -= 10
    again = await room.ask(digest)
    assert (again.receipt, again.parts) == (first.receipt, first.parts)
    assert (await room.ask(digest, fresh=True)).parts != first.parts
