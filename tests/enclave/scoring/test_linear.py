"""One-coefficient scoring is exact: the decrypted answer is the sum of the active cells' points, always."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tenseal.sealapi as sealapi
from numpy.typing import NDArray
from xinyidai.framing import AnswerCiphertext, FrameKind, decode_answer, encode_answer, frame_bytes

from enclave.scoring.linear import evaluate, prepare, record_polynomial
from enclave.scoring.masking import Mask
from tests.support.library import Library
from tests.support.ring import exact_answer, lower, product
from tests.support.scoring import (
    CELLS,
    FEATURES,
    PARAMETERS,
    BankModel,
    encrypt,
    mask_for,
    random_active,
    random_points,
)

N, (Q0, Q1), T = PARAMETERS.degree, PARAMETERS.primes, PARAMETERS.plain_modulus
NOTHING = np.empty(0, np.int64)


@pytest.fixture(scope="module")
def bank() -> tuple[BankModel, NDArray[np.int64]]:
    points = random_points(np.random.default_rng(1))
    return encrypt(points), points


def circular(a: int, b: int) -> int:
    return min((a - b) % T, (b - a) % T)


def test_1000_of_1000_random_scores_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(2)
    exact, longest = 0, 0
    for number in range(50):
        points = random_points(generator)
        model = encrypt(points)
        prepared = model.prepared()
        for _ in range(20):
            active = random_active(generator)
            frame = encode_answer(evaluate(prepared, active, mask_for(active, model=f"model-{number}")))
            longest = max(longest, len(frame))
            exact += model.key.decrypt_coefficient(decode_answer(frame)) == points[active].sum()
    with capsys.disabled():
        print(
            f"\n  exact scores: {exact} of 1000 over {FEATURES} features, {CELLS} cells; answer {longest} bytes ",
            end="",
        )
    assert exact == 1000
    assert longest == frame_bytes(FrameKind.ANSWER, PARAMETERS) <= 15 * 1000


@pytest.mark.parametrize("active", ["cheapest", "dearest"])
def test_the_ends_of_the_scale_are_exact_with_the_flood_at_its_ends(active: str) -> None:
    points = np.zeros(CELLS, np.int64)
    points[0] = T - 1
    model = encrypt(points)
    prepared, key = model.prepared(), model.key
    cell = np.array([0 if active == "dearest" else 1], np.int64)
    bound = PARAMETERS.flood_bound(0)
    for flood in (-bound, -bound + 1, -1, 0, bound - 1):
        for seed in range(8):
            mask = dataclasses.replace(mask_for(cell, model=str(seed)), flood=flood)
            assert key.decrypt_coefficient(evaluate(prepared, cell, mask)) == points[cell].sum()


@pytest.mark.parametrize("precision", [1, 8, 31, 255])
def test_a_coarser_answer_is_within_its_precision(precision: int, bank: tuple[BankModel, NDArray[np.int64]]) -> None:
    model, points = bank
    prepared, generator = model.prepared(), np.random.default_rng(precision)
    distances = []
    for number in range(60):
        active = random_active(generator)
        mask = mask_for(active, model=str(number), precision=precision)
        read = model.key.decrypt_coefficient(evaluate(prepared, active, mask))
        distances.append(circular(read, int(points[active].sum())))
    assert max(distances) <= precision
    assert len(set(distances)) > 1, "a flood this wide must show"


@pytest.mark.parametrize("precision", [0, 1, 8, 255])
def test_no_flood_takes_a_coarser_answer_beyond_its_precision(
    precision: int, bank: tuple[BankModel, NDArray[np.int64]]
) -> None:
    model, points = bank
    prepared, bound = model.prepared(), PARAMETERS.flood_bound(precision)
    active = random_active(np.random.default_rng(9))
    for flood in (-bound, bound - 1):
        mask = dataclasses.replace(mask_for(active, precision=precision), flood=flood)
        read = model.key.decrypt_coefficient(evaluate(prepared, active, mask))
        assert circular(read, int(points[active].sum())) == precision


def library_answer(library: Library, model: BankModel, active: NDArray[np.int64], mask: Mask) -> AnswerCiphertext:
    """The protocol by the library's own Evaluator, modulus switch included."""
    added = sealapi.Ciphertext()
    library.evaluator.add(
        library.times(model.weights, record_polynomial(PARAMETERS, active)), library.times(model.zero, mask.u), added
    )
    flood = lower(PARAMETERS, [mask.flood, *[0] * (N - 1)])
    error = lower(PARAMETERS, mask.error.tolist())
    total: Any = sealapi.Ciphertext()
    library.evaluator.add(added, library.ciphertext(np.stack([flood, error])), total)
    library.evaluator.mod_switch_to_next_inplace(total)
    first, second = library.residues(total, primes=1)[:, 0]
    shift = PARAMETERS.first_component_shift
    return AnswerCiphertext(PARAMETERS, (int(first[0]) + (1 << (shift - 1))) >> shift, second)


