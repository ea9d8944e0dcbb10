"""Disputes in the authority's database: who may open and decide them, how many, and what is on disk."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xinyidai.confidential import OpeningKey
from xinyidai.disputes import Decision, Outcome, RecordName
from xinyidai.identity import CertificateInvalid, Role
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from clients.dev.deployment import Deployment
from enclave.app import build_trust
from enclave.authority import disputes, grants
from enclave.authority.disputes import MAX_OPEN
from enclave.authority.store import _SCHEMA, Store, transaction
from enclave.environment import SoftwareEnvironment
from enclave.errors import Refused
from enclave.records.disputed import Disputed
from enclave.settings import load_settings
from tests.support.certificates import make_authority
from tests.support.parties import RawEnterprise, stamp, uscc_number

PENALTY = RecordName("administrative_penalty", "planted-record-7")
DEPARTMENTS = make_authority("Departments")
WRITERS = {"fgw": ("administrative_penalty",), "swj": ("tax_payment",)}


@dataclass
class Authority:
    root: Path

    def __post_init__(self) -> None:
        self.deployment = Deployment.create(self.root)
        self.settings = load_settings(self.deployment.enclave_config)
        self.trust, self.environment = build_trust(self.settings), SoftwareEnvironment(self.settings.sealing_key)
        self.data = self.root / "data"
        self.data.mkdir()
        self.store = Store(self.data / "authority.sqlite")
        self.key: OpeningKey = self.run(disputes.dispute_key, self.environment)

    def run(self, work: Any, *arguments: Any) -> Any:
        return asyncio.run(self.store.run(work, *arguments))

    def enterprise(self, number: int = 1) -> RawEnterprise:
        made = RawEnterprise(self.deployment, uscc_number(number))
        self.run(grants.register_key, self.trust, made.registration(), self.environment.clock())
        return made

    def state(self, enterprise: RawEnterprise, action: Action, name: RecordName) -> None:
        raw = enterprise.statement(action, record=name.seal(self.key.public))
        now = self.environment.clock()
        assert self.run(grants.submit_statement, self.trust, self.environment, self.key, raw, now).grant is None

    def decide(self, outcome: Outcome, department: str = "fgw", signer: str = "", name: RecordName = PENALTY) -> Any:
        key = DEPARTMENTS.issue(Role.DEPARTMENT, signer or department).signing_key()
        raw = Decision(stamp(department), uscc_number(1), name, outcome).sign(key)
        return self.carry(raw)

    def carry(self, raw: str) -> Any:
        anchor, now = DEPARTMENTS.anchor(Role.DEPARTMENT), self.environment.clock()
        return self.run(disputes.decide, self.trust, self.environment, anchor, WRITERS, raw, now)

    def left_out(self) -> list[Disputed]:
        return list(self.run(disputes.left_out, self.environment).disputed)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    made = Authority(tmp_path / "d")
    yield made
    made.store.close()


def refusal(work: Any, *arguments: Any, **rest: Any) -> Reason:
    with pytest.raises(Refused) as refused:
        work(*arguments, **rest)
    return refused.value.reason


def test_open_records_stay_out_and_withdrawn_ones_return(authority: Authority) -> None:
    firm = authority.enterprise()
    authority.state(firm, Action.DISPUTE, PENALTY)
    authority.state(firm, Action.DISPUTE, PENALTY)
    assert authority.left_out() == [Disputed(PENALTY.category, firm.uscc, PENALTY.record_id, None)]
    authority.state(firm, Action.WITHDRAW_DISPUTE, PENALTY)
    assert authority.left_out() == []
    assert refusal(authority.state, firm, Action.WITHDRAW_DISPUTE, PENALTY) is Reason.DISPUTE_UNKNOWN


def test_upheld_the_versions_so_far_stay_out_and_dismissed_the_record_returns(authority: Authority) -> None:
    firm = authority.enterprise()
    for outcome in Outcome:
        authority.state(firm, Action.DISPUTE, PENALTY)
        done = authority.decide(outcome)
        assert (done.state, authority.environment.clock() - done.decided_at < 5) == (outcome, True)
    # Upheld: up to the decision. Dismissed: not at all. Repaired: whatever is delivered.
    assert [one.until is not None for one in authority.left_out()] == [True, False]


def test_only_the_department_that_writes_the_category_decides(authority: Authority) -> None:
    authority.state(authority.enterprise(), Action.DISPUTE, PENALTY)
    assert refusal(authority.decide, Outcome.DISMISSED, "swj") is Reason.CATEGORY_FORBIDDEN
    assert refusal(authority.decide, Outcome.DISMISSED, "nobody") is Reason.CATEGORY_FORBIDDEN
    assert refusal(authority.decide, Outcome.DISMISSED, "fgw", signer="swj") is Reason.CERTIFICATE_INVALID
    forger = make_authority("Other").issue(Role.DEPARTMENT, "fgw").signing_key()
    with pytest.raises(CertificateInvalid):
        authority.carry(Decision(stamp("fgw"), uscc_number(1), PENALTY, Outcome.DISMISSED).sign(forger))
    bank = DEPARTMENTS.issue(Role.BANK, "fgw").signing_key()
    with pytest.raises(CertificateInvalid):
        authority.carry(Decision(stamp("fgw"), uscc_number(1), PENALTY, Outcome.DISMISSED).sign(bank))
    assert len(authority.left_out()) == 1


def test_what_is_not_in_dispute_cannot_be_decided(authority: Authority) -> None:
    assert refusal(authority.decide, Outcome.UPHELD) is Reason.DISPUTE_UNKNOWN


def test_one_enterprise_cannot_dispute_without_end_nor_in_anothers_name(authority: Authority) -> None:
    firm, other = authority.enterprise(1), authority.enterprise(2)
    for number in range(MAX_OPEN):
        authority.state(firm, Action.DISPUTE, RecordName("tax_payment", f"r{number}"))
    assert refusal(authority.state, firm, Action.DISPUTE, PENALTY) is Reason.DISPUTE_LIMIT
    authority.state(other, Action.DISPUTE, PENALTY)
    assert refusal(authority.state, other, Action.WITHDRAW_DISPUTE, RecordName("tax_payment", "r0")) is (
        Reason.DISPUTE_UNKNOWN
    )
    assert refusal(authority.state, other, Action.DISPUTE, RecordName("weather", "r")) is Reason.CATEGORY_UNKNOWN


def test_a_repaired_record_stays_out_for_good_and_needs_no_objection(authority: Authority) -> None:
    firm = authority.enterprise()
    for _ in range(2):
        assert authority.decide(Outcome.REPAIRED).noticed
    (out,) = authority.left_out()
    assert (out.record_id, out.until) == (PENALTY.record_id, None)
    known = authority.run(disputes.disputes, authority.environment, firm.uscc)
    assert [one.state for one in known] == ["repaired"]
    # The platform hears of objections alone: this would tell it that there was a record.
    assert authority.run(disputes.changed_after, authority.environment, 0, 10) == []


def test_the_departments_list_holds_its_categories_alone_and_hands_them_over(authority: Authority) -> None:
    firm = authority.enterprise()
    authority.state(firm, Action.DISPUTE, PENALTY)
    authority.state(firm, Action.DISPUTE, RecordName("tax_payment", "t-1"))
    for _ in range(2):
        (own,) = authority.run(disputes.transfer, authority.environment, WRITERS["fgw"], 77)
        assert (own.record, own.transferred_at, own.progress) == (PENALTY, 77, "transferred")
    changed = authority.run(disputes.changed_after, authority.environment, 0, 10)
    assert sorted(one.progress for one in changed) == ["marked", "transferred"]
    assert authority.run(disputes.changed_after, authority.environment, changed[-1].change, 10) == []


def test_nothing_on_disk_names_the_record_and_the_key_survives_a_restart(authority: Authority) -> None:
    firm = authority.enterprise()
    authority.state(firm, Action.DISPUTE, PENALTY)
    for path in authority.data.iterdir():
        assert PENALTY.record_id.encode() not in path.read_bytes() and authority.key.to_der() not in path.read_bytes()
    authority.store.close()
    authority.store = Store(authority.data / "authority.sqlite")
    again = authority.run(disputes.dispute_key, authority.environment)
    assert again.public.claims() == authority.key.public.claims()
    assert len(authority.left_out()) == 1


def test_a_database_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    with transaction(connection, "as the first release made it"):
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO epoch VALUES (1, ?)", (os.urandom(60),))
    connection.close()
    store = Store(path)
    tables = asyncio.run(store.run(lambda c: {name for (name,) in c.execute("SELECT name FROM sqlite_schema")}))
    kept = asyncio.run(store.run(lambda c: c.execute("SELECT count(*) FROM epoch").fetchone()))
    store.close()
    assert {"dispute", "sealed_secret"} <= tables and kept == (1,)
