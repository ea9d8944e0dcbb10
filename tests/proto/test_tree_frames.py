"""Frames of the set for trees: fixed lengths, residues below their primes, and no frame of the other set's kinds."""

import pytest
from xinyidai.framing import (
    FrameError,
    FrameKind,
    TreeShape,
    decode_answer,
    decode_leaves,
    decode_seeded,
    encode_leaves,
    encode_seeded,
    frame_bytes,
    read_seed,
)
from xinyidai.parameters import LINEAR_4096_T1024, TREES_8192
from xinyidai.seal import SealError, SecretKey, expand
from xinyidai.seal_trees import galois_elements, make_switching_keys

KEY = SecretKey.generate(TREES_8192)
ZERO = KEY.encrypt_zero()


def test_the_set_is_frozen_and_charges_no_more_than_the_notice_says() -> None:
    chain = (*TREES_8192.primes, TREES_8192.special_prime)
    assert [prime.bit_length() for prime in chain] == [56, 60, 60, 42]
    assert all(prime % (2 * TREES_8192.degree) == 1 for prime in (*chain, TREES_8192.plain_modulus))
    assert TREES_8192.score_modulus == LINEAR_4096_T1024.score_modulus == 1024
    assert TREES_8192.max_precision_points == LINEAR_4096_T1024.max_precision_points == 255
    assert TREES_8192.centibits(0) == 1001
    # The notice an enterprise signs is written with the linear set's bits: never less than what trees charge.
    assert all(TREES_8192.centibits(h) <= LINEAR_4096_T1024.centibits(h) for h in range(256))


def test_frames_come_back_as_they_went() -> None:
    (part, *_) = make_switching_keys(KEY, 1)
    for ciphertext, kind in ((ZERO, FrameKind.ZERO), (ZERO, FrameKind.COLUMNS), (part, FrameKind.SWITCH)):
        raw = encode_seeded(ciphertext, kind)
        assert len(raw) == frame_bytes(kind, TREES_8192) < 256 * 1024
        back = decode_seeded(raw, kind)
        assert (back.residues == ciphertext.residues).all() and back.seed == ciphertext.seed
        assert read_seed(raw, kind, TREES_8192) == ciphertext.seed
    shape, leaves = decode_leaves(encode_leaves(ZERO, TreeShape(5, 1)))
    assert shape == TreeShape(5, 1) and (leaves.residues == ZERO.residues).all()


@pytest.mark.parametrize(("depth", "packing"), [(0, 1), (6, 1), (1, 0), (1, 5)])
def test_shapes_out_of_bounds_are_refused(depth: int, packing: int) -> None:
    with pytest.raises(FrameError) as refusal:
        decode_leaves(encode_leaves(ZERO, TreeShape(depth, packing)))
    assert refusal.value.reason == "FRAME_MALFORMED"


def test_each_set_has_its_own_kinds() -> None:
    weights = encode_seeded(ZERO, FrameKind.WEIGHTS)
    with pytest.raises(FrameError) as refusal:
        decode_seeded(weights, FrameKind.WEIGHTS)
    assert refusal.value.reason == "FRAME_KIND"
    linear = SecretKey.generate(LINEAR_4096_T1024).encrypt_zero()
    with pytest.raises(FrameError) as refusal:
        decode_seeded(encode_seeded(linear, FrameKind.COLUMNS), FrameKind.COLUMNS)
    assert refusal.value.reason == "FRAME_KIND"
    with pytest.raises(FrameError) as refusal:
        read_seed(encode_seeded(linear, FrameKind.ZERO), FrameKind.ZERO, TREES_8192)
    assert refusal.value.reason == "PARAMETER_SET_UNKNOWN"


def test_an_answer_has_20_bits_of_the_first_component() -> None:
    raw = bytearray(frame_bytes(FrameKind.ANSWER, TREES_8192))
    raw[:6] = b"XYD" + bytes((1, FrameKind.ANSWER, TREES_8192.wire_id))
    assert decode_answer(bytes(raw)).c0 == 0
    raw[8] = 0x10
    with pytest.raises(FrameError) as refusal:
        decode_answer(bytes(raw))
    assert refusal.value.reason == "FRAME_RESIDUE"


def test_a_stored_key_decrypts_and_makes_no_keys() -> None:
    stored = SecretKey.from_storage(TREES_8192, KEY.export_for_storage())
    with pytest.raises(SealError):
        make_switching_keys(stored, 1)
    with pytest.raises(SealError):
        make_switching_keys(SecretKey.generate(LINEAR_4096_T1024), 1)


def test_the_second_component_is_the_librarys_for_every_prime() -> None:
    both = expand(ZERO)
    assert both.shape == (2, 3, 8192) and (both[0] == ZERO.residues).all() and both[1].any(axis=1).all()
    assert galois_elements(TREES_8192, 4) == (8193, 4097, 2049, 1025)
