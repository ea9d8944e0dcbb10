"""Whatever an enterprise signs about its authorizations, records and delegates, the enclave signs that it was done."""

from typing import Any

import pytest
from xinyidai.acknowledgement import AUTHORIZE, verify_acknowledgement
from xinyidai.delegation import Power
from xinyidai.disputes import Objection, RecordName
from xinyidai.identity import Role
from xinyidai.proposals import proposal_digest
from xinyidai.signing import signed_digest
from xinyidai.statements import Action

from enclave.transparency import log
from tests.enclave.authority import test_delegates, test_life_cycle
from tests.support.authority import BANK, ENCLAVES_CA, ENTERPRISE, USCC, Desk, _machine, granted

ANCHOR = ENCLAVES_CA.anchor(Role.ENCLAVE)


def members(desk: Desk, action: Action) -> dict[str, Any]:
    """What a statement with this action names, and what has to be there for it."""
    record = Objection(RecordName("tax_payment", "r-1")).seal(_machine()[1].public)
    if action in (Action.DISPUTE, Action.WITHDRAW_DISPUTE):
        if action is Action.WITHDRAW_DISPUTE:
            desk.state(ENTERPRISE, Action.DISPUTE, record=record)
            record = RecordName("tax_payment", "r-1").seal(_machine()[1].public)
        return {"record": record}
    if action is Action.REJECT_REQUEST:
        return {"request": proposal_digest(test_life_cycle.TestProposals().ask(desk))}
    if action is Action.SET_BUDGET:
        return {"centibits": 700}
    if action is Action.DELEGATE:
        return {"delegation": test_delegates.delegation(desk, frozenset({Power.VIEW}))}
    if action is Action.END_DELEGATION:
        test_delegates.delegate(desk, frozenset({Power.VIEW}))
        return {"delegate": test_delegates.KEY.public.thumbprint}
    digest = desk.grant(ENTERPRISE, BANK)
    return {"authorization": digest}


@pytest.mark.parametrize("action", list(Action))
def test_every_statement_is_acknowledged_and_in_the_log(desk: Desk, action: Action) -> None:
    named = members(desk, action)
    about, size = named.get("authorization"), log.size_of(desk.connection)
    raw = ENTERPRISE.statement(action, desk.now, **named)
    done = desk.carry_out_whole(raw)
    found = verify_acknowledgement(done.acknowledgement, signed_digest(raw), ANCHOR)
    assert (found.kind, found.enterprise, found.authorization) == (action, USCC, about)
    assert (found.state is None) is (about is None)
    assert log.size_of(desk.connection) == size + 1


def test_what_a_delegate_signs_is_acknowledged_to_the_enterprise(desk: Desk) -> None:
    test_delegates.delegate(desk, frozenset({Power.GRANT}))
    token = ENTERPRISE.terms(BANK, desk.now).sign(test_delegates.KEY)
    done = desk.submit_token(token)
    found = verify_acknowledgement(done.acknowledgement, granted(done).digest, ANCHOR)
    assert (found.kind, found.enterprise, found.state) == (AUTHORIZE, USCC, "active")


def test_narrowing_is_acknowledged_once_and_stopping_the_old_one_tells_what_became_of_the_new(desk: Desk) -> None:
    old = desk.submit(ENTERPRISE, test_life_cycle.terms(desk))
    desk.state(ENTERPRISE, Action.PAUSE, old)
    size = log.size_of(desk.connection)
    done = desk.submit_token(test_life_cycle.terms(desk, parent=old).sign(ENTERPRISE.key))
    new = granted(done).digest
    assert verify_acknowledgement(done.acknowledgement, new, ANCHOR).state == "paused"
    assert log.size_of(desk.connection) == size + 1
    raw = ENTERPRISE.statement(Action.REVOKE, desk.now, old)
    stopped = desk.carry_out_whole(raw)
    found = verify_acknowledgement(stopped.acknowledgement, signed_digest(raw), ANCHOR)
    assert (found.authorization, found.state, granted(stopped).digest) == (old, "revoked", new)
