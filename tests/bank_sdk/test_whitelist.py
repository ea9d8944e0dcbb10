"""What a bank believes of a white list and of an alert: whole, for it, from an enclave it asked, in time, in order."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from xinyidai.alerts.documents import Alert
from xinyidai.alerts.rules import Level
from xinyidai.confidential import OpeningKey
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.v1 import alerts_pb2
from xinyidai.whitelist.lists import PART_ENTRIES, ListHead, Member, Withdrawal, split

from bank_sdk import (
    BankCredentials,
    BankSdkError,
    KeyStore,
    KeyStoreError,
    ListExpired,
    ListRolledBack,
    VerificationError,
    next_step,
)
from bank_sdk.alerts import _take as take_alert
from bank_sdk.questions import Asker
from bank_sdk.session import Session
from bank_sdk.whitelist import _take as take_list
from tests.support.certificates import make_authority
from tests.support.parties import uscc_number

BANKS_CA, ENCLAVES_CA = make_authority("Banks CA"), make_authority("Enclaves CA")
LEAF = BANKS_CA.issue(Role.BANK, "bank-a")
ENCLAVE = parse_enclave_id("enclave-a")
SIGNER = ENCLAVES_CA.issue(Role.ENCLAVE, ENCLAVE).signing_key()
OTHER_SIGNER = ENCLAVES_CA.issue(Role.ENCLAVE, "enclave-b").signing_key()
STRANGER = make_authority("Others").issue(Role.ENCLAVE, ENCLAVE).signing_key()
NOW = int(time.time())
HEAD = ListHead(ENCLAVE, parse_bank_id("bank-a"), "l" * 32, 5, 1, NOW, NOW + 3600, "s", "2026-10-31", "p@1", "0" * 64)
MEMBERS = [Member(parse_uscc(uscc_number(n)), f"{n:032x}") for n in range(5)]
ALERT = Alert(
    ENCLAVE, "a" * 32, parse_bank_id("bank-a"), parse_uscc(uscc_number(1)), "0" * 64, 1, NOW, "s", "2026-10-31", "c@1",
    "0" * 64, "risk-events@1", "0" * 64, Level.RED, (), 200,
)  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Session:
    LEAF.write(tmp_path / "bank.pem", tmp_path / "bank.key")
    (tmp_path / "ca.pem").write_bytes(BANKS_CA.pem)
    (tmp_path / "enclave.pem").write_bytes(ENCLAVES_CA.pem)
    credentials = BankCredentials.from_files(
        tmp_path / "bank.pem", tmp_path / "bank.key", tmp_path / "ca.pem", enclave_ca=tmp_path / "enclave.pem"
    )
    store = KeyStore(tmp_path / "keys", "of a test")
    return Session(credentials, Asker(credentials, time.time), store, (ENCLAVE,))


Make = Callable[..., list[str]]


@pytest.fixture
def make(session: Session) -> Make:
    def made(
        members: list[Member] = MEMBERS, signer: object = SIGNER, reader: OpeningKey | None = None, **changes: object
    ) -> list[str]:
        head = replace(HEAD, **changes)  # type: ignore[arg-type]
        to = (reader or session.keys.reader()).public
        return [part.seal(signer, to) for part in split(head, members, [])]  # type: ignore[arg-type]

    return made


def test_a_list_is_opened_and_its_version_remembered(session: Session, make: Make, tmp_path: Path) -> None:
    found = take_list(make(), session)
    assert (found.version, found.members, found.enclave) == (5, tuple(MEMBERS), ENCLAVE)
    assert take_list(make(), session) == found
    assert take_list(make(version=9), session).version == 9
    with pytest.raises(ListRolledBack):
        take_list(make(), session)
    again = replace(session, keys=KeyStore(tmp_path / "keys", "of a test"))
    with pytest.raises(ListRolledBack):
        take_list(make(), again)


def test_many_parts_in_any_order_and_never_fewer(session: Session, make: Make) -> None:
    many = [Member(parse_uscc(uscc_number(n)), "0" * 32) for n in range(PART_ENTRIES + 1)]
    parts = make(many, parts=2)
    assert len(take_list(parts[::-1], session).members) == len(many)
    for wrong in (parts[:1], [*parts, parts[0]], [parts[0], parts[0]], [], [parts[0], *make(version=6)]):
        with pytest.raises(VerificationError):
            take_list(wrong, session)


def test_what_somebody_else_made_is_refused(session: Session, make: Make) -> None:
    for wrong in (
        make(signer=STRANGER),
        make(signer=OTHER_SIGNER),
        make(signer=OTHER_SIGNER, enclave=parse_enclave_id("enclave-b")),
        make(bank=parse_bank_id("bank-b")),
        make(reader=OpeningKey.generate()),
        make(made_at=NOW + 86_400),
        [make()[0][:-4]],
        ["x.y.z"],
    ):
        with pytest.raises(VerificationError):
            take_list(wrong, session)
    assert take_list(make(version=1), session).version == 1, "nothing refused was remembered"


def test_a_list_past_its_time_is_refused(session: Session, make: Make) -> None:
    with pytest.raises(ListExpired) as caught:
        take_list(make(made_at=NOW - 7200, expires_at=NOW - 1), session)
    assert "旧名单" in next_step(caught.value).zh


def test_withdrawals_come_with_the_list(session: Session) -> None:
    gone = Withdrawal(parse_uscc(uscc_number(77)), NOW)
    (part,) = split(HEAD, MEMBERS, [gone])
    assert take_list([part.seal(SIGNER, session.keys.reader().public)], session).withdrawn == (gone,)


def sealed(alert: Alert, session: Session, **changes: str) -> alerts_pb2.SealedAlert:
    raw = alert.seal(SIGNER, session.keys.reader().public)
    named = {"alert_id": alert.alert_id, "authorization": alert.authorization, "sealed": raw}
    return alerts_pb2.SealedAlert(**(named | changes))  # type: ignore[arg-type]


def test_an_alert_is_opened_and_a_gap_is_noticed(session: Session) -> None:
    assert take_alert(sealed(ALERT, session), session).missing == 0
    assert take_alert(sealed(ALERT, session), session).missing == 0
    assert take_alert(sealed(replace(ALERT, number=4, alert_id="b" * 32), session), session).missing == 2
    for wrong in (
        sealed(ALERT, session, authorization="1" * 64),
        sealed(ALERT, session, alert_id="b" * 32),
        sealed(replace(ALERT, bank=parse_bank_id("bank-b")), session),
        sealed(replace(ALERT, enclave=parse_enclave_id("enclave-b")), session),
        sealed(replace(ALERT, made_at=NOW + 86_400), session),
        sealed(ALERT, session, sealed="x"),
    ):
        with pytest.raises(VerificationError):
            take_alert(wrong, session)


def test_the_store_keeps_one_reader_and_says_when_it_is_damaged(session: Session, tmp_path: Path) -> None:
    first = session.keys.reader()
    again = KeyStore(tmp_path / "keys", "of a test")
    assert first.open(again.reader().public.seal(b"x", 10)) == b"x"
    assert [again.take_number("a", n) for n in (3, 2, 7, 7)] == [0, 3, 3, 7]
    for name in ("reader", "numbers"):
        path = tmp_path / "keys" / name
        assert path.stat().st_mode & 0o077 == 0
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    for broken in (again.reader, lambda: again.take_number("a", 9)):
        with pytest.raises(KeyStoreError):
            broken()
    assert issubclass(ListExpired, BankSdkError)