def test_the_answer_is_bit_identical_with_the_library(bank: tuple[BankModel, NDArray[np.int64]]) -> None:
    model, points = bank
    library, prepared, generator = Library(PARAMETERS), model.prepared(), np.random.default_rng(3)
    for _ in range(5):
        active = random_active(generator)
        mask = mask_for(active)
        ours, theirs = evaluate(prepared, active, mask), library_answer(library, model, active, mask)
        assert encode_answer(ours) == encode_answer(theirs)
        assert library.decrypt_answer(model.key, ours) == points[active].sum()


def test_the_answer_is_what_exact_integers_say(bank: tuple[BankModel, NDArray[np.int64]]) -> None:
    model, _ = bank
    active = random_active(np.random.default_rng(4))
    mask = mask_for(active)
    ours = evaluate(model.prepared(), active, mask)
    assert encode_answer(ours) == encode_answer(exact_answer(PARAMETERS, model.weights, model.zero, active, mask))


def constant(value0: int, value1: int) -> NDArray[np.uint64]:
    row = np.stack([np.full(N, value0, np.uint64), np.full(N, value1, np.uint64)])
    return np.stack([row, row])


LARGEST_LIMBS = sum(-(1 << 19) << shift for shift in (0, 20)) - (Q1 // 2 >> 41 << 41)
EXTREMES = {
    "all zero": (0, 0),
    "all one below the prime": (Q0 - 1, Q1 - 1),
    "largest positive": (Q0 // 2, Q1 // 2),
    "largest negative": (Q0 // 2 + 1, Q1 // 2 + 1),
    "largest limbs": (Q0 // 2 - (Q0 // 2 & 0x7FFF) + (1 << 14), LARGEST_LIMBS % Q1),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_the_transform_is_exact_on_its_worst_inputs(name: str) -> None:
    """Every residue, every cell and every coefficient of u at an extreme, all pulling the same way."""
    residues = constant(*EXTREMES[name])
    everything = np.arange(N)
    for sign in (1, -1):
        mask = Mask(
            np.full(N, sign, np.int64), np.full(N, 21 * sign, np.int64), sign * (PARAMETERS.flood_bound(255) - 1)
        )
        ours = evaluate(prepare(PARAMETERS, residues, residues), everything, mask)
        assert encode_answer(ours) == encode_answer(exact_answer(PARAMETERS, residues, residues, everything, mask))


def test_the_transform_is_exact_on_alternating_extremes() -> None:
    """The other worst case: all energy in one frequency of the transform."""
    pattern = np.arange(N) % 2 == 0
    rows = [np.where(pattern, prime // 2, prime // 2 + 1).astype(np.uint64) for prime in PARAMETERS.primes]
    residues = np.stack([np.stack(rows)] * 2)
    mask = Mask(np.where(pattern, 1, -1), np.zeros(N, np.int64), 0)
    ours = evaluate(prepare(PARAMETERS, residues, residues), np.arange(0, N, 2), mask)
    assert encode_answer(ours) == encode_answer(exact_answer(PARAMETERS, residues, residues, np.arange(0, N, 2), mask))


def test_without_active_cells_the_answer_is_mask_and_flood_alone(bank: tuple[BankModel, NDArray[np.int64]]) -> None:
    model, _ = bank
    mask = mask_for(NOTHING)
    answer = evaluate(model.prepared(), NOTHING, mask)
    assert model.key.decrypt_coefficient(answer) == 0
    other = encrypt(random_points(np.random.default_rng(5)))
    same_zero = prepare(PARAMETERS, other.weights, model.zero)
    assert encode_answer(evaluate(same_zero, NOTHING, mask)) == encode_answer(answer), "the weights must not matter"
    assert len(encode_answer(answer)) == frame_bytes(FrameKind.ANSWER, PARAMETERS)


def test_the_same_question_has_the_same_bytes(bank: tuple[BankModel, NDArray[np.int64]]) -> None:
    model, _ = bank
    active = random_active(np.random.default_rng(6))
    first, second = (encode_answer(evaluate(model.prepared(), active, mask_for(active))) for _ in range(2))
    assert first == second


def test_the_record_polynomial_picks_coefficients_into_the_constant_one() -> None:
    """(sum of w_j X^j) * (-X^(N-j)) has w_j as its constant coefficient, and cell 0 needs no turn."""
    weights = list(range(1, N + 1))
    for cells in ([0], [1], [N - 1], [0, 1, 17, N - 1]):
        x = record_polynomial(PARAMETERS, np.array(cells))
        assert product(x.tolist(), weights, Q1)[0] == sum(weights[j] for j in cells)
