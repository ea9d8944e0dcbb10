"""What the authority keeps: authorizations within their limits, models, nobody else's usage, epoch keys."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from xinyidai.catalogue import builtin_catalogue, parse_catalogue
from xinyidai.framing import FrameKind, decode_seeded, encode_seeded
from xinyidai.identifiers import parse_enclave_id
from xinyidai.identity import CertificateInvalid
from xinyidai.purposes import DAY_SECONDS, PurposeLimit
from xinyidai.reasons import Reason
from xinyidai.signing import SignatureInvalid
from xinyidai.statements import Action

from enclave.authority import access, ledger, models
from enclave.authority.epochs import current_epoch, rotate_epoch
from enclave.authority.store import _open
from enclave.environment import EnclaveEnvironmentError, SoftwareEnvironment
from tests.support.authority import (
    BANK,
    ENTERPRISE,
    USCC,
    Desk,
    Enterprise,
    charged,
    make_trust,
    refused,
)

# --- Submitting authorizations --------------------------------------------------------------------------------------

CODES = tuple(c.code for c in builtin_catalogue().categories)
TOO_WIDE: dict[str, tuple[dict[str, Any], Reason]] = {
    "for another enclave": ({"enclaves": (parse_enclave_id("enclave-b"),)}, Reason.AUDIENCE_MISMATCH),
    "of another catalogue": ({"catalogue_digest": "00" * 32}, Reason.CATALOGUE_UNKNOWN),
    "of an unknown purpose": ({"purpose": "curiosity"}, Reason.PURPOSE_LIMIT),
    "of another purpose version": ({"purpose_version": 2}, Reason.PURPOSE_LIMIT),
    "too often": ({"max_assessments": 11}, Reason.PURPOSE_LIMIT),
    "for monitoring without an end": ({"purpose": "post_loan_monitoring"}, Reason.PURPOSE_LIMIT),
    "out of order": ({"categories": CODES[::-1]}, Reason.DOCUMENT_MALFORMED),
    "after another notice": ({"notice_hash": "00" * 32}, Reason.NOTICE_MISMATCH),
}


@pytest.mark.parametrize("name", TOO_WIDE)
def test_an_authorization_too_wide_is_refused(desk: Desk, name: str) -> None:
    changes, reason = TOO_WIDE[name]
    assert refused(desk.grant, ENTERPRISE, BANK, **changes) is reason


def test_an_authorization_is_checked_against_the_clock(desk: Desk) -> None:
    future = replace(ENTERPRISE.terms(BANK, desk.now), issued_at=desk.now + 61)
    assert refused(desk.submit, ENTERPRISE, future) is Reason.DOCUMENT_EXPIRED
    too_long = ENTERPRISE.terms(BANK, desk.now, expires_at=desk.now + 31 * DAY_SECONDS + 1)
    with pytest.raises(PurposeLimit):
        desk.submit(ENTERPRISE, too_long)
    over = ENTERPRISE.terms(BANK, desk.now - 31 * DAY_SECONDS)
    assert refused(desk.submit, ENTERPRISE, over) is Reason.AUTHORIZATION_EXPIRED


def test_an_unknown_category_is_refused(desk: Desk) -> None:
    terms = replace(ENTERPRISE.terms(BANK, desk.now), categories=("horoscope",))
    assert refused(desk.submit, ENTERPRISE, terms) is Reason.CATEGORY_UNKNOWN


def test_submitting_twice_is_harmless_and_a_jti_names_one_authorization(desk: Desk) -> None:
    terms = ENTERPRISE.terms(BANK, desk.now)
    token = terms.sign(ENTERPRISE.key)
    first = desk.submit_token(token)
    assert desk.submit_token(token) == first
    other = replace(terms, expires_at=terms.expires_at - DAY_SECONDS)
    other = ENTERPRISE.terms(BANK, desk.now, authorization_id=terms.authorization_id, expires_at=other.expires_at)
    assert refused(desk.submit, ENTERPRISE, other) is Reason.AUTHORIZATION_EXISTS


def test_only_the_pinned_key_signs_for_an_enterprise(desk: Desk) -> None:
    impostor = Enterprise()
    with pytest.raises(SignatureInvalid):
        desk.submit(impostor, impostor.terms(BANK, desk.now))
    assert refused(desk.enrol, impostor) is Reason.KEY_ALREADY_PINNED
    desk.enrol(ENTERPRISE)
    unknown = Enterprise("91440300192317458F")
    assert refused(desk.submit, unknown, unknown.terms(BANK, desk.now)) is Reason.KEY_NOT_REGISTERED


def test_a_bank_certificate_registers_no_enterprise_key(desk: Desk) -> None:
    fake = Enterprise("91440300192317458F")
    fake.key = fake.key.with_chain(BANK.leaf.chain)
    with pytest.raises(CertificateInvalid):
        desk.enrol(fake)


# --- Models ---------------------------------------------------------------------------------------------------------


def test_the_same_model_again_is_the_same_model(desk: Desk) -> None:
    frames = BANK.frames()
    assert desk.register(BANK, frames) == desk.register(BANK, frames)
    assert models.model_frames(desk.connection, desk.register(BANK, frames)) == frames


def test_a_seed_is_used_once(desk: Desk) -> None:
    """Two ciphertexts under one seed hand the difference of the points to the enclave."""
    weights, zero = BANK.frames()
    desk.register(BANK, (weights, zero))
    fresh_weights, fresh_zero = BANK.frames()
    for frames in ((weights, fresh_zero), (fresh_weights, zero)):
        assert refused(desk.register, BANK, frames) is Reason.SEED_REUSED
    swapped = [encode_seeded(decode_seeded(weights, FrameKind.WEIGHTS), FrameKind.ZERO)]
    assert refused(desk.register, BANK, (fresh_weights, swapped[0])) is Reason.SEED_REUSED
    assert refused(desk.register, BANK, (weights, swapped[0])) is Reason.SEED_REUSED
    desk.register(BANK, (fresh_weights, fresh_zero))


def test_a_registration_vouches_for_its_frames(desk: Desk) -> None:
    frames = BANK.frames()
    assert refused(desk.register, BANK, frames, weights_digest="00" * 32) is Reason.SIGNATURE_INVALID
    wrong = {"catalogue_digest": "00" * 32}
    assert refused(desk.register, BANK, frames, **wrong) is Reason.CATALOGUE_UNKNOWN
    unknown = {"parameter_set": "linear-8192"}
    assert refused(desk.register, BANK, frames, **unknown) is Reason.PARAMETER_SET_UNKNOWN


def test_a_model_of_an_earlier_catalogue_scores_nothing(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    later = builtin_catalogue().canonical.replace(b'"version":"2026.2"', b'"version":"2026.3"')
    desk.trust = make_trust(catalogue=parse_catalogue(later))
    assert refused(desk.ask, BANK, model, digest) is Reason.CATALOGUE_UNKNOWN


# --- Reading one's own usage ----------------------------------------------------------------------------------------


def test_an_enterprise_sees_every_use_newest_first(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    ids = []
    for _ in range(3):
        entry = charged(desk.ask(BANK, model, digest, fresh=True))
        desk.answer(entry)
        ids.append(entry.assessment_id)
    page, following = ledger.usage_of(desk.connection, USCC, 1 << 60, 2)
    assert following is not None
    rest, end = ledger.usage_of(desk.connection, USCC, following, 2)
    assert [use.assessment_id for use in page + rest] == ids[::-1]
    assert end is None
    assert ledger.banks_charging(desk.connection, USCC, desk.now) == ("bank-a",)


def test_an_access_token_works_once_and_for_its_holder(desk: Desk) -> None:
    raw = ENTERPRISE.access(desk.now)
    assert access.verify_access(desk.connection, desk.trust, raw, desk.now) == USCC
    again = refused(access.verify_access, desk.connection, desk.trust, raw, desk.now)
    assert again is Reason.NONCE_SPENT
    statement = ENTERPRISE.statement(Action.SET_BUDGET, desk.now, centibits=1)
    assert refused(access.verify_access, desk.connection, desk.trust, statement, desk.now) in (
        Reason.DOCUMENT_MALFORMED,
    )


# --- Epochs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> SoftwareEnvironment:
    key = tmp_path / "sealing.key"
    key.touch(mode=0o600)
    key.write_bytes(bytes(range(32)))
    return SoftwareEnvironment(key)


def test_an_epoch_key_survives_restarts_and_not_rotation(
    desk: Desk, environment: SoftwareEnvironment, tmp_path: Path
) -> None:
    first = current_epoch(desk.connection, environment)
    again = current_epoch(desk.connection, environment)
    assert (first[0], first[1].reveal()) == (again[0], again[1].reveal()) and first[0] == 1
    (sealed,) = desk.connection.execute("SELECT sealed FROM epoch").fetchone()
    assert rotate_epoch(desk.connection, environment) == 2
    number, key = current_epoch(desk.connection, environment)
    assert number == 2 and key.reveal() != first[1].reveal()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("authority.sqlite*"))
    assert sealed not in files, "the sealed old key is gone from the disk as well"


def test_an_epoch_key_opens_only_under_its_own_number(desk: Desk, environment: SoftwareEnvironment) -> None:
    current_epoch(desk.connection, environment)
    desk.connection.execute("UPDATE epoch SET epoch = 7")
    with pytest.raises(EnclaveEnvironmentError):
        current_epoch(desk.connection, environment)


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(EnclaveEnvironmentError):
        _open(path)
