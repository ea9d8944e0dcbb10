"""A log in the enclave's own database, appended to as answers are stored, and a proof of every single entry: held
against another implementation of RFC 9162 (pymerkle). Then the same log truncated, forked and edited.

`XYD_CAMPAIGN=long` (or `make log`) takes 100,000 entries.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymerkle import InmemoryTree, verify_inclusion
from pymerkle.proof import MerkleProof
from xinyidai.identity import Role
from xinyidai.merkle import ProofInvalid, leaf_hash
from xinyidai.transparency import Checkpoint, LogForked, commitment, verify_checkpoint, verify_extension

from clients.verifier.check import check_log
from enclave.authority.store import _open, transaction
from enclave.transparency import log
from tests.support.authority import ENCLAVES_CA, Desk

ENTRIES = 100_000 if os.environ.get("XYD_CAMPAIGN") == "long" else 2_000
GROUP = 256
ANCHOR = ENCLAVES_CA.anchor(Role.ENCLAVE)


@dataclass
class Built:
    desk: Desk
    entries: list[bytes]
    checkpoints: list[str]
    """One a group."""

    @property
    def latest(self) -> Checkpoint:
        return verify_checkpoint(self.checkpoints[-1], ANCHOR)


def document(number: int) -> str:
    return f"header.{number}.signature"


def append(desk: Desk, numbers: range) -> list[bytes]:
    entries = []
    with transaction(desk.connection, "append"):
        for number in numbers:
            salt = desk.environment.random_bytes(32)
            log.append(desk.connection, f"subject-{number}", document(number), salt)
            entries.append(commitment(document(number), salt))
    return entries


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    connection = _open(tmp_path_factory.mktemp("log") / "authority.sqlite")
    desk = Desk(connection)
    desk.now = int(desk.trust.receipt_key.chain[0].not_valid_before_utc.timestamp()) + 600
    made = Built(desk, [], [])
    for first in range(0, ENTRIES, GROUP):
        made.entries += append(desk, range(first, min(first + GROUP, ENTRIES)))
        made.checkpoints.append(desk.seal().token)
    yield made
    connection.close()


def test_a_proof_of_every_entry_verifies_with_another_implementation(built: Built) -> None:
    other = InmemoryTree(algorithm="sha256")
    for entry in built.entries:
        other.append_entry(entry)
    checkpoint = built.latest
    assert other.get_state(ENTRIES) == checkpoint.root
    prover = log.Prover(built.desk.connection, ENTRIES)
    for number, entry in enumerate(built.entries):
        ours = prover.inclusion(f"subject-{number}")
        assert ours is not None and ours.index == number
        # The other's shape of the tree, our hashes: it recomputes the root from what the enclave sent.
        shape = other.prove_inclusion(number + 1, ENTRIES)
        path = [leaf_hash(entry), *ours.path]
        theirs = MerkleProof("sha256", True, ENTRIES, shape.rule, shape.subset, path)
        assert len(path) == len(shape.path)
        verify_inclusion(leaf_hash(entry), checkpoint.root, theirs)
        ours.verify(document(number), checkpoint)


def test_every_checkpoint_is_extended_by_the_last_one(built: Built) -> None:
    prover = log.Prover(built.desk.connection, ENTRIES)
    for raw in built.checkpoints:
        old = verify_checkpoint(raw, ANCHOR)
        verify_extension(old, built.latest, prover.consistency(old.size))


def test_a_truncated_an_edited_and_a_forked_log_are_caught(built: Built, tmp_path: Path) -> None:
    raw = built.checkpoints[-1]
    leaves = [leaf_hash(entry).hex() + "\n" for entry in built.entries]
    file = tmp_path / "leaves.txt"
    file.write_text("".join(leaves))
    assert check_log(file, raw, ANCHOR).leaves == ENTRIES
    middle = ENTRIES // 2
    for changed in (
        leaves[:-1],
        [*leaves[:middle], *leaves[middle + 1 :]],
        [*leaves[:middle], *leaves[middle - 1 : -1]],
    ):
        file.write_text("".join(changed))
        with pytest.raises(ProofInvalid):
            check_log(file, raw, ANCHOR)
    old = verify_checkpoint(built.checkpoints[len(built.checkpoints) // 2], ANCHOR)
    with pytest.raises(LogForked):
        verify_extension(built.latest, old, ())
    fork = forked(tmp_path, built, old.size)
    honest = log.Prover(built.desk.connection, ENTRIES).consistency(old.size)
    with pytest.raises(LogForked, match="two different histories"):
        verify_extension(built.latest, fork[1], ())
    for path in (fork[0], honest):
        with pytest.raises(ProofInvalid):
            verify_extension(old, fork[1], path)


def forked(folder: Path, built: Built, at: int) -> tuple[tuple[bytes, ...], Checkpoint]:
    """The enclave's own code, on a history in which one entry before `at` is another: its proof and its checkpoint."""
    desk = Desk(_open(folder / "fork.sqlite"), built.desk.trust, built.desk.now)
    with transaction(desk.connection, "copy"):
        rows = built.desk.connection.execute("SELECT subject, salt FROM log_entry ORDER BY position")
        for number, (subject, salt) in enumerate(rows):
            log.append(desk.connection, subject, document(-1 if number == at // 2 else number), salt)
    token = desk.seal().token
    path = log.Prover(desk.connection, ENTRIES).consistency(at)
    desk.connection.close()
    return path, verify_checkpoint(token, ANCHOR)
