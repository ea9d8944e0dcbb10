"""kill -9 at random points of a run of assessments. Whatever the moment: the ledger never under-counts, no question is
ever answered twice with different bytes, and a restart serves again by itself.

`XYD_CAMPAIGN=long` runs many more assessments and kills.
"""

import os
import sqlite3
import threading
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from xinyidai.framing import decode_answer
from xinyidai.identity import Role, TrustAnchor
from xinyidai.merkle import leaf_hash, root_of
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.transparency import Checkpoint, commitment, verify_checkpoint, verify_extension
from xinyidai.v1 import authorization_pb2, log_pb2

from tests.support.bare import BareEnclave
from tests.support.parties import RawEnterprise, RawModel, Refusal, plain_score, random_points

_LONG = os.environ.get("XYD_CAMPAIGN") == "long"
ASSESSMENTS = 4000 if _LONG else 200
KILLS = 150 if _LONG else 15
ENTERPRISES = 64


class Killer:
    """Kills the enclave at random moments, measured in the asking side's time, and starts it again."""

    def __init__(self, enclave: BareEnclave, generator: np.random.Generator) -> None:
        self._enclave, self._generator = enclave, generator
        self.kills = 0

    def during(self, work: Any) -> Any:
        """Run `work` while a thread waits for a random part of a typical call and then kills."""
        delay = float(self._generator.uniform(0, 0.02))

        def kill() -> None:
            time.sleep(delay)
            self._enclave.crash()

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            return work()
        except grpc.RpcError:
            return None
        finally:
            thread.join()
            self.kills += 1
            self._enclave.restart()


def test_ledger_and_answers_survive_kill_9(bare_folder: Path) -> None:
    generator = np.random.default_rng(0)
    enclave = BareEnclave(bare_folder, ENTERPRISES, settings={"budget_bank_bits": 1000, "budget_total_bits": 1000})
    try:
        points = random_points(enclave.catalogue, generator)
        model = enclave.direct.register(enclave.bank, points)
        owners = {number: enclave.enterprise(number) for number in range(ENTERPRISES)}
        digests = {n: enclave.direct.submit(e, e.terms(enclave.bank)) for n, e in owners.items()}
        killer = Killer(enclave, generator)
        seen = [_checkpoint(enclave)]
        kill_at = set(generator.choice(ASSESSMENTS, KILLS, replace=False).tolist())
        answers: dict[str, set[bytes]] = defaultdict(set)
        for count in range(ASSESSMENTS):
            number = int(generator.integers(ENTERPRISES))

            def ask(number: int = number, fresh: bool = count % 3 == 0) -> Any:
                items = [(owners[number].uscc, digests[number])]
                return enclave.direct.assess(enclave.bank.request(model.model_id, items, fresh=fresh and number < 5))

            assessment = killer.during(ask) if count in kill_at else _until_used_up(ask)
            if count in kill_at:
                seen.append(_checkpoint(enclave))
            if assessment is None:
                continue
            (part,) = assessment.parts
            answers[owners[number].uscc].add(part.answer)
            score = model.secret.decrypt_coefficient(decode_answer(part.answer))
            assert score == plain_score(enclave.catalogue, points, enclave.cells_of(number))
        assert killer.kills == KILLS
        _log_agrees(enclave, seen)
        # Every enterprise's record stayed as it was, so every answer about it has the same mask, hence the same bytes.
        assert all(len(frames) == 1 for frames in answers.values())
        for owner in owners.values():
            _ledger_covers(enclave, owner, answers)
        _still_serves(enclave, owners[0], digests[0], model)
    finally:
        enclave.close()


def _checkpoint(enclave: BareEnclave) -> Checkpoint:
    raw = enclave.direct.call("GetCheckpoint", log_pb2.GetCheckpointRequest()).checkpoint
    anchor = TrustAnchor.from_pem(Role.ENCLAVE, enclave.deployment.anchor("enclave").read_bytes())
    return verify_checkpoint(raw, anchor)


def _log_agrees(enclave: BareEnclave, seen: list[Checkpoint]) -> None:
    """Whatever was cut off: every stored answer stands in the log and nothing else does, and the last checkpoint
    extends every one that was ever signed."""
    enclave.crash()
    enclave.restart()
    last = _checkpoint(enclave)
    for old in seen:
        request = log_pb2.GetConsistencyProofRequest(old_size=old.size, new_size=last.size)
        verify_extension(old, last, list(enclave.direct.call("GetConsistencyProof", request).path))
    database = enclave.deployment.root / "enclave" / "data" / "authority.sqlite"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        stored = dict(connection.execute("SELECT assessment_id, receipt FROM assessment WHERE receipt IS NOT NULL"))
        stored |= dict(connection.execute("SELECT document, token FROM acknowledgement"))
        entries = list(connection.execute("SELECT subject, salt FROM log_entry ORDER BY position"))
    assert {subject for subject, _ in entries} == set(stored) and len(entries) == len(stored)
    assert root_of(leaf_hash(commitment(stored[subject], salt)) for subject, salt in entries) == last.root


def _until_used_up(ask: Any) -> Any:
    try:
        return ask()
    except Refusal as refusal:
        assert refusal.reason is Reason.AUTHORIZATION_USED_UP
        return None


def _ledger_covers(enclave: BareEnclave, owner: RawEnterprise, answers: dict[str, set[bytes]]) -> None:
    """At least one full charge for every enterprise that was answered about, and the budget counts every use."""
    seen = enclave.direct.usage(owner)
    charged = [use.centibits for use in seen.usages]
    assert all(c == LINEAR_4096_T1024.centibits(0) for c in charged)
    assert len(charged) >= (1 if answers[owner.uscc] else 0)
    assert {b.bank_id: b.spent_centibits for b in seen.budgets}.get("", 0) == sum(charged)


def _still_serves(enclave: BareEnclave, owner: RawEnterprise, digest: str, model: RawModel) -> None:
    """Without anybody's help, and with the state of before: a revocation made now holds after one more crash."""
    enclave.direct.state(owner.statement(Action.PAUSE, digest))
    enclave.crash()
    enclave.restart()
    (entry,) = enclave.direct.usage(owner).authorizations
    assert entry.state == authorization_pb2.AUTHORIZATION_STATE_PAUSED
    enclave.direct.state(owner.statement(Action.RESUME, digest))
    enclave.direct.score(enclave.bank, model, owner.uscc, digest)
