"""Delegates: each may do what it was given and nothing else, nobody delegates but the enterprise, and an end is an
end."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.delegation import MAX_DELEGATIONS, Delegation, Power, key_claims, parse_delegation, read_key
from xinyidai.disputes import Objection, RecordName
from xinyidai.events import Initiator
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.signing import Claims, DocumentMalformed, SigningKey
from xinyidai.statements import Access, Action, Statement

from enclave.authority import access, grants, signers
from enclave.authority.store import _open
from tests.enclave.authority.test_life_cycle import told
from tests.support.authority import BANK, ENTERPRISE, USCC, Desk, Enterprise, _machine, granted, refused, stamp

KEYS = {"Ed25519": SigningKey.generate("Ed25519"), "ES256": SigningKey.generate("ES256")}
KEY = KEYS["ES256"]
ALL = frozenset(Power)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(_open(tmp_path / "authority.sqlite"))
    made.enrol(ENTERPRISE)
    yield made
    made.connection.close()


def delegation(desk: Desk, powers: frozenset[Power], key: SigningKey = KEY, days: int = 30) -> Delegation:
    return Delegation(key.public, powers, desk.now + days * DAY_SECONDS, "王*")


def delegate(desk: Desk, powers: frozenset[Power], key: SigningKey = KEY, **rest: Any) -> None:
    desk.carry_out(ENTERPRISE.statement(Action.DELEGATE, desk.now, delegation=delegation(desk, powers, key, **rest)))


def state(desk: Desk, action: Action, authorization: str | None = None, **rest: Any) -> Any:
    """A statement the delegate signs in the enterprise's name."""
    return desk.carry_out(Statement(stamp(USCC, desk.now), USCC, action, authorization, **rest).sign(KEY))


def authorize(desk: Desk) -> Any:
    return desk.submit_token(ENTERPRISE.terms(BANK, desk.now).sign(KEY))


def view(desk: Desk) -> str:
    raw = Access(stamp(USCC, desk.now), USCC).sign(KEY)
    return access.verify_access(desk.connection, desk.trust, raw, desk.now)


def object_to(desk: Desk) -> None:
    _, key = _machine()
    state(desk, Action.DISPUTE, record=Objection(RecordName("tax_payment", "r-1")).seal(key.public))


ACTS: dict[Power, list[Any]] = {
    Power.GRANT: [authorize, lambda d: state(d, Action.RESUME, d.grant(ENTERPRISE, BANK))],
    Power.CONTROL: [
        lambda d: state(d, Action.PAUSE, d.grant(ENTERPRISE, BANK)),
        lambda d: state(d, Action.REVOKE, d.grant(ENTERPRISE, BANK)),
    ],
    Power.VIEW: [view],
    Power.DISPUTE: [object_to],
    Power.BUDGET: [lambda d: state(d, Action.SET_BUDGET, centibits=7)],
}


@pytest.mark.parametrize("power", list(Power))
def test_every_power_opens_its_own_acts_and_no_others(desk: Desk, power: Power) -> None:
    delegate(desk, frozenset({power}))
    for other, acts in ACTS.items():
        for act in acts:
            if other is power:
                act(desk)
            else:
                assert refused(act, desk) is Reason.DELEGATION_POWER


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_what_a_delegate_signed_says_so(desk: Desk, algorithm: str) -> None:
    key = KEYS[algorithm]
    delegate(desk, ALL, key)
    token = ENTERPRISE.terms(BANK, desk.now).sign(key)
    digest = granted(desk.submit_token(token)).digest
    own = desk.grant(ENTERPRISE, BANK)
    rows = {row.signed_by for row in access.grants_of(desk.connection, USCC, desk.now)}
    assert rows == {"", "王*"}
    assert [e.initiator for e in told(desk)] == [Initiator.DELEGATE, Initiator.ENTERPRISE]
    (found,), (act,) = signers.delegations_of(desk.connection, USCC)
    assert (found.delegate, found.ended_at, sorted(found.powers)) == (key.public.thumbprint, 0, sorted(ALL))
    assert (act.act, act.about, act.name) == ("authorize", digest, "王*") and own != digest


def test_a_delegate_cannot_delegate_nor_end_a_delegation(desk: Desk) -> None:
    delegate(desk, ALL)
    other = SigningKey.generate()
    for statement in (
        {"action": Action.DELEGATE, "delegation": delegation(desk, ALL, other)},
        {"action": Action.DELEGATE, "delegation": delegation(desk, ALL, days=300)},
        {"action": Action.END_DELEGATION, "delegate": KEY.public.thumbprint},
    ):
        assert refused(state, desk, **statement) is Reason.DELEGATION_POWER


