"""Tree ensembles under encryption: exact for every record and every flood, whatever cells are active.

`XYD_CAMPAIGN=long` takes 100 trees over 40 features of 16 cells and 200 records a depth.
"""

import os
from math import factorial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from xinyidai.framing import Residues, decode_answer, encode_answer
from xinyidai.packing import pack_columns, packing_for, spread_leaves
from xinyidai.parameters import LINEAR_4096_T1024, TREES_8192
from xinyidai.seal import SecretKey

from bank_sdk.models.encryption import encrypt_trees
from bank_sdk.models.trees import TreeModel
from enclave.errors import Refused
from enclave.scoring.evaluator import Job
from enclave.scoring.masking import MaskFields, expand_mask, mask_key
from enclave.scoring.pool import WorkerPool
from enclave.scoring.tree_files import UPLOAD
from enclave.scoring.trees import _times, combine, evaluate, evaluate_nothing
from tests.support.trees import (
    active_of,
    bank_trees,
    mask_of,
    pinned,
    prepared,
    random_cells,
    random_ensemble,
    small_catalogue,
)

LONG = os.environ.get("XYD_CAMPAIGN") == "long"
FEATURES, CELLS = (40, 16) if LONG else (10, 8)
TREES, RECORDS = (100, 200) if LONG else (24, 9)
CATALOGUE = small_catalogue(FEATURES, CELLS)
T, N, Q = TREES_8192.plain_modulus, TREES_8192.degree, TREES_8192.modulus
F = TREES_8192.flood_bound(0)
FLOODS = (None, -F, F - 1)
"""Drawn, and pinned at both ends of its range."""


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_every_score_is_exact_with_the_flood_anywhere(depth: int) -> None:
    generator = np.random.default_rng(depth)
    bank = bank_trees(random_ensemble(CATALOGUE, TREES, depth, generator))
    for number in range(RECORDS):
        cells = random_cells(CATALOGUE, generator)
        mask, flood = mask_of(number), FLOODS[number % len(FLOODS)]
        mask = mask if flood is None else pinned(mask, flood)
        frame = encode_answer(evaluate(bank.prepared, active_of(CATALOGUE, cells), mask))
        points = bank.key.decrypt_coefficient(decode_answer(frame))
        assert points + bank.model.offset == bank.model.score_cells(cells.tolist())


def test_a_coarser_precision_moves_the_score_by_that_much_and_no_more() -> None:
    generator = np.random.default_rng(11)
    bank, precision = bank_trees(random_ensemble(CATALOGUE, 8, 2, generator)), 7
    cells = random_cells(CATALOGUE, generator)
    exact = bank.model.score_cells(cells.tolist()) - bank.model.offset
    bound = TREES_8192.flood_bound(precision)
    found = [
        bank.key.decrypt_coefficient(
            evaluate(bank.prepared, active_of(CATALOGUE, cells), pinned(mask_of(1, precision), flood))
        )
        for flood in (-bound, bound - 1)
    ]
    assert [(points - exact + 512) % 1024 - 512 for points in found] == [-precision, precision]


