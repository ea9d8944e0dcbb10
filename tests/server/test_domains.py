"""The domains' rules, on SQLite and on a real PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from xinyidai.identifiers import BankId, EnclaveId, Uscc
from xinyidai.reasons import Reason
from xinyidai.receipt import ModelReceipt

from server.assessments.service import count_assessments, list_models, note_assessments, note_model
from server.authorizations.models import State
from server.authorizations.service import keep_authorization, list_authorizations, note_state, state_at
from server.banks.errors import BankNotRegistered, CertificateInUse
from server.banks.service import Registration, list_banks, recognize_bank, register_bank, remove_bank
from server.db import Database
from server.enterprises.models import Enterprise
from server.enterprises.service import note_key
from server.errors import RequestInvalid
from server.paging import Page, Position, parse_page
from tests.support.grants import copied_authorization

BANK = BankId("bank-a")
ENTERPRISE = Uscc("91320703MA0000003U")
REGISTRATION = Registration(BANK, "甲银行", "Bank A", "a" * 43)
GRANT = copied_authorization(
    enterprise=ENTERPRISE,
    authorization_id="0123456789abcdef",
    issued_at=100,
    not_before=100,
    expires_at=1_000,
    bank=BANK,
)


def test_a_bank_may_call_with_its_one_certificate_until_it_is_removed(database: Database) -> None:
    with database.transaction("register") as session:
        register_bank(session, REGISTRATION, 1)
        assert recognize_bank(session, BANK, "a" * 43) == BANK
        for bank, certificate in ((BANK, "b" * 43), ("bank-b", "a" * 43)):
            with pytest.raises(BankNotRegistered):
                recognize_bank(session, bank, certificate)
    with database.transaction("remove") as session:
        remove_bank(session, BANK)
        assert list_banks(session) == []
        with pytest.raises(BankNotRegistered):
            recognize_bank(session, BANK, "a" * 43)
        with pytest.raises(BankNotRegistered):
            remove_bank(session, BANK)


def test_registering_a_bank_again_renews_its_certificate_and_the_old_one_is_out(database: Database) -> None:
    with database.transaction("register") as session:
        register_bank(session, REGISTRATION, 1)
        register_bank(session, replace(REGISTRATION, name_zh="甲银行(新)", certificate_thumbprint="b" * 43), 2)
    with database.reading() as session:
        (found,) = list_banks(session)
        assert (found.name_zh, found.certificate_thumbprint, found.registered_at) == ("甲银行(新)", "b" * 43, 1)
        with pytest.raises(BankNotRegistered):
            recognize_bank(session, BANK, "a" * 43)


def test_two_banks_never_share_a_certificate(database: Database) -> None:
    with database.transaction("register") as session:
        register_bank(session, REGISTRATION, 1)
    with pytest.raises(CertificateInUse), database.transaction("register") as session:
        register_bank(session, replace(REGISTRATION, bank=BankId("bank-b")), 1)


def test_an_enterprise_keeps_its_first_date_and_takes_its_newest_key(database: Database) -> None:
    with database.transaction("note") as session:
        note_key(session, ENTERPRISE, "k" * 43, 1)
        note_key(session, ENTERPRISE, "l" * 43, 2)
    with database.reading() as session:
        found = session.get(Enterprise, ENTERPRISE)
        assert found is not None and (found.key_thumbprint, found.registered_at) == ("l" * 43, 1)


def test_revoked_is_final_whatever_comes_after(database: Database) -> None:
    with database.transaction("keep") as session:
        digest = keep_authorization(session, "token", GRANT, State.ACTIVE, 100)
    for state, expected in (
        (State.PAUSED, State.PAUSED),
        (State.ACTIVE, State.ACTIVE),
        (State.REVOKED, State.REVOKED),
        (State.ACTIVE, State.REVOKED),
    ):
        with database.transaction("note") as session:
            note_state(session, digest, ENTERPRISE, state)
        with database.transaction("submit again") as session:
            keep_authorization(session, "token", GRANT, state, 500)
            ((copy,), _) = list_authorizations(session, BANK, None, Page(10, None))
            assert (state_at(copy, 200), copy.submitted_at) == (expected, 100)


def test_only_the_enterprise_itself_changes_its_copy(database: Database) -> None:
    with database.transaction("keep") as session:
        digest = keep_authorization(session, "token", GRANT, State.ACTIVE, 100)
        note_state(session, digest, Uscc("91320703MA00000040"), State.REVOKED)
        ((copy,), _) = list_authorizations(session, BANK, None, Page(10, None))
    assert state_at(copy, 200) is State.ACTIVE


def test_an_authorization_ends_when_its_time_does(database: Database) -> None:
    with database.transaction("keep") as session:
        keep_authorization(session, "token", GRANT, State.ACTIVE, 100)
        ((copy,), _) = list_authorizations(session, BANK, ENTERPRISE, Page(10, None))
    assert (state_at(copy, 999), state_at(copy, 1_000)) == (State.ACTIVE, State.EXPIRED)


def test_a_bank_sees_its_own_authorizations_only_page_by_page_newest_first(database: Database) -> None:
    with database.transaction("keep") as session:
        for number in range(7):
            # Three share a second, so that the digest has to decide.
            keep_authorization(session, f"head.{number}.signature", GRANT, State.ACTIVE, 100 + number // 3)
        keep_authorization(
            session, "head.of another.signature", replace(GRANT, bank=BankId("bank-b")), State.ACTIVE, 100
        )
    seen: list[tuple[int, str]] = []
    page = Page(3, None)
    for expected in (3, 3, 1):
        with database.reading() as session:
            rows, following = list_authorizations(session, BANK, None, page)
        assert len(rows) == expected
        seen += [(row.submitted_at, row.digest) for row in rows]
        if following is not None:
            page = parse_page(3, following.token(), 10)
    assert following is None
    assert seen == sorted(set(seen), reverse=True) and len(seen) == 7


def test_a_grant_that_arrives_between_two_pages_shifts_nothing(database: Database) -> None:
    with database.transaction("keep") as session:
        for number in range(4):
            keep_authorization(session, f"head.{number}.signature", GRANT, State.ACTIVE, 100 + number)
        first, following = list_authorizations(session, BANK, None, Page(2, None))
        keep_authorization(session, "head.new.signature", GRANT, State.ACTIVE, 200)
        second, _ = list_authorizations(session, BANK, None, Page(2, following))
    assert [row.submitted_at for row in (*first, *second)] == [103, 102, 101, 100]


@pytest.mark.parametrize(
    ("size", "token"), [(-1, ""), (11, ""), (1, "x"), (1, "1-zz"), (1, "-1-aa"), (1, "1' OR 1=1-aa"), (1, "1" * 500)]
)
def test_pages_out_of_bounds_are_refused(size: int, token: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_page(size, token, 10)
    assert caught.value.reason is Reason.REQUEST_INVALID


def test_a_page_token_says_where_and_nothing_more() -> None:
    assert parse_page(0, Position(5, "ab").token(), 200) == Page(100, Position(5, "ab"))


def test_a_model_is_listed_once_and_for_its_bank_only(database: Database) -> None:
    receipt = ModelReceipt(EnclaveId("lianyungang-1"), "f" * 64, BANK, "linear-4096-t1024", "c@1", "0" * 64, 50)
    with database.transaction("note") as session:
        register_bank(session, REGISTRATION, 1)
        note_model(session, receipt)
        note_model(session, receipt)
        rows, following = list_models(session, BANK, Page(10, None))
        assert [row.model_id for row in rows] == ["f" * 64] and following is None
        assert list_models(session, BankId("bank-b"), Page(10, None)) == ([], None)


def test_a_repeated_answer_counts_once_even_from_many_threads(database: Database) -> None:
    def note(number: int) -> None:
        with database.transaction("note") as session:
            note_assessments(session, {"id-1": "d" * 64, f"own-{number % 4}": "e" * 64}, number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(note, range(40)))
    with database.reading() as session:
        assert count_assessments(session, ["d" * 64, "e" * 64, "f" * 64]) == {"d" * 64: 1, "e" * 64: 4}
