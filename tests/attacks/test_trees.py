"""Attacks on trees by a bank that lies about everything it uploads: columns, leaves, zero and switching keys.

The evaluation of trees is a function the bank chooses, of ciphertexts it made, under keys it made. All that protects
the enterprise is what happens to the result: one coefficient, the flood, the fresh mask. So the cap must hold whatever
was uploaded, and nothing uploaded may raise an error or end a worker.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from xinyidai.framing import (
    FrameKind,
    Residues,
    SeededCiphertext,
    TreeShape,
    decode_answer,
    encode_leaves,
    encode_seeded,
)
from xinyidai.parameters import TREES_8192
from xinyidai.seal import SecretKey, expand
from xinyidai.seal_trees import make_switching_keys, switching_frames

from enclave.scoring.evaluator import Job
from enclave.scoring.masking import Mask
from enclave.scoring.pool import WorkerPool
from enclave.scoring.tree_files import UPLOAD
from enclave.scoring.trees import PreparedTrees, evaluate, packed_columns, prepare
from tests.support.trees import mask_of

N, T, Q, (Q0, Q1, Q2) = TREES_8192.degree, TREES_8192.plain_modulus, TREES_8192.modulus, TREES_8192.primes
F = TREES_8192.flood_bound(0)
FEATURES, BASE = 4, 12
CELLS = FEATURES * BASE
SHAPE = TreeShape(depth=1, packing=1)
TRIALS = 100


def records(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random cells of four features, and the active indices, for each trial."""
    cells = np.random.default_rng(seed).integers(0, BASE, (TRIALS, FEATURES))
    return cells, cells + BASE * np.arange(FEATURES)


