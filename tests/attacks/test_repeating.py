"""Attacks that compare answers: a reused mask, a change oracle, and errors or sizes that depend on the record."""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray
from xinyidai.authorization import authorization_digest
from xinyidai.framing import encode_answer

from enclave.authority.ledger import Stored
from enclave.matrix import CellSelector
from enclave.scoring.linear import evaluate, record_polynomial
from tests.attacks.conftest import Report
from tests.attacks.naive import times
from tests.support.authority import ANSWER, BANK, ENTERPRISE, make_trust
from tests.support.evaluator import Clock, build_service, load_snapshot
from tests.support.library import Library
from tests.support.ring import Division
from tests.support.scoring import (
    CATALOGUE,
    CELLS,
    COUNTS,
    FEATURES,
    OFFSETS,
    PARAMETERS,
    BankModel,
    encrypt,
    mask_for,
    random_active,
    random_points,
)

N, (Q0, Q1) = PARAMETERS.degree, PARAMETERS.primes
CODES = tuple(c.code for c in CATALOGUE.categories)
SMALL = "honor_policy_support"
"""A category of three features, 34 thousand possible records: small enough to search."""


def active_of(category: str, generator: np.random.Generator) -> NDArray[np.int64]:
    row = generator.integers(0, COUNTS).astype(np.uint16)
    return CellSelector.build(CATALOGUE, CODES, category).active(row)


def second_model(model: BankModel) -> BankModel:
    """Other weights under the same P, so that what is reused is the mask as a whole."""
    other = encrypt(random_points(np.random.default_rng(61)))
    return dataclasses.replace(other, zero=model.zero)


# --- 4. Mask reuse --------------------------------------------------------------------------------------------------


def test_one_mask_under_two_models_gives_the_record_by_one_division(honest: BankModel, report: Report) -> None:
    """The obvious repair of the second component, c1 = x*w1 + u*p1, with u drawn once a record."""
    other, active = second_model(honest), random_active(np.random.default_rng(62))
    mask = mask_for(active)
    x = record_polynomial(PARAMETERS, active)
    answers = [
        (times(PARAMETERS, x, m.weights[1])[0] + times(PARAMETERS, mask.u, m.zero[1])[0]) % np.uint64(Q0)
        for m in (honest, other)
    ]
    q0 = np.uint64(Q0)
    product, factor = ((a + q0 - b) % q0 for a, b in (answers, (honest.weights[1, 0], other.weights[1, 0])))
    read = Division(PARAMETERS).divide(product, factor)
    assert np.array_equal(read, (x % Q0).astype(np.uint64))
    report(f"naive mask: {FEATURES} of {FEATURES} features by (c1 - c1') / (w1 - w1')")


def column(component: NDArray[np.uint64], k: int) -> NDArray[np.float64]:
    """What each active cell j adds to coefficient k of x*w, in units of q, signs included: a number in [0, 1)."""
    q0, q1 = PARAMETERS.primes
    lifted = np.empty(CELLS)
    for j in range(CELLS):
        # x holds -X^(N-j), so coefficient k takes w_(k+j), with another sign past the end; cell 0 is +1.
        at, sign = (k + j, 1) if k + j < N else (k + j - N, -1)
        a, b = (int(component[i, at]) for i in range(2))
        value = b + q1 * ((a - b) * INVERSE % q0)
        lifted[j] = (sign * value / (q0 * q1)) % 1.0
    return lifted


INVERSE = pow(Q1, -1, Q0)


def search(category: str, observed: Sequence[float], columns: Sequence[NDArray[np.float64]]) -> list[tuple[int, ...]]:
    """Every record of a small category that explains coefficients 0..3 of a difference of answers."""
    features = [i for i, f in enumerate(CATALOGUE.features) if f.category == category]
    ranges = [OFFSETS[i] + np.arange(COUNTS[i]) for i in features]
    grid = np.stack([axis.reshape(-1) for axis in np.meshgrid(*ranges, indexing="ij")], axis=1)
    for k in range(4):
        sums = columns[k][grid].sum(axis=1)
        away = np.abs((sums - observed[k] + 0.5) % 1.0 - 0.5)
        grid = grid[away < 8 / Q0]
    return [tuple(int(v) for v in row) for row in grid]


@pytest.mark.parametrize("reused", [True, False], ids=["mask reused", "as the enclave does"])
def test_two_models_of_one_category(reused: bool, honest: BankModel, report: Report) -> None:
    """Against the enclave's own evaluation: what protects is that the mask depends on the model."""
    other, generator, found = second_model(honest), np.random.default_rng(63), 0
    columns = [column(honest.weights[1], k) - column(other.weights[1], k) for k in range(4)]
    for _ in range(5):
        active = active_of(SMALL, generator)
        masks = [mask_for(active, model=name, category=SMALL) for name in ("a", "a" if reused else "b")]
        c1, c1_other = (
            evaluate(m.prepared(), active, mask).c1.astype(np.int64)
            for m, mask in zip((honest, other), masks, strict=True)
        )
        difference = (c1 - c1_other)[:4] / Q0
        found += search(SMALL, difference.tolist(), columns) == [tuple(active.tolist())]
    report(f"{found} of 5 records of {SMALL} found")
    assert found == (5 if reused else 0)


