"""The log in the enclave: every stored answer and every carried-out document is in it, and it only grows."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from xinyidai.acknowledgement import AUTHORIZE, verify_acknowledgement
from xinyidai.identity import Role
from xinyidai.merkle import leaf_hash, root_of, verify_consistency
from xinyidai.reasons import Reason
from xinyidai.signing import signed_digest
from xinyidai.statements import Action
from xinyidai.transparency import commitment, verify_checkpoint

from enclave.authority import ledger
from enclave.authority.ledger import Stored
from enclave.authority.store import _open
from enclave.environment import EnclaveEnvironmentError
from enclave.errors import Refused
from enclave.transparency import log
from tests.support.authority import (
    BANK,
    ENCLAVES_CA,
    ENTERPRISE,
    OTHER_BANK,
    USCC,
    Desk,
    Enterprise,
    charged,
    refused,
)

ANCHOR = ENCLAVES_CA.anchor(Role.ENCLAVE)


@pytest.fixture
def used(desk: Desk, model: str) -> Iterator[Desk]:
    """An authority with some history: a grant, three answers, a pause."""
    digest = desk.grant(ENTERPRISE, BANK)
    for precision in (0, 8, 16):
        desk.answer(charged(desk.ask(BANK, model, digest, precision_points=precision)))
    desk.state(ENTERPRISE, Action.PAUSE, digest)
    desk.seal()
    yield desk


def subjects(desk: Desk) -> list[str]:
    return [subject for (subject,) in desk.connection.execute("SELECT subject FROM log_entry ORDER BY position")]


def test_answers_and_carried_out_documents_are_in_the_log_and_proven(used: Desk) -> None:
    last = log.last_seal(used.connection)
    assert last is not None and last.size == 5
    checkpoint = verify_checkpoint(last.token, ANCHOR)
    assert (checkpoint.size, checkpoint.root, checkpoint.sealed_at) == (last.size, last.root, used.now)
    prover = log.Prover(used.connection, last.size)
    documents = dict(used.connection.execute("SELECT assessment_id, receipt FROM assessment"))
    documents |= dict(used.connection.execute("SELECT document, token FROM acknowledgement"))
    assert set(documents) == set(subjects(used))
    for subject, document in documents.items():
        inclusion = prover.inclusion(subject)
        assert inclusion is not None
        inclusion.verify(document, checkpoint)


def test_the_log_itself_names_nobody(used: Desk) -> None:
    """What others get to read: leaf hashes, which nobody can recognize without the salt."""
    leaves = log.leaves_of(used.connection, 0, 100)
    assert root_of(leaves) == verify_checkpoint(used.seal().token, ANCHOR).root
    (receipt,) = used.connection.execute("SELECT receipt FROM assessment LIMIT 1").fetchone()
    guesses = [leaf_hash(commitment(receipt, salt)) for salt in (bytes(32), b"\xff" * 32)]
    assert not set(guesses) & set(leaves)
    salts = [salt for (salt,) in used.connection.execute("SELECT salt FROM log_entry")]
    assert len(set(salts)) == len(salts) and all(len(salt) == 32 for salt in salts)


def test_an_answer_and_its_entry_are_one_transaction(desk: Desk, model: str) -> None:
    entry = charged(desk.ask(BANK, model, desk.grant(ENTERPRISE, BANK)))
    before = log.size_of(desk.connection)

    def no_randomness(_: int) -> bytes:
        raise OSError("the generator failed")

    with pytest.raises(OSError):
        ledger.store_answers(desk.connection, [(entry.assessment_id, "a.b.c", (("", b"frame"),))], no_randomness)
    assert log.size_of(desk.connection) == before
    assert desk.connection.execute("SELECT count(*) FROM answer").fetchone() == (0,)


def test_a_repeat_appends_nothing(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    first = charged(desk.ask(BANK, model, digest))
    desk.answer(first)
    size = log.size_of(desk.connection)
    desk.answer(first)
    assert isinstance(desk.ask(BANK, model, digest), Stored)
    assert log.size_of(desk.connection) == size


def test_every_checkpoint_extends_every_earlier_one(desk: Desk, model: str) -> None:
    seals = [desk.seal()]
    for count in range(12):
        desk.state(ENTERPRISE, Action.SET_BUDGET, centibits=count)
        seals.append(desk.seal())
    assert [seal.size for seal in seals] == list(range(13))
    for new in seals:
        prover = log.Prover(desk.connection, new.size)
        for old in seals[: new.size + 1]:
            verify_consistency(old.size, new.size, prover.consistency(old.size), old.root, new.root)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log_entry WHERE position = 4",
        "UPDATE log_node SET hash = zeroblob(32) WHERE level = 0 AND position = 4",
        "UPDATE log_node SET hash = zeroblob(32) WHERE level = 2",
        "DELETE FROM log_node WHERE level = 2",
        "UPDATE log_seal SET size = 9",
        "UPDATE log_seal SET root = zeroblob(32)",
    ],
)
def test_a_log_changed_behind_the_enclaves_back_is_sealed_no_more(used: Desk, change: str) -> None:
    used.connection.execute(change)
    with pytest.raises(EnclaveEnvironmentError):
        log.seal(used.connection, used.trust, used.now + 10)


def test_an_unsealed_log_stops_assessments_and_nothing_else(desk: Desk, model: str) -> None:
    digest, other = desk.grant(ENTERPRISE, BANK), desk.grant(ENTERPRISE, OTHER_BANK)
    desk.answer(charged(desk.ask(BANK, model, digest)))
    last = desk.seal()
    desk.now = last.sealed_at + desk.trust.seal_limit_seconds

    def ask(**changes: object) -> object:
        asked = ledger.verify_request(desk.trust, BANK.request(model, digest, desk.now, **changes), desk.now, 1)
        return ledger.charge(desk.connection, desk.trust, asked, desk.present, desk.now, lambda: f"id-{changes}")[0]

    charged(ask(precision_points=8))
    desk.now += 1
    outcome = ask(precision_points=16)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.LOG_UNSEALED
    assert isinstance(ask(), Stored), "a stored answer discloses nothing new"
    done = desk.state(ENTERPRISE, Action.REVOKE, other)
    assert done is not None and done.state == "revoked"
    desk.seal()
    charged(ask(precision_points=24))


def test_a_clock_set_back_does_not_keep_a_log_sealed_for_ever(desk: Desk, model: str) -> None:
    desk.seal()
    desk.now -= 3600
    assert refused(log.check_sealed, desk.connection, desk.trust, desk.now) is Reason.LOG_UNSEALED
    desk.seal()
    log.check_sealed(desk.connection, desk.trust, desk.now)


def test_a_quiet_log_is_sealed_anew_now_and_then(desk: Desk) -> None:
    first = desk.seal()
    desk.now += 10
    assert desk.seal() == first
    desk.now += desk.trust.seal_limit_seconds // 3
    assert desk.seal() == replace(first, sealed_at=desk.now, token=desk.seal().token)


def test_statements_are_acknowledged_in_numbers_without_gaps(desk: Desk) -> None:
    token = ENTERPRISE.terms(BANK, desk.now).sign(ENTERPRISE.key)
    granted = desk.submit_token(token)
    assert granted.grant is not None
    digest = granted.grant.digest
    found = verify_acknowledgement(granted.acknowledgement, digest, ANCHOR)
    assert (found.kind, found.authorization, found.state, found.sequence) == (AUTHORIZE, digest, "active", 1)
    other = Enterprise("91440300192317458F")
    desk.enrol(other)
    desk.grant(other, BANK)
    for sequence, (action, state) in enumerate(((Action.PAUSE, "paused"), (Action.REVOKE, "revoked")), 2):
        raw = ENTERPRISE.statement(action, desk.now, digest)
        done = desk.carry_out_whole(raw)
        found = verify_acknowledgement(done.acknowledgement, signed_digest(raw), ANCHOR)
        assert (found.kind, found.state, found.sequence, found.enterprise) == (action, state, sequence, USCC)
    assert desk.submit_token(token).acknowledgement == granted.acknowledgement, "the same document, the same word"


def test_what_is_refused_is_not_acknowledged(desk: Desk) -> None:
    size = log.size_of(desk.connection)
    assert refused(desk.state, ENTERPRISE, Action.PAUSE, "0" * 64) is Reason.AUTHORIZATION_UNKNOWN
    assert log.size_of(desk.connection) == size


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 0), (0, log.MAX_LEAVES + 1)])
def test_pages_of_leaves_are_bounded(used: Desk, first: int, count: int) -> None:
    assert refused(log.leaves_of, used.connection, first, count) is Reason.REQUEST_INVALID
    assert log.leaves_of(used.connection, 3, 100) == log.leaves_of(used.connection, 0, 100)[3:]
    assert refused(log.Prover, used.connection, 99) is Reason.REQUEST_INVALID


def test_receipts_from_before_the_log_are_taken_in_once(tmp_path: Path, desk: Desk, model: str) -> None:
    desk.answer(charged(desk.ask(BANK, model, desk.grant(ENTERPRISE, BANK))))
    connection = desk.connection
    for table in ("log_entry", "log_node", "log_seal"):
        connection.execute(f"DELETE FROM {table}")
    for _ in range(2):
        log.backfill(connection, desk.environment)
    assert subjects(desk) == [row[0] for row in connection.execute("SELECT assessment_id FROM assessment")]


def test_a_database_of_the_release_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "authority.sqlite"
    _open(path).close()
    connection = sqlite3.connect(path)
    for table in ("status_entry", "status_list", "acknowledgement", "log_seal", "log_node", "log_entry"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    upgraded = _open(path)
    assert log.size_of(upgraded) == 0
    upgraded.close()