def packed(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Columns that are constants: the liar needs no leaves. Halved, since the projection doubles."""
    plain = np.zeros((packed_columns(CELLS, 1), N), np.int64)
    plain[:, 0], plain[:, 1] = (values[i::2] * pow(2, -1, T) % T for i in (0, 1))
    return plain


class Liar:
    """A bank whose whole model is "minus the sum of these numbers": depth 1, (1 - c) times leaves that are one."""

    def __init__(self, values: NDArray[np.int64]) -> None:
        self.key = SecretKey.generate(TREES_8192)
        self.columns = [self.key.encrypt_weights(plain) for plain in packed(values)]
        one = np.zeros(N, np.int64)
        one[0] = 1
        self.leaves, self.zero = self.key.encrypt_weights(one), self.key.encrypt_zero()
        self.switching = make_switching_keys(self.key, 1)

    def prepared(self) -> PreparedTrees:
        columns = np.stack([expand(column) for column in self.columns])
        return prepare(TREES_8192, SHAPE, self.leaves, self.zero, self.switching, columns)

    def phase(self, model: PreparedTrees, active: NDArray[np.int64], mask: Mask) -> float:
        """What the liar sees, modulo t and as finely as the answer has it: not rounded to a score."""
        answer = evaluate(model, active, mask)
        s, c1 = self.key._coefficients, answer.c1.astype(np.int64)
        product = int(c1[0] * s[0]) - int(np.dot(c1[1:], s[:0:-1]))
        shifts = TREES_8192.first_component_shift, TREES_8192.second_component_shift
        return ((answer.c0 << shifts[0]) + (product << shifts[1])) % Q0 * T / Q0


def probing(count: int) -> tuple[Liar, NDArray[np.int64], int]:
    """A liar whose number is the record in base 12, spread over the plaintext space: (liar, weights, spacing)."""
    weights = np.array([BASE**i if i < count else 0 for i in range(FEATURES)])
    apart = T // BASE**count
    return Liar((np.arange(CELLS) % BASE) * weights[np.arange(CELLS) // BASE] * apart), weights, apart


def margin(rate: float) -> float:
    """Six standard deviations of a measured rate: never by chance."""
    return 6 * math.sqrt(max(rate * (1 - rate), 1 / TRIALS) / TRIALS)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_liar_reads_what_the_cap_allows_and_no_more(count: int) -> None:
    """The best use of the whole plaintext space: every combination of `count` features t / 12^count apart."""
    liar, weights, apart = probing(count)
    model, read = liar.prepared(), 0
    for trial, (cells, active) in enumerate(zip(*records(count), strict=True)):
        seen = (1 - liar.phase(model, active, mask_of(trial))) % T
        read += round(seen / apart) == int(cells @ weights)
    bound = min(1.0, Q / (2 * F) / BASE**count)
    assert bound - margin(bound) <= read / TRIALS <= bound + margin(bound)


def test_without_the_flood_the_same_liar_reads_every_feature() -> None:
    """The control: it is the flood that stops it."""
    liar, weights, apart = probing(FEATURES)
    model = liar.prepared()
    for trial, (cells, active) in enumerate(zip(*(r[:20] for r in records(9)), strict=True)):
        drawn = mask_of(trial)
        seen = (1 - liar.phase(model, active, Mask(drawn.u, drawn.error, 0))) % T
        assert round(seen / apart) == int(cells @ weights)


def structured_noise() -> tuple[Liar, PreparedTrees, float]:
    """An error in the column of cell 0, so small that the score is right: (liar, model, the shift of the phase).

    The product amplifies it by a factor that depends on the leaves' seed, so a liar draws until it likes the shift.
    """
    while True:
        liar = Liar(np.zeros(CELLS, np.int64))
        marked, error = liar.columns[0], Q * Q2 // T >> 19
        residues = marked.residues.copy()
        residues[:, 0] = [(int(r) + error) % p for r, p in zip(residues[:, 0], TREES_8192.primes, strict=True)]
        liar.columns[0] = SeededCiphertext(marked.parameters, marked.seed, residues)
        model, quiet = liar.prepared(), Mask(mask_of(0).u, mask_of(0).error, 0)
        shift = liar.phase(model, OTHERS, quiet) - liar.phase(model, MARKED, quiet)
        if 1 < abs(shift) < 8:
            return liar, model, shift


MARKED = np.arange(FEATURES) * BASE
OTHERS = MARKED + 1


def test_structured_noise_drowns_in_the_flood() -> None:
    """One bit of the record beside a correct score: there without the flood, nearly a coin toss under it."""
    liar, model, shift = structured_noise()
    bits, right = np.random.default_rng(11).integers(0, 2, TRIALS), 0
    for trial, bit in enumerate(bits.tolist()):
        seen = liar.phase(model, MARKED if bit else OTHERS, mask_of(trial))
        off = (1 - seen + T / 2) % T - T / 2
        right += ((off > 0) == (shift > 0)) == bool(bit)
    advantage = abs(shift) / (2 * TREES_8192.score_step)
    assert abs(right / TRIALS - 0.5) < advantage + margin(0.5)


def circular_distance(a: Residues, b: Residues) -> float:
    """Mean distance of coefficients of c1, as a share of the modulus: 1/4 for unrelated ones."""
    width = 1 << TREES_8192.second_component_bits
    difference = (a.astype(np.int64) - b.astype(np.int64)) % width
    return float(np.minimum(difference, width - difference).mean() / width)


def test_the_second_component_is_masked_by_what_nobody_chose() -> None:
    """The bank can evaluate its own model on every guess of the record and compare second components."""
    liar = Liar(np.arange(CELLS))
    model = liar.prepared()
    guesses = [np.array([a, BASE + b, 2 * BASE, 3 * BASE]) for a in range(3) for b in range(3)]
    drawn = mask_of(21)
    unmasked = Mask(np.zeros(N, np.int64), np.zeros(N, np.int64), drawn.flood)
    for number, guess in enumerate(guesses):
        without, with_mask = (evaluate(model, guess, mask).c1 for mask in (nearly(unmasked), drawn))
        own = [circular_distance(without, evaluate(model, g, nearly(unmasked)).c1) for g in guesses]
        assert own.index(min(own)) == number and min(own) == 0, "unmasked, one comparison names the record"
        others = [circular_distance(with_mask, evaluate(model, g, nearly(unmasked)).c1) for g in guesses]
        assert all(abs(distance - 0.25) < 0.01 for distance in others), "masked, every guess is equally far"


def nearly(mask: Mask) -> Mask:
    """The library refuses a product with zero; one coefficient will do."""
    u = mask.u.copy()
    u[0] = 1
    return Mask(u, mask.error, mask.flood)


def test_two_answers_with_the_same_score_have_unrelated_second_components() -> None:
    liar = Liar(np.zeros(CELLS, np.int64))
    model, active = liar.prepared(), np.arange(FEATURES) * BASE
    answers = [evaluate(model, active, mask_of(seed)).c1 for seed in (1, 2)]
    assert abs(circular_distance(*answers) - 0.25) < 0.01


def garbage(kind: str, seed: bytes, rows: int, generator: np.random.Generator) -> SeededCiphertext:
    primes = (*TREES_8192.primes, TREES_8192.special_prime)[:rows]
    rows_of = {
        "zeros": [np.zeros(N, np.uint64) for _ in primes],
        "largest": [np.full(N, prime - 1, np.uint64) for prime in primes],
        "random": [generator.integers(0, prime, N, np.uint64) for prime in primes],
    }
    return SeededCiphertext(TREES_8192, seed, np.stack(rows_of[kind]))


def pid(pool: WorkerPool) -> int:
    """Of the only worker, which is idle."""
    worker = pool._idle.get_nowait()
    pool._idle.put_nowait(worker)
    assert worker is not None
    return worker._process.pid


@pytest.mark.parametrize("kind", ["zeros", "largest", "random"])
async def test_garbage_in_every_place_is_answered_like_anything_else(kind: str, tmp_path: Path) -> None:
    """Keys, columns, leaves and zero that are no encryption of anything: depth 5, so that every operation is used."""
    generator = np.random.default_rng(30)
    shape = TreeShape(depth=5, packing=4)
    folder = tmp_path / ("0" * 64)
    folder.mkdir()
    made = [garbage(kind, generator.bytes(64), 3, generator) for _ in range(2 + packed_columns(CELLS, 4))]
    keys = [garbage(kind, generator.bytes(64), 4, generator) for _ in range(switching_frames(TREES_8192, 4))]
    leaves, zero = encode_leaves(made[0], shape), encode_seeded(made[1], FrameKind.ZERO)
    switching = [encode_seeded(key, FrameKind.SWITCH) for key in keys]
    columns = [encode_seeded(column, FrameKind.COLUMNS) for column in made[2:]]
    (folder / UPLOAD).write_bytes(b"".join([leaves, zero, *switching, *columns]))

    async def frames(_: str) -> tuple[bytes, bytes]:
        return leaves, zero

    pool = WorkerPool(1, frames, tmp_path)
    try:
        await pool.check_trees(folder)
        process = pid(pool)
        jobs = [Job("0" * 64, bytes([i]) * 32, 0, active, TREES_8192) for i, active in enumerate(records(31)[1][:6])]
        answers = await pool.evaluate(jobs)
        assert len({len(answer) for answer in answers}) == 1
        assert len({decode_answer(answer).c1.tobytes() for answer in answers}) == 6
        assert pid(pool) == process, "the same process still serves"
    finally:
        await pool.close()
