"""What a hostile platform may do with genuine documents: hold back, replay, reorder, sign again; and a clock."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec
from xinyidai.authorization import authorization_digest
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from enclave.authority import grants
from enclave.errors import Refused
from tests.support.authority import (
    ANSWER,
    BANK,
    ENTERPRISE,
    OTHER_BANK,
    USCC,
    Desk,
    Enterprise,
    charged,
    granted,
    refused,
)


def refusal(outcome: object) -> Reason:
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


def _other_signature(token: str) -> str:
    """(r, n - s) in place of (r, s): as valid as the first, for ECDSA on P-256."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, body, signature = token.split(".")
    raw = urlsafe_b64decode(signature + "==")
    changed = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    return f"{head}.{body}.{urlsafe_b64encode(changed).rstrip(b'=').decode()}"


def test_a_second_valid_signature_gives_an_authorization_no_second_name(desk: Desk) -> None:
    enterprise = Enterprise("91440300192317458F", key=ec.generate_private_key(ec.SECP256R1()))
    desk.enrol(enterprise)
    token = enterprise.terms(BANK, desk.now).sign(enterprise.key)
    desk.submit_token(_other_signature(token))
    digest = authorization_digest(token)
    assert granted(desk.submit_token(token)).digest == digest
    desk.state(enterprise, Action.REVOKE, digest)
    assert granted(desk.submit_token(_other_signature(token))).state == "revoked"


def test_a_revocation_that_overtakes_its_authorization_holds(desk: Desk) -> None:
    token = ENTERPRISE.terms(BANK, desk.now).sign(ENTERPRISE.key)
    digest = authorization_digest(token)
    assert desk.state(ENTERPRISE, Action.REVOKE, digest) == grants.GrantState(digest, "revoked")
    assert granted(desk.submit_token(token)).state == "revoked"


def test_a_statement_held_back_does_not_undo_a_later_one(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    resume = ENTERPRISE.statement(Action.RESUME, desk.now, digest)
    generous = ENTERPRISE.statement(Action.SET_BUDGET, desk.now, None, bank="bank-a", centibits=50_000)
    desk.now += 60
    desk.state(ENTERPRISE, Action.PAUSE, digest)
    desk.state(ENTERPRISE, Action.SET_BUDGET, None, bank="bank-a", centibits=0)
    desk.now += 30
    for raw in (resume, generous):
        late = refused(desk.carry_out, raw)
        assert late is Reason.STATEMENT_SUPERSEDED


def test_a_revocation_stands_whenever_it_arrives(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    revocation = ENTERPRISE.statement(Action.REVOKE, desk.now, digest)
    desk.now += 60
    desk.state(ENTERPRISE, Action.RESUME, digest)
    held = desk.carry_out(revocation)
    assert held == grants.GrantState(digest, "revoked")


def test_a_clock_set_back_revives_no_document(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    resume = ENTERPRISE.statement(Action.RESUME, desk.now, digest)
    desk.carry_out(resume)
    desk.now += 10_000
    desk.state(ENTERPRISE, Action.PAUSE, digest)
    desk.now -= 10_000
    again = refused(desk.carry_out, resume)
    assert again in (Reason.DOCUMENT_EXPIRED, Reason.STATEMENT_SUPERSEDED)


def test_an_old_charge_without_an_answer_is_not_completed(desk: Desk, model: str) -> None:
    """It would count in the window of a year ago for what is disclosed today."""
    digest = desk.grant(
        ENTERPRISE,
        BANK,
        purpose="post_loan_monitoring",
        expires_at=desk.now + 700 * 86_400,
        term_end=desk.now + 701 * 86_400,
    )
    first = charged(desk.ask(BANK, model, digest))
    desk.now += 364 * 86_400
    second = charged(desk.ask(BANK, model, digest))
    assert second.assessment_id != first.assessment_id
    desk.now += 2 * 86_400
    assert desk.spent(ENTERPRISE) == ANSWER


def test_a_lost_key_is_reset_and_everything_it_signed_is_revoked(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    assert grants.reset_key(desk.connection, desk.trust, USCC, desk.now) == 1
    assert refused(desk.state, ENTERPRISE, Action.RESUME, digest) is Reason.KEY_NOT_REGISTERED
    renewed = Enterprise()
    desk.enrol(renewed)
    assert refused(desk.state, renewed, Action.RESUME, digest) is Reason.AUTHORIZATION_REVOKED


def test_a_bank_learns_the_state_of_its_own_authorizations_only(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, OTHER_BANK)
    desk.state(ENTERPRISE, Action.REVOKE, digest)
    assert refusal(desk.ask(BANK, model, digest)) is Reason.AUTHORIZATION_SCOPE
