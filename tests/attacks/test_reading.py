"""Attacks of a bank that reads more than a score out of one answer: probing weights, structured noise, division.

Each is run twice: against the obvious design, where it succeeds, and against the enclave's own evaluation.
"""

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from enclave.scoring.linear import evaluate
from tests.attacks.conftest import Report
from tests.attacks.naive import HostileBank, Naive, answer_phase, phase, times
from tests.support.ring import Division, secret
from tests.support.scoring import (
    CELLS,
    COUNTS,
    FEATURES,
    OFFSETS,
    PARAMETERS,
    BankModel,
    encrypt,
    mask_for,
    random_active,
)

N, T, Q, (Q0, Q1) = PARAMETERS.degree, PARAMETERS.plain_modulus, PARAMETERS.modulus, PARAMETERS.primes
BASE = 12
"""Value cells an attacker tells apart in each feature."""
TRIALS = 600


def cap(precision: int = 0) -> float:
    """How many outcomes one answer can tell apart at most: q / 2F."""
    return float(Q / (2 * PARAMETERS.flood_bound(precision)))


def digits(generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A random record with every feature in one of its first 12 cells: (cells within the features, active indices)."""
    cells = generator.integers(0, BASE, FEATURES)
    return cells, OFFSETS + cells


def expanded(number: int, count: int) -> list[int]:
    return [number // BASE**i % BASE for i in range(count)]


def margin(rate: float, trials: int) -> float:
    """Six standard deviations of a measured rate: never by chance."""
    return 6 * math.sqrt(max(rate * (1 - rate), 1 / trials) / trials)


# --- 1. Probing weights ---------------------------------------------------------------------------------------------


def probing_points(count: int, modulus: int) -> NDArray[np.int64]:
    """Points 0, 12^i, 2*12^i, ...: the total is the record in base 12."""
    points = np.zeros(CELLS, np.int64)
    for feature in range(count):
        points[OFFSETS[feature] : OFFSETS[feature] + BASE] = [c * BASE**feature % modulus for c in range(BASE)]
    return points


def test_probing_weights_read_a_large_plaintext(naive: Naive, report: Report) -> None:
    """The obvious design takes the plaintext modulus it is given; with 2^56 one score is fifteen features."""
    count, wide = 15, dataclasses.replace(PARAMETERS, name="wide", plain_modulus=1 << 56)
    bank = HostileBank.generate(wide)
    values = [Q * int(p) // wide.plain_modulus for p in probing_points(count, wide.plain_modulus)]
    model = bank.model(values + [0] * (N - CELLS))
    generator = np.random.default_rng(31)
    for _ in range(5):
        cells, active = digits(generator)
        value = phase(wide, bank.key, naive.evaluate(model, active, flood_bits=20))[0] % Q
        score = (2 * value * wide.plain_modulus + Q) // (2 * Q) % wide.plain_modulus
        assert expanded(score, count) == cells[:count].tolist()
    report(f"naive reads {count} of {count} features out of one score")


def test_probing_weights_read_every_coefficient_the_obvious_design_returns(naive: Naive, report: Report) -> None:
    """Even with our small modulus: weights "1" and a whole ciphertext back are the whole record."""
    points = np.zeros(CELLS, np.int64)
    points[0] = 1
    model = encrypt(points)
    active = random_active(np.random.default_rng(32))
    read = [
        round(value * T / Q) for value in phase(PARAMETERS, model.key, naive.evaluate(model, active, flood_bits=40))
    ]
    found = sorted((N - k) % N for k in range(N) if read[k] in (1, -1))
    assert found == active.tolist()
    report(f"naive returns all {FEATURES} of {FEATURES} features to the weights 1, 0, 0, ...")


@pytest.mark.parametrize("count", [2, 3, 4])
def test_probing_weights_read_no_more_than_the_cap_of_ours(count: int, report: Report) -> None:
    model = encrypt(probing_points(count, T))
    prepared, generator = model.prepared(), np.random.default_rng(33)
    read = 0
    for trial in range(TRIALS):
        cells, active = digits(generator)
        score = model.key.decrypt_coefficient(evaluate(prepared, active, mask_for(active, model=str(trial))))
        read += expanded(score, count) == cells[:count].tolist()
    bound = min(1.0, cap() / BASE**count)
    report(f"ours: {count} features read in {read / TRIALS:.1%} of answers, bound {bound:.1%}")
    assert read / TRIALS <= bound + margin(bound, TRIALS)


# --- 2. Noise -------------------------------------------------------------------------------------------------------

GAP = 48
"""The structured error begins here: above a 40-bit flood, far below Delta = 2^79."""


def structured(shift: int, count: int, step: int = 1) -> list[int]:
    """Points of a scorecard scaled by Delta, plus in cell 0 of feature i an error of 2^(shift + step*i)."""
    points = np.arange(CELLS) % 11
    values = [Q * int(p) // T for p in points] + [0] * (N - CELLS)
    for feature in range(count):
        values[OFFSETS[feature]] += 1 << (shift + step * feature)
    return values


def binary_record(generator: np.random.Generator, count: int) -> tuple[list[int], NDArray[np.int64]]:
    """The first `count` features in cell 0 or 1 at random: the bits to steal."""
    cells = generator.integers(0, COUNTS)
    cells[:count] = generator.integers(0, 2, count)
    return (cells[:count] == 0).astype(int).tolist(), OFFSETS + cells


def test_noise_carries_features_beside_a_correct_score_through_a_40_bit_flood(naive: Naive, report: Report) -> None:
    count = 29
    bank = HostileBank.generate(PARAMETERS)
    model = bank.model(structured(GAP, count))
    points = np.arange(CELLS) % 11
    generator = np.random.default_rng(34)
    for trial in range(5):
        bits, active = binary_record(generator, count)
        value = phase(PARAMETERS, bank.key, naive.evaluate(model, active, flood_bits=40, seed=trial))[0] % Q
        score = (2 * value * T + Q) // (2 * Q) % T
        assert score == points[active].sum() % T, "nothing looks wrong"
        noise = value - Q * score // T
        assert [(noise + (1 << (GAP - 1)) >> (GAP + i)) & 1 for i in range(count)] == bits
    report(f"naive with a 40-bit flood: score right and {count} of {count} features in the noise of one coefficient")


def test_noise_gives_the_whole_record_when_all_coefficients_return(naive: Naive, report: Report) -> None:
    bank = HostileBank.generate(PARAMETERS)
    values = [0] * N
    values[0] = 1 << 60
    active = random_active(np.random.default_rng(35))
    noise = phase(PARAMETERS, bank.key, naive.evaluate(bank.model(values), active, flood_bits=40))
    found = sorted((N - k) % N for k in range(N) if abs(noise[k]) > 1 << 59)
    assert found == active.tolist()
    report(f"naive with a 40-bit flood: {FEATURES} of {FEATURES} features in one error coefficient")


def modulo_q0_phase(bank: HostileBank, ciphertext: NDArray[np.uint64]) -> list[int]:
    product = times(PARAMETERS, secret(bank.key), ciphertext[1])[0].astype(np.int64)
    total = (ciphertext[0, 0].astype(np.int64) + product) % Q0
    return [int(v) - Q0 if v > Q0 // 2 else int(v) for v in total]


def test_switching_the_modulus_does_not_stop_noise(naive: Naive, report: Report) -> None:
    bank = HostileBank.generate(PARAMETERS)
    values = [0] * N
    values[0] = Q // (8 * T)
    active = random_active(np.random.default_rng(36))
    lowered = naive.switched(naive.evaluate(bank.model(values), active, flood_bits=40))
    padded = np.stack([lowered, np.zeros_like(lowered)], axis=1)
    noise = modulo_q0_phase(bank, padded)
    found = sorted((N - k) % N for k in range(N) if abs(noise[k]) > Q0 // (16 * T))
    assert found == active.tolist()
    report(f"naive switched to {Q0.bit_length()} bits: {FEATURES} of {FEATURES} features below Delta")


def test_the_same_noise_drowns_in_our_flood(report: Report) -> None:
    count = 29
    bank = HostileBank.generate(PARAMETERS)
    model = bank.model(structured(GAP, count))
    prepared, generator = model.prepared(), np.random.default_rng(37)
    points, right = np.arange(CELLS) % 11, 0
    for trial in range(TRIALS):
        bits, active = binary_record(generator, count)
        answer = evaluate(prepared, active, mask_for(active, model=str(trial)))
        score = int(points[active].sum()) % T
        noise = answer_phase(PARAMETERS, bank.key, answer) * Q1 - Q * score // T
        noise = (noise + Q // 2) % Q - Q // 2
        right += sum(((noise + (1 << (GAP - 1)) >> (GAP + i)) & 1) == bit for i, bit in enumerate(bits))
    rate = right / (TRIALS * count)
    report(f"ours: {rate:.2%} of the bits right, guessing gives 50.00%")
    assert abs(rate - 0.5) < 0.03, "eight standard deviations"


# --- The best a liar can do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "precision"), [(2, 0), (3, 0), (4, 0), (1, 8), (2, 8), (3, 8)])
def test_a_liar_with_structured_w0_reads_what_the_cap_allows_and_no_more(
    count: int, precision: int, report: Report
) -> None:
    """W decrypts to no scorecard but to 12^count points spread evenly over all of Z_q: no encoding reads more.

    Measured to meet the bound from below, so the flood gives nothing away and the charge is not too high either.
    """
    outcomes = BASE**count
    values = [0] * N
    for feature in range(count):
        for cell in range(BASE):
            values[OFFSETS[feature] + cell] = Q * cell * BASE**feature // outcomes
    bank = HostileBank.generate(PARAMETERS)
    prepared, generator = bank.model(values).prepared(), np.random.default_rng(38 + count)
    read = 0
    for trial in range(TRIALS):
        cells, active = digits(generator)
        answer = evaluate(prepared, active, mask_for(active, model=str(trial), precision=precision))
        guess = round(answer_phase(PARAMETERS, bank.key, answer) * outcomes / Q0) % outcomes
        read += expanded(guess, count) == cells[:count].tolist()
    rate, bound = read / TRIALS, min(1.0, cap(precision) / outcomes)
    report(f"ours: {count} of {FEATURES} features in {rate:.1%} of answers, bound {bound:.1%}")
    assert rate <= bound + margin(bound, TRIALS)
    assert rate >= bound - margin(bound, TRIALS) - 0.02, "the attack is the best one, or it proves nothing"


def test_a_smaller_flood_would_leak_more(report: Report) -> None:
    """F = Delta/4: twice the outcomes. The measurement does see a flood that is too small."""
    outcomes, bound = BASE**3, PARAMETERS.modulus // PARAMETERS.plain_modulus // 4
    values = [0] * N
    for feature in range(3):
        for cell in range(BASE):
            values[OFFSETS[feature] + cell] = Q * cell * BASE**feature // outcomes
    bank = HostileBank.generate(PARAMETERS)
    prepared, generator = bank.model(values).prepared(), np.random.default_rng(45)
    read = 0
    for trial in range(TRIALS):
        cells, active = digits(generator)
        mask = mask_for(active, model=str(trial))
        narrow = dataclasses.replace(mask, flood=mask.flood % (2 * bound) - bound)
        guess = round(answer_phase(PARAMETERS, bank.key, evaluate(prepared, active, narrow)) * outcomes / Q0) % outcomes
        read += expanded(guess, 3) == cells[:3].tolist()
    report(f"flood of Delta/4: 3 of {FEATURES} features in {read / TRIALS:.1%} of answers, ours {cap() / outcomes:.1%}")
    assert read / TRIALS > 0.98


# --- 3. Second component --------------------------------------------------------------------------------------------


def cells_by_division(division: Division, c1: NDArray[np.uint64], w1: NDArray[np.uint64]) -> NDArray[np.int64]:
    """In each feature the cell whose coefficient of c1 / w1 is nearest to that of an active cell."""
    x = division.divide(c1, w1).astype(np.int64)
    expected = np.full(CELLS, Q0 - 1)
    expected[0] = 1
    away = np.abs(x[(N - np.arange(CELLS)) % N] - expected)
    ends = [*OFFSETS[1:].tolist(), CELLS]
    return np.array([start + int(np.argmin(away[start:end])) for start, end in zip(OFFSETS, ends, strict=True)])


def test_the_second_component_gives_the_record_by_one_division(naive: Naive, honest: BankModel, report: Report) -> None:
    """c1 = x*w1 and the bank knows w1: no key is needed, not even the bank's own."""
    active = random_active(np.random.default_rng(51))
    c1 = naive.evaluate(honest, active, flood_bits=40)[1, 0]
    found = cells_by_division(Division(PARAMETERS), c1, honest.weights[1, 0])
    assert found.tolist() == active.tolist()
    report(f"naive: {FEATURES} of {FEATURES} features by c1 / w1")


def test_the_second_component_of_ours_gives_nothing(honest: BankModel, report: Report) -> None:
    division, prepared, generator = Division(PARAMETERS), honest.prepared(), np.random.default_rng(52)
    right, trials = 0, 8
    w1 = honest.weights[1, 0]
    for trial in range(trials):
        active = random_active(generator)
        answer = evaluate(prepared, active, mask_for(active, model=str(trial)))
        unswitched = answer.c1 * np.uint64(Q1 % Q0) % np.uint64(Q0)
        for c1 in (answer.c1, unswitched):
            right += int((cells_by_division(division, c1, w1) == active).sum())
    rate, chance = right / (2 * trials * FEATURES), float((1 / COUNTS).mean())
    report(f"ours: {rate:.1%} of features, guessing gives {chance:.1%}")
    assert abs(rate - chance) < margin(chance, 2 * trials * FEATURES)
