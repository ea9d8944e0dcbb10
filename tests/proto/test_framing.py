"""Frames: fixed length, every residue below its prime, and one error type whatever the bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.framing import (
    HEADER_BYTES,
    SEED_BYTES,
    AnswerCiphertext,
    FrameError,
    FrameKind,
    SeededCiphertext,
    decode_answer,
    decode_seeded,
    encode_answer,
    encode_seeded,
    frame_bytes,
    pack,
    unpack,
)
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.reasons import Reason

PARAMETERS = LINEAR_4096_T1024
N, (Q0, Q1) = PARAMETERS.degree, PARAMETERS.primes
SEED = bytes(range(SEED_BYTES))


def residues(generator: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.stack([generator.integers(0, prime, N, dtype=np.uint64) for prime in PARAMETERS.primes])


RANDOM = residues(np.random.default_rng(0))
WEIGHTS = encode_seeded(SeededCiphertext(PARAMETERS, SEED, RANDOM), FrameKind.WEIGHTS)
ANSWER = encode_answer(AnswerCiphertext(PARAMETERS, 54_321, RANDOM[0]))


def test_lengths_are_fixed_and_known() -> None:
    assert len(ANSWER) == frame_bytes(FrameKind.ANSWER, PARAMETERS) == 6 + 2 + 4096 * 29 // 8 == 14_856
    assert len(WEIGHTS) == frame_bytes(FrameKind.WEIGHTS, PARAMETERS) == 6 + 64 + 4096 * (29 + 60) // 8
    assert frame_bytes(FrameKind.ZERO, PARAMETERS) == len(WEIGHTS)


@pytest.mark.parametrize("kind", [FrameKind.WEIGHTS, FrameKind.ZERO])
def test_a_seeded_ciphertext_survives_the_wire(kind: FrameKind) -> None:
    extremes = np.stack([np.full(N, Q0 - 1, np.uint64), np.full(N, Q1 - 1, np.uint64)])
    for values in (RANDOM, np.zeros((2, N), np.uint64), extremes):
        decoded = decode_seeded(encode_seeded(SeededCiphertext(PARAMETERS, SEED, values), kind), kind)
        assert decoded.seed == SEED and decoded.parameters is PARAMETERS
        assert np.array_equal(decoded.residues, values)


@pytest.mark.parametrize("c0", [0, 1, 65_535])
def test_an_answer_survives_the_wire(c0: int) -> None:
    decoded = decode_answer(encode_answer(AnswerCiphertext(PARAMETERS, c0, RANDOM[0])))
    assert decoded.c0 == c0
    assert np.array_equal(decoded.c1, RANDOM[0])


def test_the_layout_is_the_documented_one() -> None:
    assert ANSWER[:HEADER_BYTES] == b"XYD" + bytes([1, 3, 1])
    assert int.from_bytes(ANSWER[6:8], "little") == 54_321
    bits = int.from_bytes(ANSWER[8:], "little")
    assert [bits >> (29 * i) & (1 << 29) - 1 for i in (0, 1, 7, N - 1)] == RANDOM[0][[0, 1, 7, N - 1]].tolist()


@given(st.integers(1, 64), st.integers(1, 20), st.data())
@settings(deadline=None)
def test_packing_is_the_bits_one_after_another(bits: int, eighths: int, data: st.DataObject) -> None:
    count = 8 * eighths
    values = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=count, max_size=count))
    packed = pack(np.array(values, np.uint64), bits)
    assert int.from_bytes(packed, "little") == sum(v << (bits * i) for i, v in enumerate(values))
    assert len(packed) == count * bits // 8
    assert unpack(packed, count, bits).tolist() == values


def reason(raw: bytes, kind: FrameKind = FrameKind.WEIGHTS) -> str:
    with pytest.raises(FrameError) as caught:
        decode_answer(raw) if kind is FrameKind.ANSWER else decode_seeded(raw, kind)
    assert Reason(caught.value.reason)
    return caught.value.reason


def test_each_wrong_header_has_its_reason() -> None:
    assert reason(b"") == reason(b"XYD") == reason(b"ZIP" + WEIGHTS[3:]) == "FRAME_MALFORMED"
    assert reason(WEIGHTS[:3] + b"\x02" + WEIGHTS[4:]) == "FRAME_VERSION"
    assert reason(WEIGHTS, FrameKind.ZERO) == reason(WEIGHTS, FrameKind.ANSWER) == "FRAME_KIND"
    assert reason(WEIGHTS[:5] + b"\x09" + WEIGHTS[6:]) == "PARAMETER_SET_UNKNOWN"
    assert reason(WEIGHTS[:-1]) == reason(WEIGHTS + b"\0") == reason(WEIGHTS[:6]) == "FRAME_LENGTH"


@pytest.mark.parametrize("prime", [0, 1])
def test_a_residue_is_below_its_prime(prime: int) -> None:
    start = HEADER_BYTES + SEED_BYTES + (N * 29 // 8 if prime else 0)
    bits = PARAMETERS.prime_bits[prime]
    packed = pack(np.full(8, PARAMETERS.primes[prime], np.uint64), bits)
    assert reason(WEIGHTS[:start] + packed + WEIGHTS[start + len(packed) :]) == "FRAME_RESIDUE"
    allowed = pack(np.full(8, PARAMETERS.primes[prime] - 1, np.uint64), bits)
    decode_seeded(WEIGHTS[:start] + allowed + WEIGHTS[start + len(packed) :], FrameKind.WEIGHTS)


@pytest.mark.parametrize("octet", [0, 255])
def test_a_constant_seed_is_a_broken_generator(octet: int) -> None:
    raw = WEIGHTS[:HEADER_BYTES] + bytes([octet]) * SEED_BYTES + WEIGHTS[HEADER_BYTES + SEED_BYTES :]
    assert reason(raw) == "SEED_DEGENERATE"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_type(raw: bytes) -> None:
    for kind in FrameKind:
        reason(raw, kind)


@given(
    st.sampled_from([WEIGHTS, ANSWER]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=5),
    st.integers(-3, 3),
)
@settings(deadline=None)
def test_any_change_of_a_frame_decodes_or_is_refused_by_type(
    raw: bytes, edits: list[tuple[int, int]], longer: int
) -> None:
    changed = bytearray(raw)
    for at, value in edits:
        changed[at] = value
    mutated = bytes(changed[:longer] if longer < 0 else changed + bytes(longer))
    for kind in FrameKind:
        try:
            if kind is FrameKind.ANSWER:
                assert encode_answer(decode_answer(mutated)) == mutated
            else:
                assert encode_seeded(decode_seeded(mutated, kind), kind) == mutated
        except FrameError as error:
            assert Reason(error.reason)


@given(st.integers(0, 1 << 32), st.sampled_from([0x1F, 0xFF]))
@settings(deadline=None, max_examples=40)
def test_a_frame_has_one_encoding_only(seed: int, most: int) -> None:
    """So a digest of a frame names its content."""
    raw = ANSWER[:8] + np.random.default_rng(seed).integers(0, most, N * 29 // 8, dtype=np.uint8).tobytes()
    try:
        assert encode_answer(decode_answer(raw)) == raw
    except FrameError as error:
        assert error.reason == "FRAME_RESIDUE"
