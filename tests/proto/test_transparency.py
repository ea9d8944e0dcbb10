"""Checkpoints, cosignatures, acknowledgements and proof files: what a liar changes does not verify."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.acknowledgement import ACKNOWLEDGEMENT_TYPE, Acknowledgement, verify_acknowledgement
from xinyidai.identifiers import parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.merkle import ProofInvalid, inclusion_ranges, leaf_hash, root_of
from xinyidai.signing import DocumentError, DocumentMalformed, signed_digest
from xinyidai.transparency import (
    Checkpoint,
    Cosignature,
    Inclusion,
    LogForked,
    Proof,
    check_forked,
    commitment,
    parse_proof,
    verify_checkpoint,
    verify_cosignature,
    verify_extension,
    verify_proof,
)

from tests.support.certificates import make_authority

ENCLAVES, WITNESSES = make_authority("Enclaves"), make_authority("Witnesses")
ENCLAVE = parse_enclave_id("enclave-a")
KEY = ENCLAVES.issue(Role.ENCLAVE, ENCLAVE).signing_key()
OTHER_KEY = ENCLAVES.issue(Role.ENCLAVE, "enclave-b").signing_key()
WITNESS_KEY = WITNESSES.issue(Role.WITNESS, "witness-a").signing_key()
ANCHOR, WITNESS_ANCHOR = ENCLAVES.anchor(Role.ENCLAVE), WITNESSES.anchor(Role.WITNESS)


def _now() -> int:
    """Certificates of the tests are good now, not at the time other documents say."""
    return int(KEY.chain[0].not_valid_before_utc.timestamp()) + 60


ACKNOWLEDGED = Acknowledgement(
    ENCLAVE, parse_uscc("914403001922038216"), "revoke", "a" * 64, "b" * 64, "revoked", 3, _now()
)
DOCUMENT = ACKNOWLEDGED.sign(KEY)
SALTS = [number.to_bytes(32, "big") for number in range(5)]
LEAVES = [leaf_hash(commitment(DOCUMENT if number == 3 else f"h.{number}.s", SALTS[number])) for number in range(5)]
CHECKPOINT = Checkpoint(ENCLAVE, 5, root_of(LEAVES), _now())
RAW_CHECKPOINT = CHECKPOINT.sign(KEY)


def cosigned(checkpoint: Checkpoint = CHECKPOINT, raw: str = RAW_CHECKPOINT) -> str:
    return Cosignature("witness-a", ENCLAVE, checkpoint.size, checkpoint.root, signed_digest(raw), _now()).sign(
        WITNESS_KEY
    )


def proof() -> Proof:
    path = tuple(root_of(LEAVES[first:end]) for first, end in inclusion_ranges(3, 5))
    return Proof(DOCUMENT, Inclusion(SALTS[3], 3, path), RAW_CHECKPOINT, (cosigned(),))


def test_a_proof_file_verifies_with_everything_it_says() -> None:
    found = verify_proof(parse_proof(proof().to_json().encode()), [ACKNOWLEDGEMENT_TYPE], ANCHOR, WITNESS_ANCHOR)
    assert (found.kind, found.checkpoint, found.witnesses) == (ACKNOWLEDGEMENT_TYPE, CHECKPOINT, ("witness-a",))
    assert found.claims.text("kind") == "revoke"


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 2},
        {"salt": "00" * 32},
        {"path": []},
        {"path": ["00" * 32] * 3},
        {"document": ACKNOWLEDGED.sign(OTHER_KEY)},
        {"document": replace(ACKNOWLEDGED, state="active").sign(KEY)},
        {"checkpoint": replace(CHECKPOINT, root=b"\x00" * 32).sign(KEY)},
        {"checkpoint": replace(CHECKPOINT, size=6).sign(KEY)},
        {"checkpoint": CHECKPOINT.sign(OTHER_KEY)},
        {"checkpoint": CHECKPOINT.sign(WITNESS_KEY)},
        {"document": RAW_CHECKPOINT},
        {"cosignatures": [cosigned(replace(CHECKPOINT, size=4))]},
        {"cosignatures": [RAW_CHECKPOINT]},
        {"format": "xinyidai-proof/2"},
        {"more": 1},
        {"index": -1},
        {"salt": "0" * 62},
        {"cosignatures": None},
        {"cosignatures": [cosigned()] * 17},
        {"path": ["00" * 32] * 65},
        {"path": ["zz" * 32]},
    ],
    ids=range(21),
)
def test_a_changed_proof_file_does_not(changes: dict[str, object]) -> None:
    raw = json.dumps(json.loads(proof().to_json()) | changes).encode()
    with pytest.raises((DocumentError, ProofInvalid)):
        verify_proof(parse_proof(raw), [ACKNOWLEDGEMENT_TYPE], ANCHOR, WITNESS_ANCHOR)


@given(st.binary(max_size=200) | st.dictionaries(st.text(max_size=9), st.integers() | st.text()).map(
    lambda members: json.dumps(members).encode()
))  # fmt: skip
def test_a_proof_file_of_noise_is_malformed(raw: bytes) -> None:
    with pytest.raises(DocumentMalformed):
        parse_proof(raw)


def test_a_proof_file_too_large_is_not_read() -> None:
    with pytest.raises(DocumentMalformed):
        parse_proof(b" " * (1 << 20))


def test_a_salt_of_another_length_commits_to_nothing() -> None:
    """A salt that took up part of the digest would let one entry stand for two documents."""
    with pytest.raises(ProofInvalid):
        commitment(DOCUMENT, bytes(31))


def test_a_checkpoint_is_of_the_log_of_the_enclave_that_signs_it() -> None:
    assert verify_checkpoint(RAW_CHECKPOINT, ANCHOR) == CHECKPOINT
    for raw in (CHECKPOINT.sign(OTHER_KEY), CHECKPOINT.sign(WITNESS_KEY), cosigned(), DOCUMENT, ""):
        with pytest.raises(DocumentError):
            verify_checkpoint(raw, ANCHOR)


def test_a_cosignature_is_of_one_checkpoint() -> None:
    found = verify_cosignature(cosigned(), RAW_CHECKPOINT, CHECKPOINT, WITNESS_ANCHOR)
    assert (found.witness, found.size) == ("witness-a", 5)
    later = replace(CHECKPOINT, sealed_at=CHECKPOINT.sealed_at + 1)
    with pytest.raises(DocumentMalformed):
        verify_cosignature(cosigned(), later.sign(KEY), later, WITNESS_ANCHOR)
    impostor = Cosignature("witness-b", ENCLAVE, 5, CHECKPOINT.root, signed_digest(RAW_CHECKPOINT), _now())
    with pytest.raises(DocumentMalformed):
        verify_cosignature(impostor.sign(WITNESS_KEY), RAW_CHECKPOINT, CHECKPOINT, WITNESS_ANCHOR)
    with pytest.raises(DocumentError):
        verify_cosignature(cosigned(), RAW_CHECKPOINT, CHECKPOINT, ANCHOR)


def test_checkpoints_that_contradict_each_other_are_evidence() -> None:
    fork = replace(CHECKPOINT, root=bytes(32))
    with pytest.raises(LogForked, match="two different histories"):
        check_forked(CHECKPOINT, fork)
    with pytest.raises(LogForked, match="cut from 5 to 4"):
        check_forked(CHECKPOINT, replace(CHECKPOINT, size=4))
    with pytest.raises(ProofInvalid, match="two logs"):
        check_forked(CHECKPOINT, replace(CHECKPOINT, enclave=parse_enclave_id("enclave-b")))
    verify_extension(CHECKPOINT, replace(CHECKPOINT, sealed_at=_now() + 9), ())
    with pytest.raises(ProofInvalid):
        verify_extension(CHECKPOINT, replace(CHECKPOINT, size=6), ())


def test_an_acknowledgement_is_of_one_document() -> None:
    assert verify_acknowledgement(DOCUMENT, "a" * 64, ANCHOR) == ACKNOWLEDGED
    for raw, document in (
        (DOCUMENT, "c" * 64),
        (ACKNOWLEDGED.sign(OTHER_KEY), "a" * 64),
        (ACKNOWLEDGED.sign(WITNESS_KEY), "a" * 64),
        (RAW_CHECKPOINT, "a" * 64),
        ("", "a" * 64),
    ):
        with pytest.raises(DocumentError):
            verify_acknowledgement(raw, document, ANCHOR)