def test_an_end_is_at_once_and_cannot_be_undone_by_reordering(desk: Desk) -> None:
    held_back = ENTERPRISE.statement(Action.DELEGATE, desk.now, delegation=delegation(desk, ALL))
    delegate(desk, ALL)
    digest = granted(authorize(desk)).digest
    ended = ENTERPRISE.statement(Action.END_DELEGATION, desk.now, delegate=KEY.public.thumbprint)
    desk.carry_out(ended)
    for acts in ACTS.values():
        for act in acts:
            assert refused(act, desk) is Reason.DELEGATION_ENDED
    # What was signed before stays; the older statement, and the one of the same second, come too late.
    assert refused(desk.carry_out, held_back) is Reason.STATEMENT_SUPERSEDED
    assert {row.state for row in access.grants_of(desk.connection, USCC, desk.now)} == {"active"} and digest
    desk.now += 10
    delegate(desk, frozenset({Power.VIEW}))
    assert view(desk) == USCC


def test_an_end_that_arrives_before_its_delegation_holds(desk: Desk) -> None:
    late = ENTERPRISE.statement(Action.DELEGATE, desk.now, delegation=delegation(desk, ALL))
    desk.carry_out(ENTERPRISE.statement(Action.END_DELEGATION, desk.now, delegate=KEY.public.thumbprint))
    assert refused(desk.carry_out, late) is Reason.STATEMENT_SUPERSEDED
    assert refused(view, desk) is Reason.SIGNATURE_INVALID


def test_time_ends_a_delegation_and_so_does_a_lost_key(desk: Desk) -> None:
    delegate(desk, ALL, days=1)
    desk.now += DAY_SECONDS
    assert refused(view, desk) is Reason.DELEGATION_ENDED
    delegate(desk, ALL)
    grants.reset_key(desk.connection, desk.trust, USCC, desk.now)
    again = Enterprise()
    desk.enrol(again)
    assert refused(view, desk) is Reason.DELEGATION_ENDED


def test_one_enterprises_delegate_is_nobody_elsewhere(desk: Desk) -> None:
    other = Enterprise("91320703MA0000001X")
    desk.enrol(other)
    delegate(desk, ALL)
    raw = Access(stamp(other.uscc, desk.now), other.uscc).sign(KEY)
    refusal = refused(access.verify_access, desk.connection, desk.trust, raw, desk.now)
    assert refusal is Reason.SIGNATURE_INVALID


def test_delegations_are_bounded(desk: Desk) -> None:
    for _ in range(MAX_DELEGATIONS):
        delegate(desk, ALL, SigningKey.generate())
    assert refused(delegate, desk, ALL, SigningKey.generate()) is Reason.DELEGATION_LIMIT
    assert refused(delegate, desk, ALL, days=400) is Reason.REQUEST_INVALID
    assert refused(delegate, desk, ALL, ENTERPRISE.key) is Reason.REQUEST_INVALID


@given(
    powers=st.frozensets(st.sampled_from(list(Power)), min_size=1),
    algorithm=st.sampled_from(list(KEYS)),
    not_after=st.integers(0, 253_402_300_799),
    name=st.from_regex(r"[A-Za-z王]{1,8}\*{1,8}", fullmatch=True),
)
def test_delegations_round_trip(powers: frozenset[Power], algorithm: str, not_after: int, name: str) -> None:
    made = Delegation(KEYS[algorithm].public, powers, not_after, name)
    read = parse_delegation(Claims(made.claims()))
    assert (read.key.thumbprint, read.powers, read.not_after, read.name) == (
        made.key.thumbprint, powers, not_after, name
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"name": "王小明"},
        {"name": "*"},
        {"powers": ["everything"]},
        {"powers": []},
        {"key": None},
        {"key": {**key_claims(KEY.public), "d": "x" * 43}},
        {"key": {**key_claims(KEY.public), "x": "A" * 43}},
        {"key": {**key_claims(KEY.public), "kty": "OKP"}},
        {"key": {"kty": "oct", "k": "AAAA"}},
        {"more": 1},
    ],
)
def test_a_delegation_that_is_not_one_is_refused(change: dict[str, Any]) -> None:
    made = Delegation(KEY.public, ALL, 7, "王*")
    with pytest.raises(DocumentMalformed):
        parse_delegation(Claims({**made.claims(), **change}))
    assert read_key(Claims(key_claims(KEY.public))).thumbprint == replace(made).key.thumbprint