@pytest.mark.parametrize("reused", [True, False], ids=["mask reused", "as the enclave does"])
def test_two_categories_of_one_model(reused: bool, honest: BankModel, report: Report) -> None:
    """The bank knows one category (its customer told it) and searches the other."""
    generator, prepared, found = np.random.default_rng(64), honest.prepared(), 0
    columns = [column(honest.weights[1], k) for k in range(4)]
    for _ in range(5):
        known, unknown = active_of("tax_credit", generator), active_of(SMALL, generator)
        first = mask_for(known, category="tax_credit")
        second = first if reused else mask_for(unknown, category=SMALL)
        a, b = (evaluate(prepared, x, m).c1.astype(np.int64) for x, m in ((known, first), (unknown, second)))
        observed = [(b[k] - a[k]) / Q0 + columns[k][known].sum() for k in range(4)]
        found += search(SMALL, observed, columns) == [tuple(unknown.tolist())]
    report(f"{found} of 5 records of {SMALL} found")
    assert found == (5 if reused else 0)


# --- 5. Change oracle -----------------------------------------------------------------------------------------------


def test_free_repeats_evaluated_anew_are_a_free_bit_each(honest: BankModel, report: Report) -> None:
    """A mask derived from the record repeats exactly when nothing changed."""
    generator, prepared, right, trials = np.random.default_rng(65), honest.prepared(), 0, 40
    for _ in range(trials):
        before = random_active(generator)
        changed = bool(generator.integers(0, 2))
        after = random_active(generator) if changed else before
        first, second = (encode_answer(evaluate(prepared, x, mask_for(x))) for x in (before, after))
        right += (first != second) == changed
    report(f"naive repeats: {right} of {trials} changes told, at no charge")
    assert right == trials


async def test_our_repeats_are_the_stored_answer_whatever_happened(
    report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    generator = np.random.default_rng(66)
    row = generator.integers(0, COUNTS).astype(np.uint16)
    service, _ = await build_service(
        tmp_path_factory.mktemp("enclave"), make_trust(bank_bits=1000, total_bits=1000), row
    )
    await service.register_key(ENTERPRISE.key_registration(Clock.now))
    frames = BANK.frames()
    model = (await service.register_model(BANK.registration(frames, Clock.now), *frames)).model_id
    token = ENTERPRISE.terms(BANK, Clock.now).sign(ENTERPRISE.key)
    await service.submit_authorization(token)
    equal, trials, digest = 0, 20, authorization_digest(token)

    async def ask(*, fresh: bool) -> Stored:
        _, (outcome,) = await service.assess(BANK.request(model, digest, Clock.now, fresh=fresh))
        assert isinstance(outcome, Stored)
        return outcome

    first = await ask(fresh=False)
    for _ in range(trials):
        if generator.integers(0, 2):
            row = generator.integers(0, COUNTS).astype(np.uint16)
            load_snapshot(service._snapshots, row)
            service._looked -= 10
        equal += (await ask(fresh=False)).parts == first.parts
    assert equal == trials, "so a repeat tells nothing"
    for _ in range(2):
        await ask(fresh=True)
    usage = await service.usage(ENTERPRISE.access(Clock.now), 1 << 60, 100)
    assert usage.budgets[0][2] == 3 * ANSWER
    report(f"ours: {equal} of {trials} repeats equal, changed or not; asking again costs {ANSWER / 100} bits")
    await service.close()


# --- 6. Data-dependent errors and sizes -----------------------------------------------------------------------------


def test_the_library_refuses_an_empty_record_aloud(honest: BankModel, report: Report) -> None:
    """No records of a category: a zero operand, an error, and the bank knows."""
    library = Library(PARAMETERS)
    with pytest.raises(RuntimeError, match="transparent"):
        library.times(honest.weights, np.zeros(N, np.int64))
    library.times(honest.weights, record_polynomial(PARAMETERS, np.array([5])))
    report("naive: an empty category raises, a filled one does not")


def test_compressed_answers_of_the_obvious_design_differ_in_size(report: Report) -> None:
    """A bank that may choose both components sends c1 = 1, and the library's own format compresses c1*x = x."""
    library, trivial = Library(PARAMETERS), np.zeros((2, 2, N), np.uint64)
    trivial[1, :, 0] = 1
    few, many = np.array([5]), random_active(np.random.default_rng(67))
    sizes = [library.saved_bytes(library.times(trivial, record_polynomial(PARAMETERS, a))) for a in (few, many)]
    report(f"naive: {sizes[0]} bytes for one active cell, {sizes[1]} for {FEATURES}")
    assert sizes[0] < sizes[1]


def test_our_answers_are_all_of_one_size_and_none_raises(honest: BankModel, report: Report) -> None:
    prepared, generator = honest.prepared(), np.random.default_rng(68)
    cases = [np.empty(0, np.int64), np.array([0]), np.array([N - 1]), np.arange(N)]
    cases += [random_active(generator) for _ in range(20)]
    sizes = {len(encode_answer(evaluate(prepared, active, mask_for(active)))) for active in cases}
    compressor = zstandard.ZstdCompressor()
    compressed = {
        len(compressor.compress(encode_answer(evaluate(prepared, active, mask_for(active))))) for active in cases
    }
    digests = {hashlib.sha256(encode_answer(evaluate(prepared, a, mask_for(a)))).digest() for a in cases}
    report(f"ours: {sizes} bytes for 0, 1, {FEATURES} and {N} active cells; compressed {sorted(compressed)}")
    assert len(sizes) == 1 and len(digests) == len(cases)
    assert min(compressed) >= min(sizes), "nothing in an answer compresses"
