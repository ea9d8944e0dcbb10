"""The enclave believes nobody: forged and misused documents, sent as a platform taken over by an attacker would."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xinyidai.authorization import Disclosure, authorization_digest
from xinyidai.identity import Identity, Role, load_chain, thumbprint
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.signing import SigningKey

from clients.dev.authority import Authority
from clients.dev.deployment import Deployment
from tests.support.bare import BareEnclave
from tests.support.parties import RawBank, RawEnterprise, RawModel, random_points, refused, stamp


@dataclass(frozen=True, slots=True)
class Victim:
    """An enterprise that authorized bank-a, and bank-a's model."""

    enterprise: RawEnterprise
    model: RawModel
    digest: str


@pytest.fixture(scope="module")
def victim(bare: BareEnclave) -> Victim:
    enterprise = bare.enterprise(10)
    model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(5)))
    return Victim(enterprise, model, bare.direct.submit(enterprise, enterprise.terms(bare.bank)))


def test_forged_request_signed_by_nobody_we_know(bare: BareEnclave, victim: Victim, tmp_path: Path) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    stranger = RawBank(Deployment.create(tmp_path / "elsewhere").issue_bank("bank-a"))
    with refused(Reason.CERTIFICATE_INVALID):
        bare.direct.assess(stranger.request(model.model_id, [(enterprise.uscc, digest)]))


def test_forged_request_signed_by_the_platform_in_a_banks_name(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    key = SigningKey.generate("ES256").with_chain(bare.bank.key.chain)
    forged = RawBank.__new__(RawBank)
    forged.bank_id, forged.key, forged.thumbprint = bare.bank.bank_id, key, bare.bank.thumbprint
    with refused(Reason.SIGNATURE_INVALID):
        bare.direct.assess(forged.request(model.model_id, [(enterprise.uscc, digest)]))


def test_forged_request_by_the_platforms_own_certificate(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    folder = bare.deployment.root / "server"
    platform = RawBank.__new__(RawBank)
    chain = load_chain((folder / "tls.pem").read_bytes())
    platform.key = SigningKey.from_pem((folder / "tls.key").read_bytes(), chain=chain)
    platform.bank_id, platform.thumbprint = bare.bank.bank_id, thumbprint(chain[0])
    with refused(Reason.CERTIFICATE_INVALID):
        bare.direct.assess(platform.request(model.model_id, [(enterprise.uscc, digest)]))


def test_forged_request_altered_on_the_way(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    other = bare.bank.request(model.model_id, [(bare.enterprise(11).uscc, digest)])
    own = bare.bank.request(model.model_id, [(enterprise.uscc, digest)])
    head, body, _ = other.split(".")
    with refused(Reason.SIGNATURE_INVALID):
        bare.direct.assess(".".join((head, body, own.split(".")[2])))


def test_forged_request_expired(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    old = stamp(bare.bank.bank_id, age=400)
    with refused(Reason.DOCUMENT_EXPIRED):
        bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], stamp=old))


def test_forged_request_dated_in_the_future(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    future = stamp(bare.bank.bank_id, age=-120)
    with refused(Reason.DOCUMENT_EXPIRED):
        bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], stamp=future))


def test_forged_request_replayed(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    signed = bare.bank.request(model.model_id, [(enterprise.uscc, digest)])
    bare.direct.assess(signed)
    with refused(Reason.NONCE_SPENT):
        bare.direct.assess(signed)


def test_forged_request_for_another_enclave(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model, digest = victim.enterprise, victim.model, victim.digest
    elsewhere = stamp(bare.bank.bank_id, audience=("another-city-1",))
    with refused(Reason.AUDIENCE_MISMATCH):
        bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], stamp=elsewhere))


def test_forged_request_another_banks_authorization(bare: BareEnclave, victim: Victim) -> None:
    enterprise, digest = victim.enterprise, victim.digest
    own = bare.direct.register(bare.other_bank, random_points(bare.catalogue, np.random.default_rng(6)))
    with refused(Reason.AUTHORIZATION_SCOPE):
        bare.direct.assess(bare.other_bank.request(own.model_id, [(enterprise.uscc, digest)]))