def phase_noise(key: SecretKey, result: Residues, points: int) -> int:
    """What the phase of coefficient 0 modulo q0 * q1 is off by, without flood."""
    q0, q1 = TREES_8192.primes[:2]
    inverse = pow(q1, -1, q0)
    rows = [[int(b) + q1 * ((int(a) - int(b)) * inverse % q0) for a, b in zip(*part, strict=True)] for part in result]
    s: list[int] = key._coefficients.tolist()
    phase = rows[0][0] + rows[1][0] * s[0] - sum(c * k for c, k in zip(rows[1][1:], s[:0:-1], strict=True))
    offset: int = (phase - points * TREES_8192.score_step * Q // T) % Q
    return offset - Q if offset > Q // 2 else offset


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_the_noise_of_an_honest_model_is_far_below_what_is_reserved_for_it(depth: int) -> None:
    """Not how the reserve was found: it is a constant. docs/protocol.md bounds the noise; this holds that in check."""
    generator = np.random.default_rng(20 + depth)
    bank = bank_trees(random_ensemble(CATALOGUE, TREES, depth, generator))
    for number in range(3):
        cells = random_cells(CATALOGUE, generator)
        combined = combine(bank.prepared, active_of(CATALOGUE, cells))
        result = bank.prepared.evaluation.evaluate(combined, mask_of(number).u)
        points = bank.model.score_cells(cells.tolist()) - bank.model.offset
        assert abs(phase_noise(bank.key, result, points)) < Q // T >> 40, "36 bits below an eighth of Delta"


def test_the_answer_that_holds_nothing_has_the_same_size_and_decrypts_to_nothing_of_the_record() -> None:
    bank = bank_trees(random_ensemble(CATALOGUE, 4, 2, np.random.default_rng(12)))
    nothing = evaluate_nothing(bank.prepared, mask_of(3))
    something = evaluate(bank.prepared, active_of(CATALOGUE, np.zeros(FEATURES, np.int64)), mask_of(3))
    assert len(encode_answer(nothing)) == len(encode_answer(something)) == 34_825
    assert bank.key.decrypt_coefficient(nothing) == 0


def test_what_is_added_up_is_the_columns_turned_to_the_front() -> None:
    """`combine` beside the definition: sum of X^-(j mod k) times packed ciphertext j // k."""
    bank = bank_trees(random_ensemble(CATALOGUE, 4, 2, np.random.default_rng(13)))
    model, packing = bank.prepared, bank.prepared.evaluation.shape.packing
    active = active_of(CATALOGUE, random_cells(CATALOGUE, np.random.default_rng(14)))
    primes = np.array(TREES_8192.primes, object)[None, :, None]
    expected = np.zeros((2, 3, N), object)
    for cell in active.tolist():
        turned, shift = model.columns[cell >> packing].astype(object), cell & ((1 << packing) - 1)
        turned = np.concatenate([turned[..., shift:], -turned[..., :shift]], axis=-1)
        expected = (expected + turned) % primes
    assert (combine(model, active).astype(object) == expected).all()
    repeated = np.repeat(active, 20)
    assert combine(model, repeated).max() < max(TREES_8192.primes), "and no sum overflows, however many there are"


def test_products_modulo_q0_are_exact() -> None:
    q0 = TREES_8192.primes[0]
    generator = np.random.default_rng(15)
    values = np.concatenate([[0, 1, q0 - 1, q0 // 2], generator.integers(0, q0, 4000)])
    for factor in (1, q0 - 1, pow(TREES_8192.primes[1], -1, q0)):
        assert _times(values, factor, q0).tolist() == [int(v) * factor % q0 for v in values]


def values_at(coefficients: NDArray[np.int64], slots: int) -> list[int]:
    """By the definition: the polynomial at the odd powers of a root of unity of order 2 * slots."""
    root = pow(3, (T - 1) // (2 * slots), T)
    powers = [[pow(root, (2 * i + 1) * m, T) for m in range(slots)] for i in range(slots)]
    return [sum(int(a) * p for a, p in zip(coefficients, row, strict=True)) % T for row in powers]


def test_packed_plaintexts_are_what_their_layout_says() -> None:
    packing, slots = 4, 512
    generator = np.random.default_rng(16)
    values = generator.integers(0, 6, (19, 300))
    packed = pack_columns(TREES_8192, values, packing)
    assert packed.shape == (2, N)
    for column in (0, 15, 16, 18):
        own = packed[column // 16][column % 16 :: 16] * 16 % T
        assert values_at(own, slots) == [*values[column].tolist(), *[0] * 212]
    leaves = spread_leaves(TREES_8192, values[0], packing)
    assert leaves[0] == values[0].sum() and np.flatnonzero(leaves % T).max() % 16 == 0
    assert [packing_for(TREES_8192, n) for n in (1, 512, 513, 1024, 2048, 4096)] == [4, 4, 3, 3, 2, 1]


def test_the_scale_of_the_leaves_undoes_the_selecting_polynomial() -> None:
    for depth in range(1, 6):
        values = [int(np.prod([i - c for i in range(1, depth + 1)])) for c in range(depth + 1)]
        assert values == [factorial(depth)] + [0] * depth


def test_masks_differ_by_model_record_and_parameter_set() -> None:
    def key(**changes: object) -> bytes:
        fields: dict[str, object] = {
            "enclave_id": "e", "parameter_set": TREES_8192.name, "model_id": "m", "enterprise": "x", "catalogue": "c",
            "active": np.arange(3), "disclosure": "total", "category": "", "precision_points": 0, "flood_bound": F,
        }  # fmt: skip
        return mask_key(bytes(32), MaskFields(**(fields | changes)))  # type: ignore[arg-type]

    keys = {
        key(), key(model_id="n"), key(active=np.array([0, 1, 3])), key(parameter_set=LINEAR_4096_T1024.name),
        key(enterprise="y"),
    }  # fmt: skip
    masks = [expand_mask(k, TREES_8192, F) for k in keys]
    assert len({mask.u.tobytes() for mask in masks}) == len({mask.flood for mask in masks}) == 5
    assert all(set(np.unique(mask.u)) == {-1, 0, 1} and -F <= mask.flood < F for mask in masks)


def stored(root: Path, model: TreeModel, name: str) -> tuple[Path, SecretKey, bytes, bytes]:
    """An upload as the authority leaves it for a worker."""
    encrypted = encrypt_trees(model)
    folder = root / name
    folder.mkdir()
    (folder / UPLOAD).write_bytes(b"".join(encrypted.frames()))
    return folder, encrypted.key, encrypted.leaves, encrypted.zero


async def test_worker_processes_expand_a_model_once_and_evaluate_it(tmp_path: Path) -> None:
    generator = np.random.default_rng(17)
    models = {f"{number:064x}": random_ensemble(CATALOGUE, 4, 2, generator) for number in range(4)}
    uploads = {identity: stored(tmp_path, model, identity) for identity, model in models.items()}

    async def frames(identity: str) -> tuple[bytes, bytes]:
        return uploads[identity][2:]

    pool = WorkerPool(1, frames, tmp_path)
    try:
        for folder, *_ in uploads.values():
            await pool.check_trees(folder)
            assert sorted(path.name for path in folder.iterdir()) == ["columns.npy", "keys"]
        # More models than a worker keeps at once, twice around.
        for identity in [*models, *models]:
            cells = random_cells(CATALOGUE, generator)
            jobs = [Job(identity, bytes([i]) * 32, 0, active_of(CATALOGUE, cells), TREES_8192) for i in (1, 2)]
            answers = await pool.evaluate(jobs)
            points = {uploads[identity][1].decrypt_coefficient(decode_answer(answer)) for answer in answers}
            assert points == {models[identity].score_cells(cells.tolist()) - models[identity].offset}
            assert answers[0] != answers[1]
    finally:
        await pool.close()


async def test_an_evaluation_that_fails_answers_all_the_same(tmp_path: Path) -> None:
    folder, key, *frames = stored(tmp_path, random_ensemble(CATALOGUE, 4, 2, np.random.default_rng(18)), "0" * 64)

    async def of(_: str) -> tuple[bytes, bytes]:
        return frames[0], frames[1]

    pool = WorkerPool(1, of, tmp_path)
    try:
        await pool.check_trees(folder)
        beyond = np.full(FEATURES, 60_000)
        (answer,) = await pool.evaluate([Job("0" * 64, bytes(32), 0, beyond, TREES_8192)])
        assert key.decrypt_coefficient(decode_answer(answer)) == 0
    finally:
        await pool.close()


async def test_a_damaged_upload_is_refused_and_the_worker_lives(tmp_path: Path) -> None:
    model = random_ensemble(CATALOGUE, 4, 2, np.random.default_rng(19))
    folder, _, leaves, zero = stored(tmp_path, model, "a")
    whole = (folder / UPLOAD).read_bytes()

    async def of(_: str) -> tuple[bytes, bytes]:
        return leaves, zero

    pool = WorkerPool(1, of, tmp_path)
    try:
        for damage in (whole[:-1], whole[: len(leaves)], whole[:-8] + b"\xff" * 8):
            (folder / UPLOAD).write_bytes(damage)
            with pytest.raises(Refused):
                await pool.check_trees(folder)
        (folder / UPLOAD).write_bytes(whole)
        await pool.check_trees(folder)
    finally:
        await pool.close()


def test_prepared_models_are_refused_without_the_right_number_of_keys() -> None:
    encrypted = encrypt_trees(random_ensemble(CATALOGUE, 4, 2, np.random.default_rng(10)))
    fewer = type(encrypted)(
        encrypted.parameters, encrypted.key, encrypted.leaves, encrypted.zero, encrypted.switching[:-1],
        encrypted.columns, encrypted.seeds,
    )  # fmt: skip
    with pytest.raises(ValueError, match="switching keys"):
        prepared(fewer)
