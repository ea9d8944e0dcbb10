"""Accounts by themselves, on SQLite and on PostgreSQL: what begins, what ends, what is spent once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule, run_state_machine_as_test
from sqlalchemy import text

from server.accounts import lockout, passkeys, staff
from server.accounts.challenges import ChallengeKind, MadeFor, make_challenge, spend_challenge
from server.accounts.errors import NotAllowed, RateLimited, SessionMissing, SignInFailed
from server.accounts.events import AccountNote, events_of, latest_events, note
from server.accounts.models import AccountEventKind, AccountRole
from server.accounts.passkeys import MOST_PASSKEYS, NewPasskey
from server.accounts.rules import AccountRules
from server.accounts.sessions import check_csrf, close_session, open_session, use_session
from server.db import Database, StorageFailed

RULES = AccountRules(idle=100, absolute=1000)
FIRM = AccountRole.ENTERPRISE


class Sessions(RuleBasedStateMachine):
    """Against a plain table of who may: token -> (holder, began, last seen)."""

    database: Database
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.now = 10_000
        self.known: dict[str, tuple[str, int, int]] = {}
        with self.database.transaction("begin anew") as session:
            session.execute(text("DELETE FROM account_session"))

    @rule(target=tokens, holder=st.sampled_from(["a", "b"]))
    def open(self, holder: str) -> str:
        with self.database.transaction("open") as session:
            token = open_session(session, FIRM, holder, "key", None, self.now, RULES)
        self.known[token] = (holder, self.now, self.now)
        return token

    @rule(seconds=st.integers(0, 150))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(token=tokens)
    def use(self, token: str) -> None:
        holder, began, seen = self.known.get(token, ("", 0, 0))
        alive = self.now < began + RULES.absolute and self.now < seen + RULES.idle
        try:
            with self.database.transaction("use") as session:
                found = use_session(session, token, self.now, RULES)
            assert alive and found.holder == holder
            check_csrf(found, found.csrf)
            self.known[token] = (holder, began, self.now)
        except SessionMissing:
            assert not alive
            self.known.pop(token, None)

    @rule(token=consumes(tokens))
    def close(self, token: str) -> None:
        with self.database.transaction("close") as session:
            close_session(session, token)
        self.known.pop(token, None)


def test_sessions_end_by_idleness_in_any_case_and_by_being_closed(database: Database) -> None:
    machine = type("OnThis", (Sessions,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_form_token_is_the_sessions_own(database: Database) -> None:
    with database.transaction("two") as session:
        found = [
            use_session(session, open_session(session, FIRM, name, "key", None, 1, RULES), 1, RULES) for name in "ab"
        ]
    check_csrf(found[0], found[0].csrf)
    for wrong in (found[1].csrf, "", "é"):
        with pytest.raises(NotAllowed):
            check_csrf(found[0], wrong)
    assert found[0].csrf not in repr(found[0])


def test_a_challenge_is_spent_once_in_its_time_for_what_it_was_made_for(database: Database) -> None:
    mine = MadeFor("enterprise", "a")
    with database.transaction("make") as session:
        made = make_challenge(session, ChallengeKind.ADD_PASSKEY, mine, 100, 50)
    wrong = [
        (ChallengeKind.SIGN_IN, mine, made, 100),
        (ChallengeKind.ADD_PASSKEY, MadeFor("enterprise", "b"), made, 100),
        (ChallengeKind.ADD_PASSKEY, mine, "other", 100),
        (ChallengeKind.ADD_PASSKEY, mine, made, 150),
    ]
    for attempt in wrong:
        with pytest.raises(SignInFailed), database.transaction("spend") as session:
            spend_challenge(session, *attempt)

    def spend(_: int) -> bool:
        together.wait()
        try:
            with database.transaction("spend") as session:
                spend_challenge(session, ChallengeKind.ADD_PASSKEY, mine, made, 149)
            return True
        except SignInFailed:
            return False

    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(spend, range(4))) == 1


def test_failures_lock_for_a_while_and_are_forgotten(database: Database) -> None:
    rules = AccountRules(failures=3, window=100, lock=50)
    key = lockout.failure_key("key", "a", "127.0.0.1")

    def fail(now: int) -> None:
        with database.transaction("fail") as session:
            lockout.check_not_locked(session, key, now)
            lockout.note_failure(session, key, now, rules)

    for now in (1000, 1001, 1002):
        fail(now)
    with pytest.raises(RateLimited) as locked, database.transaction("try") as session:
        lockout.check_not_locked(session, key, 1010)
    assert locked.value.retry_after == 42
    with database.transaction("others") as session:
        lockout.check_not_locked(session, lockout.failure_key("key", "a", "::1"), 1010)
        lockout.check_not_locked(session, key, 1052)
    for now in (1110, 1111):
        fail(now)
    with database.transaction("it worked") as session:
        lockout.check_not_locked(session, key, 1112)
        lockout.forget_failures(session, key)
    for now in (1113, 1114):
        fail(now)


def test_an_enrolment_code_is_spent_once_and_a_new_one_replaces_it(database: Database) -> None:
    operator = AccountRole.OPERATOR
    with database.transaction("add") as session:
        first = staff.add_staff(session, operator, "li", "李", 0, RULES)
        second = staff.add_staff(session, operator, "li", "李", 0, RULES)
        department = staff.add_staff(session, AccountRole.DEPARTMENT, "li", "李", 0, RULES)
    for code in (first, department, "", "x"):
        with pytest.raises(SignInFailed), database.transaction("spend") as session:
            staff.spend_code(session, operator, "li", code, 1)
    with pytest.raises(SignInFailed), database.transaction("late") as session:
        staff.check_code(session, operator, "li", second, RULES.enrolment)
    with database.transaction("spend") as session:
        staff.check_code(session, operator, "li", second, 1)
        staff.spend_code(session, operator, "li", second, 1)
    for code in (second, ""):
        with pytest.raises(SignInFailed), database.transaction("again") as session:
            staff.check_code(session, operator, "li", code, 1)


def test_an_account_has_so_many_passkeys_and_removes_only_its_own(database: Database) -> None:
    with database.transaction("add") as session:
        for number in range(MOST_PASSKEYS):
            passkeys.keep_passkey(session, FIRM, "a", "", NewPasskey(f"a{number}", b"key", 0), 1)
    with pytest.raises(NotAllowed), database.transaction("one more") as session:
        passkeys.keep_passkey(session, FIRM, "a", "", NewPasskey("more", b"key", 0), 1)
    with pytest.raises(SignInFailed), database.transaction("taken") as session:
        passkeys.keep_passkey(session, FIRM, "b", "", NewPasskey("a0", b"other", 0), 1)
    with database.transaction("remove") as session:
        assert not passkeys.remove_passkey(session, FIRM, "b", "a0")
        assert not passkeys.remove_passkey(session, AccountRole.OPERATOR, "a", "a0")
        assert passkeys.remove_passkey(session, FIRM, "a", "a0")
        assert len(passkeys.passkeys_of(session, FIRM, "a")) == MOST_PASSKEYS - 1


@pytest.mark.parametrize("untrusted", ["", "\x00", "a\x00b", "\ud800", "x" * 5000, "a'; --", "a/b"])
def test_no_text_in_a_credentials_place_troubles_the_database(database: Database, untrusted: str) -> None:
    with database.transaction("look") as session:
        assert passkeys.find_passkey(session, untrusted) is None
        assert not passkeys.remove_passkey(session, FIRM, "a", untrusted)
    assert passkeys.credential_id_of({"id": untrusted}) == "" == passkeys.credential_id_of({"id": 1})


@pytest.mark.parametrize("change", ["UPDATE account_event SET outcome = 'OK'", "DELETE FROM account_event"])
def test_the_audit_of_accounts_is_append_only_and_listed_by_account(database: Database, change: str) -> None:
    with database.transaction("note") as session:
        for holder in ("a", "b", "a"):
            note(session, AccountNote(AccountEventKind.SIGN_IN, FIRM, holder), 7)
    with pytest.raises(StorageFailed, match="append-only"), database.transaction("rewrite") as session:
        session.execute(text(change))
    with database.reading() as session:
        assert len(events_of(session, FIRM, "a")) == 2 and len(latest_events(session)) == 3