def test_forged_request_another_banks_model(bare: BareEnclave, victim: Victim) -> None:
    enterprise, model = victim.enterprise, victim.model
    own = bare.direct.submit(enterprise, enterprise.terms(bare.other_bank))
    with refused(Reason.MODEL_UNKNOWN):
        bare.direct.assess(bare.other_bank.request(model.model_id, [(enterprise.uscc, own)]))


def test_forged_request_authorization_swapped_for_another_enterprises(bare: BareEnclave, victim: Victim) -> None:
    model, digest = victim.model, victim.digest
    with refused(Reason.AUTHORIZATION_SCOPE):
        bare.direct.assess(bare.bank.request(model.model_id, [(bare.enterprise(12).uscc, digest)]))


@pytest.mark.parametrize(
    "wider", [{"disclosure": Disclosure.BY_CATEGORY, "precision_points": 31}, {"precision_points": 0}]
)
def test_forged_request_wider_than_authorized(bare: BareEnclave, victim: Victim, wider: dict[str, Any]) -> None:
    model = victim.model
    cautious = bare.enterprise(13 + len(wider))
    digest = bare.direct.submit(cautious, cautious.terms(bare.bank, precision_points=8))
    with refused(Reason.AUTHORIZATION_SCOPE):
        bare.direct.assess(bare.bank.request(model.model_id, [(cautious.uscc, digest)], **wider))


def test_forged_request_a_renewed_certificate_needs_a_new_grant(
    bare: BareEnclave, victim: Victim, tmp_path: Path
) -> None:
    authority = Authority.load(bare.deployment.authorities, "banks")
    authority.issue(Identity(Role.BANK, "bank-a"), tmp_path / "bank-a", "bank")
    request = RawBank(tmp_path / "bank-a").request(victim.model.model_id, [(victim.enterprise.uscc, victim.digest)])
    with refused(Reason.AUTHORIZATION_SCOPE):
        bare.direct.assess(request)


class TestForgedAuthorizations:
    def test_signed_by_another_key(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(20)
        token = enterprise.terms(bare.bank).sign(SigningKey.generate("Ed25519"))
        with refused(Reason.SIGNATURE_INVALID):
            bare.direct.submit_token(token)

    def test_for_an_enterprise_whose_key_nobody_registered(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(21)
        stranger = enterprise.terms(bare.bank, enterprise="91320703MA0099999X")
        with refused(Reason.KEY_NOT_REGISTERED):
            bare.direct.submit_token(stranger.sign(enterprise.key))

    def test_a_second_key_for_a_registered_enterprise(self, bare: BareEnclave) -> None:
        bare.enterprise(22)
        with refused(Reason.KEY_ALREADY_PINNED):
            bare.enterprise(22)

    def test_a_notice_other_than_the_one_shown(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(23)
        shown = enterprise.terms(bare.bank)
        with refused(Reason.NOTICE_MISMATCH):
            bare.direct.submit(enterprise, replace(shown, max_assessments=9))

    def test_beyond_its_purpose(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(24)
        expires = int(time.time()) + 60 * DAY_SECONDS
        with refused(Reason.PURPOSE_LIMIT):
            bare.direct.submit(enterprise, enterprise.terms(bare.bank, expires_at=expires))

    def test_not_valid_yet_and_no_longer(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(25)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(7)))
        now = int(time.time())
        early = enterprise.terms(bare.bank, not_before=now + 3600)
        digest = bare.direct.submit(enterprise, early)
        with refused(Reason.AUTHORIZATION_NOT_YET_VALID):
            bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))
        short = enterprise.terms(bare.bank, expires_at=now + 2)
        digest = bare.direct.submit(enterprise, short)
        time.sleep(2.1)
        with refused(Reason.AUTHORIZATION_EXPIRED):
            bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))

    def test_unknown_to_the_enclave(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(26)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(8)))
        token = enterprise.terms(bare.bank).sign(enterprise.key)
        request = bare.bank.request(model.model_id, [(enterprise.uscc, authorization_digest(token))])
        with refused(Reason.AUTHORIZATION_UNKNOWN):
            bare.direct.assess(request)
