"""Malformed uploads against the real enclave process: each is refused with a typed error, the process lives, its memory
stays flat. `XYD_CAMPAIGN=long` sends ten times as many.
"""

import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from xinyidai.framing import (
    HEADER_BYTES,
    SEED_BYTES,
    FrameKind,
    SeededCiphertext,
    encode_seeded,
    frame_bytes,
)
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.reasons import Reason
from xinyidai.seal import SecretKey
from xinyidai.v1 import assessment_pb2, enclave_pb2

from tests.support.bare import BareEnclave
from tests.support.parties import Refusal, random_points

_LONG = os.environ.get("XYD_CAMPAIGN") == "long"
MUTATIONS = 100_000 if _LONG else 10_000
_WHOLE = frame_bytes(FrameKind.WEIGHTS, LINEAR_4096_T1024)
_Mutation = Callable[[bytearray, np.random.Generator], None]


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def _family_kib(pid: int) -> int:
    """Of the enclave and its workers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _resident_kib(pid) + sum(_resident_kib(int(child)) for child in children)


def _honest(bare: BareEnclave) -> tuple[bytes, bytes]:
    secret = SecretKey.generate(LINEAR_4096_T1024)
    weights = secret.encrypt_weights(random_points(bare.catalogue, np.random.default_rng(0)))
    return encode_seeded(weights, FrameKind.WEIGHTS), encode_seeded(secret.encrypt_zero(), FrameKind.ZERO)


def _flip(raw: bytearray, generator: np.random.Generator) -> None:
    raw[int(generator.integers(len(raw)))] ^= 1 << int(generator.integers(8))


def _cut(raw: bytearray, generator: np.random.Generator) -> None:
    del raw[int(generator.integers(len(raw))) :]


def _grow(raw: bytearray, generator: np.random.Generator) -> None:
    raw.extend(generator.bytes(int(generator.integers(1, 4096))))


def _splice(raw: bytearray, generator: np.random.Generator) -> None:
    at = int(generator.integers(len(raw)))
    raw[at : at + 64] = generator.bytes(int(generator.integers(0, 200)))


def _header(raw: bytearray, generator: np.random.Generator) -> None:
    raw[int(generator.integers(HEADER_BYTES))] = int(generator.integers(256))


def _saturate(raw: bytearray, generator: np.random.Generator) -> None:
    """Residues that are not below their prime."""
    at = int(generator.integers(HEADER_BYTES + SEED_BYTES, len(raw) - 32))
    raw[at : at + 32] = b"\xff" * 32


_ALTERED: list[_Mutation] = [_flip, _cut, _grow, _splice, _header, _saturate]
_UNREADABLE: list[_Mutation] = [_cut, _grow, _header, _saturate]


def _mutants(bare: BareEnclave, generator: np.random.Generator) -> Iterator[tuple[str, bytes, bytes]]:
    """(registration, W, P). Half were altered on the way, so the bank's signature is over something else; half the bank
    signed itself, and they break the format."""
    weights, zero = _honest(bare)
    registration = bare.bank.registration(weights, zero, bare.catalogue)
    for count in range(MUTATIONS):
        signed = bool(count % 2)
        which = bytearray(weights if count % 4 < 2 else zero)
        before = bytes(which)
        while bytes(which) == before:
            mutations = _UNREADABLE if signed else _ALTERED
            mutations[int(generator.integers(len(mutations)))](which, generator)
        pair = (bytes(which), zero) if count % 4 < 2 else (weights, bytes(which))
        yield bare.bank.registration(*pair, bare.catalogue) if signed else registration, *pair


def test_mutated_frames_are_refused_and_memory_stays_flat(bare: BareEnclave) -> None:
    pid = bare.system.enclave.pid
    reasons: Counter[Reason] = Counter()
    warm = 0
    for count, upload in enumerate(_mutants(bare, np.random.default_rng(1))):
        with pytest.raises(Refusal) as refusal:
            bare.direct.upload(*upload)
        reasons[refusal.value.reason] += 1
        if count == MUTATIONS // 10:
            warm = _family_kib(pid)
    assert bare.system.enclave.running()
    grown = _family_kib(pid) - warm
    print(f"\n{MUTATIONS} mutated uploads refused: {dict(reasons)}; memory grew by {grown} KiB")
    assert grown < 16 * 1024
    assert set(reasons) >= {
        Reason.FRAME_MALFORMED,
        Reason.FRAME_VERSION,
        Reason.FRAME_KIND,
        Reason.FRAME_LENGTH,
        Reason.FRAME_RESIDUE,
        Reason.PARAMETER_SET_UNKNOWN,
        Reason.SIGNATURE_INVALID,
    }
    # It still takes an honest one.
    bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(2)))


def _refused(bare: BareEnclave, weights: bytes, zero: bytes) -> Reason:
    with pytest.raises(Refusal) as refusal:
        bare.direct.upload(bare.bank.registration(weights, zero, bare.catalogue), weights, zero)
    return refusal.value.reason


class TestNamedAttacks:
    def test_transparent(self, bare: BareEnclave) -> None:
        """A second component of zero cannot even be said in our frame: a full ciphertext is refused by its length."""
        weights, zero = _honest(bare)
        body = zero[HEADER_BYTES + SEED_BYTES :]
        assert _refused(bare, weights, zero[:HEADER_BYTES] + body + bytes(len(body))) is Reason.FRAME_LENGTH

    def test_a_first_component_of_zero_is_a_model_like_any_other(self, bare: BareEnclave) -> None:
        weights, zero = _honest(bare)
        silent = SeededCiphertext(
            LINEAR_4096_T1024, zero[HEADER_BYTES : HEADER_BYTES + SEED_BYTES], np.zeros((2, 4096), np.uint64)
        )
        frame = encode_seeded(silent, FrameKind.ZERO)
        answer = bare.direct.upload(bare.bank.registration(weights, frame, bare.catalogue), weights, frame)
        assert len(answer.model_id) == 64

    def test_unseeded(self, bare: BareEnclave) -> None:
        """A full ciphertext, second component chosen by the bank, in place of a seeded one."""
        weights, zero = _honest(bare)
        full = zero[:HEADER_BYTES] + zero[HEADER_BYTES + SEED_BYTES :] * 2
        assert _refused(bare, weights, full) is Reason.FRAME_LENGTH

    def test_the_librarys_own_bytes(self, bare: BareEnclave) -> None:
        weights, zero = _honest(bare)
        library = struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 1, 0, 0, 1 << 62) + zero[16:]
        assert _refused(bare, weights, library) is Reason.FRAME_MALFORMED

    def test_constant_seed(self, bare: BareEnclave) -> None:
        weights, zero = _honest(bare)
        constant = zero[:HEADER_BYTES] + bytes(SEED_BYTES) + zero[HEADER_BYTES + SEED_BYTES :]
        assert _refused(bare, weights, constant) is Reason.SEED_DEGENERATE

    def test_equal_seeds(self, bare: BareEnclave) -> None:
        weights, zero = _honest(bare)
        same = (
            zero[:HEADER_BYTES] + weights[HEADER_BYTES : HEADER_BYTES + SEED_BYTES] + zero[HEADER_BYTES + SEED_BYTES :]
        )
        assert _refused(bare, weights, same) is Reason.SEED_REUSED

    def test_a_seed_used_before(self, bare: BareEnclave) -> None:
        weights, zero = _honest(bare)
        bare.direct.upload(bare.bank.registration(weights, zero, bare.catalogue), weights, zero)
        _, other = _honest(bare)
        assert _refused(bare, weights, other) is Reason.SEED_REUSED

    def test_unknown_parameter_set(self, bare: BareEnclave) -> None:
        weights, zero = _honest(bare)
        renamed = bare.bank.registration(weights, zero, bare.catalogue, parameter_set="linear-1024-t4")
        with pytest.raises(Refusal) as refusal:
            bare.direct.upload(renamed, weights, zero)
        assert refusal.value.reason is Reason.PARAMETER_SET_UNKNOWN

    @pytest.mark.parametrize("size", [0, 1, _WHOLE - 1, _WHOLE + 1])
    def test_wrong_length(self, bare: BareEnclave, size: int) -> None:
        weights, zero = _honest(bare)
        assert _refused(bare, weights, (zero * 2)[:size]) in (Reason.FRAME_LENGTH, Reason.FRAME_MALFORMED)

    def test_huge_message(self, bare: BareEnclave) -> None:
        """Stopped by the transport before it is read into memory."""
        pid = bare.system.enclave.pid
        before = _family_kib(pid)
        weights, _ = _honest(bare)
        with pytest.raises(grpc.RpcError) as error:
            bare.direct.upload("x", weights, bytes(64 << 20))
        assert isinstance(error.value, grpc.Call)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert _family_kib(pid) - before < 16 * 1024


@pytest.mark.parametrize("raw", ["", "a.b.c", "..", "A" * 70_000, "é.é.é", "eyJhbGciOiJub25lIn0.e30."])
def test_documents_that_are_none(bare: BareEnclave, raw: str) -> None:
    calls = [
        ("Assess", assessment_pb2.AssessRequest(request=raw)),
        ("RegisterKey", enclave_pb2.RegisterKeyRequest(registration=raw)),
        ("SubmitAuthorization", enclave_pb2.SubmitAuthorizationRequest(authorization=raw)),
        ("SubmitStatement", enclave_pb2.SubmitStatementRequest(statement=raw)),
        ("GetUsage", enclave_pb2.GetUsageRequest(access=raw)),
    ]
    for method, request in calls:
        with pytest.raises(Refusal) as refusal:
            bare.direct.call(method, request)
        assert refusal.value.reason in (Reason.DOCUMENT_MALFORMED, Reason.SIGNATURE_INVALID)
