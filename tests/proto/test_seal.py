"""Keys, seeded ciphertexts and the decryption of one coefficient, held against the library's own tools."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.framing import AnswerCiphertext, FrameKind, SeededCiphertext, decode_seeded, encode_seeded
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.seal import SealError, SecretKey, expand

from tests.support.library import Library
from tests.support.ring import lift, product, secret

P = LINEAR_4096_T1024
N, T, Q, (Q0, Q1) = P.degree, P.plain_modulus, P.modulus, P.primes
KEY = SecretKey.generate(P)
LIBRARY = Library(P)
POINTS = np.random.default_rng(0).integers(0, T, 2801)


def test_what_is_encrypted_the_library_decrypts() -> None:
    for points in (POINTS, np.zeros(1, np.int64), np.full(N, T - 1), np.arange(N) % T):
        read = LIBRARY.decrypt(KEY, LIBRARY.ciphertext(expand(KEY.encrypt_weights(points))))
        assert np.array_equal(read[: points.size], points)
        assert not read[points.size :].any()


def test_an_encryption_of_zero_is_one() -> None:
    assert not LIBRARY.decrypt(KEY, LIBRARY.ciphertext(expand(KEY.encrypt_zero()))).any()


def test_the_key_is_the_librarys_key() -> None:
    """c0 + c1*s is Delta*m plus a small error, by integers alone: the exported coefficients are right."""
    first, second = expand(KEY.encrypt_zero())
    phase = [
        (a + b) % Q for a, b in zip(lift(P, first), product(secret(KEY).tolist(), lift(P, second), Q), strict=True)
    ]
    noise = [v - Q if v > Q // 2 else v for v in phase]
    assert 0 < max(abs(v) for v in noise) <= 21, "the library's error is centred binomial of 21 coin pairs"
    assert set(np.unique(secret(KEY))) == {-1, 0, 1}


def test_the_seed_decides_the_second_component_and_nothing_else_does() -> None:
    made = KEY.encrypt_weights(POINTS)
    other_first = SeededCiphertext(P, made.seed, KEY.encrypt_zero().residues)
    other_seed = SeededCiphertext(P, KEY.encrypt_zero().seed, made.residues)
    assert np.array_equal(expand(made)[1], expand(other_first)[1])
    assert np.array_equal(expand(made)[0], made.residues)
    assert not np.array_equal(expand(made)[1], expand(other_seed)[1])


def test_expansion_survives_our_frames() -> None:
    made = KEY.encrypt_weights(POINTS)
    framed = decode_seeded(encode_seeded(made, FrameKind.WEIGHTS), FrameKind.WEIGHTS)
    assert np.array_equal(expand(framed), expand(made))


def test_seeds_and_errors_are_fresh_every_time() -> None:
    """The same points under the same key never look the same; a repeated seed would hand them out."""
    made = [KEY.encrypt_weights(POINTS) for _ in range(10)] + [KEY.encrypt_zero() for _ in range(10)]
    assert len({m.seed for m in made}) == 20
    assert len({m.residues.tobytes() for m in made}) == 20
    keys = {secret(SecretKey.generate(P)).tobytes() for _ in range(5)}
    assert len(keys) == 5


@given(st.integers(0, (1 << 16) - 1), st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=60)
def test_decryption_of_one_coefficient_agrees_with_the_library(c0: int, seed: int) -> None:
    """For any answer at all, also a meaningless one: the library's Decryptor reads the same number."""
    c0 = min(c0, Q0 >> P.first_component_shift)
    answer = AnswerCiphertext(P, c0, np.random.default_rng(seed).integers(0, Q0, N, dtype=np.uint64))
    assert KEY.decrypt_coefficient(answer) == LIBRARY.decrypt_answer(KEY, answer)


@pytest.mark.parametrize("value", [0, Q0 - 1, Q0 // 2])
def test_decryption_is_exact_at_the_extremes(value: int) -> None:
    for c0 in (0, (Q0 - 1) >> P.first_component_shift):
        answer = AnswerCiphertext(P, c0, np.full(N, value, np.uint64))
        assert KEY.decrypt_coefficient(answer) == LIBRARY.decrypt_answer(KEY, answer)


def test_a_stored_key_decrypts_the_same_and_encrypts_nothing() -> None:
    raw = KEY.export_for_storage()
    assert len(raw) == N // 4
    stored = SecretKey.from_storage(P, raw)
    assert np.array_equal(secret(stored), secret(KEY))
    answer = AnswerCiphertext(P, 777, np.random.default_rng(1).integers(0, Q0, N, dtype=np.uint64))
    assert stored.decrypt_coefficient(answer) == KEY.decrypt_coefficient(answer)
    with pytest.raises(SealError, match="fresh key"):
        stored.encrypt_weights(POINTS)
    with pytest.raises(SealError, match="fresh key"):
        stored.encrypt_zero()


@given(st.binary(min_size=0, max_size=1100))
def test_a_damaged_stored_key_is_refused_by_type(raw: bytes) -> None:
    try:
        SecretKey.from_storage(P, raw)
    except SealError:
        pass
    else:
        assert len(raw) == N // 4


def test_a_stored_key_with_a_code_that_is_none_is_refused() -> None:
    with pytest.raises(SealError):
        SecretKey.from_storage(P, b"\xff" * (N // 4))


def test_a_key_neither_prints_nor_pickles() -> None:
    shown = repr(KEY) + str(KEY) + f"{KEY!r}" + repr([KEY])
    assert "redacted" in shown and "[" not in shown.replace("[SecretKey", "")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(KEY, protocol)
    with pytest.raises(TypeError):
        pickle.dumps({"key": KEY})
    assert not hasattr(KEY, "__dict__")


@pytest.mark.parametrize(
    "points",
    [np.array([-1]), np.array([T]), np.zeros(N + 1, np.int64), np.zeros((2, 2), np.int64)],
    ids=["negative", "t", "too many", "a matrix"],
)
def test_points_outside_the_ring_are_refused(points: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    with pytest.raises(SealError):
        KEY.encrypt_weights(points)


def test_any_first_component_expands_without_complaint() -> None:
    """The first component is the bank's to choose; zero and the largest residues are nothing special."""
    made = KEY.encrypt_zero()
    for values in (np.zeros((2, N), np.uint64), np.stack([np.full(N, q - 1, np.uint64) for q in P.primes])):
        assert np.array_equal(expand(dataclasses.replace(made, residues=values))[0], values)


def test_a_residue_the_library_refuses_is_refused_by_type() -> None:
    """The frame check comes first in practice; the library is the second line."""
    made = KEY.encrypt_zero()
    with pytest.raises(SealError):
        expand(dataclasses.replace(made, residues=np.full((2, N), Q1, np.uint64)))
