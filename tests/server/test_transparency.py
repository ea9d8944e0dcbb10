"""Cosignatures as the platform keeps them, on SQLite and PostgreSQL; and the page, without a session."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from xinyidai.identifiers import parse_enclave_id
from xinyidai.identity import Role
from xinyidai.signing import DocumentError, signed_digest
from xinyidai.transparency import Checkpoint, Cosignature

from server.db import Database
from server.transparency.errors import CosignatureRefused
from server.transparency.service import check_cosignature, cosignatures_of, keep_cosignature
from tests.support.certificates import make_authority

ENCLAVES, WITNESSES = make_authority("Enclaves"), make_authority("Witnesses")
ENCLAVE = parse_enclave_id("enclave-a")
KEY = ENCLAVES.issue(Role.ENCLAVE, ENCLAVE).signing_key()
WITNESS = WITNESSES.issue(Role.WITNESS, "witness-a").signing_key()
NOW = int(KEY.chain[0].not_valid_before_utc.timestamp()) + 600


def cosignature(size: int, at: int = NOW, witness: str = "witness-a") -> tuple[Cosignature, str, str]:
    checkpoint = Checkpoint(ENCLAVE, size, size.to_bytes(32, "big"), at)
    raw = checkpoint.sign(KEY)
    made = Cosignature(witness, ENCLAVE, size, checkpoint.root, signed_digest(raw), at)
    return made, made.sign(WITNESS), raw


def test_the_newest_of_each_witness_stays_in_whatever_order_they_come(database: Database) -> None:
    order = [cosignature(5), cosignature(9), cosignature(7), cosignature(9, NOW + 5), cosignature(9, NOW + 1)]
    for made in [*order, cosignature(3, witness="witness-b")]:
        with database.transaction("keep") as session:
            keep_cosignature(session, *made)
    with database.reading() as session:
        found = cosignatures_of(session, ENCLAVE)
        assert [(row.witness, row.size, row.signed_at) for row in found] == [
            ("witness-a", 9, NOW + 5),
            ("witness-b", 3, NOW),
        ]
        assert found[0].token == order[3][1] and cosignatures_of(session, "enclave-b") == []


def test_cosignatures_that_race_leave_the_newest(database: Database) -> None:
    made = [cosignature(size) for size in range(1, 21)]

    def keep(one: tuple[Cosignature, str, str]) -> None:
        with database.transaction("keep") as session:
            keep_cosignature(session, *one)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep, made))
    with database.reading() as session:
        assert [row.size for row in cosignatures_of(session, ENCLAVE)] == [20]


def test_only_what_enclave_and_witness_signed_is_kept() -> None:
    enclaves, witnesses = ENCLAVES.anchor(Role.ENCLAVE), WITNESSES.anchor(Role.WITNESS)
    made, token, raw = cosignature(5)
    assert check_cosignature(token, raw, enclaves, witnesses, NOW) == made
    _, other, _ = cosignature(6)
    for bad, checkpoint in ((other, raw), (raw, raw), (token, token), (made.sign(KEY), raw)):
        with pytest.raises(DocumentError):
            check_cosignature(bad, checkpoint, enclaves, witnesses, NOW)
    with pytest.raises(CosignatureRefused):
        check_cosignature(replace(made, signed_at=NOW + 61).sign(WITNESS), raw, enclaves, witnesses, NOW)
