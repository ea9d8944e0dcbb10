"""The enclave believes nobody: every test speaks to it directly, as a platform taken over by an attacker would."""

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from xinyidai.authorization import Disclosure, authorization_digest
from xinyidai.framing import FrameKind, decode_answer, encode_seeded
from xinyidai.identity import Identity, Role, TrustAnchor, load_chain, thumbprint, verify_with_chain
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.receipt import RECEIPT_TYPE, answer_digest, parse_receipt
from xinyidai.seal import SecretKey
from xinyidai.signing import SigningKey
from xinyidai.statements import Action
from xinyidai.v1 import assessment_pb2, authorization_pb2, enclave_pb2, model_pb2

from clients.dev.authority import Authority
from clients.dev.deployment import Deployment
from clients.dev.system import ProcessFailed, System
from tests.support.bare import BareEnclave
from tests.support.parties import RawBank, RawEnterprise, RawModel, Refusal, plain_score, random_points, stamp


def refused(reason: Reason) -> "pytest.RaisesExc[Refusal]":
    return pytest.raises(Refusal, check=lambda error: error.reason is reason)


def test_a_score_is_exact_and_the_receipt_proves_it(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(0)
    points = random_points(bare.catalogue, np.random.default_rng(1))
    model = bare.direct.register(bare.bank, points)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))

    signed = bare.bank.request(model.model_id, [(enterprise.uscc, digest)])
    assessment = bare.direct.assess(signed)

    (part,) = assessment.parts
    assert len(part.answer) <= 15 * 1024
    score = model.secret.decrypt_coefficient(decode_answer(part.answer))
    assert score == plain_score(bare.catalogue, points, bare.cells_of(0))
    anchor = TrustAnchor.from_pem(Role.ENCLAVE, bare.deployment.anchor("enclave").read_bytes())
    receipt = parse_receipt(verify_with_chain(assessment.receipt, RECEIPT_TYPE, anchor).claims)
    assert (receipt.enterprise, receipt.bank, receipt.model) == (enterprise.uscc, "bank-a", model.model_id)
    assert receipt.centibits == LINEAR_4096_T1024.centibits(0) == 1004
    assert receipt.answers[0].digest == answer_digest(part.answer)


def test_categories_not_authorized_never_enter_the_computation(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(1)
    catalogue = bare.catalogue
    granted = ("annual_report", "tax_payment", "electricity_usage")
    points = random_points(catalogue, np.random.default_rng(2))
    model = bare.direct.register(bare.bank, points)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank, categories=granted))
    cells = {
        f.code: cell if set(f.sources) <= set(granted) else f.not_authorized
        for f, cell in zip(catalogue.features, bare.cells[1].tolist(), strict=True)
    }
    assert bare.direct.score(bare.bank, model, enterprise.uscc, digest) == plain_score(catalogue, points, cells)


def test_by_category_answers_once_a_category_within_the_precision(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(2)
    catalogue = bare.catalogue
    granted = ("tax_payment", "electricity_usage")
    points = random_points(catalogue, np.random.default_rng(3))
    model = bare.direct.register(bare.bank, points)
    terms: dict[str, Any] = {"categories": granted, "disclosure": Disclosure.BY_CATEGORY, "precision_points": 31}
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank, **terms))
    request = bare.bank.request(
        model.model_id, [(enterprise.uscc, digest)], disclosure=Disclosure.BY_CATEGORY, precision_points=31
    )
    parts = bare.direct.assess(request).parts
    assert [part.category for part in parts] == sorted(granted)
    cells = bare.cells_of(2)
    for part in parts:
        own = {f.code: cells[f.code] for f in catalogue.category(part.category).features}
        exact = plain_score(catalogue, points, own)
        got = model.secret.decrypt_coefficient(decode_answer(part.answer))
        assert min((got - exact) % 1024, (exact - got) % 1024) <= 31
    (usage,) = bare.direct.usage(enterprise).usages
    assert usage.centibits == 2 * LINEAR_4096_T1024.centibits(31)


def test_an_enterprise_without_records_looks_like_any_other(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(90_000)
    points = random_points(bare.catalogue, np.random.default_rng(4))
    model = bare.direct.register(bare.bank, points)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))
    missing = {f.code: f.missing for f in bare.catalogue.features}
    got = bare.direct.score(bare.bank, model, enterprise.uscc, digest)
    assert got == plain_score(bare.catalogue, points, missing)


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


class TestStates:
    def test_pause_resume_revoke_hold_at_once(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(30)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(9)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))

        def ask() -> None:
            bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))

        ask()
        bare.direct.state(enterprise.statement(Action.PAUSE, digest))
        with refused(Reason.AUTHORIZATION_PAUSED):
            ask()
        bare.direct.state(enterprise.statement(Action.RESUME, digest))
        ask()
        bare.direct.state(enterprise.statement(Action.REVOKE, digest))
        with refused(Reason.AUTHORIZATION_REVOKED):
            ask()
        with refused(Reason.AUTHORIZATION_REVOKED):
            bare.direct.state(enterprise.statement(Action.RESUME, digest))

    def test_nobody_revokes_for_another(self, bare: BareEnclave) -> None:
        owner, other = bare.enterprise(31), bare.enterprise(32)
        digest = bare.direct.submit(owner, owner.terms(bare.bank))
        bare.direct.state(other.statement(Action.REVOKE, digest))
        (entry,) = bare.direct.usage(owner).authorizations
        assert entry.state == authorization_pb2.AUTHORIZATION_STATE_ACTIVE

    def test_nobody_reads_anothers_usage(self, bare: BareEnclave) -> None:
        owner, other = bare.enterprise(33), bare.enterprise(34)
        disguised = other.access().split(".")
        disguised[1] = owner.access().split(".")[1]
        with refused(Reason.SIGNATURE_INVALID):
            bare.direct.call("GetUsage", enclave_pb2.GetUsageRequest(access=".".join(disguised)))


class TestLedger:
    def test_repeats_are_free_and_the_same_fresh_ones_are_charged(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(40)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(10)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))

        def ask(*, fresh: bool = False) -> Any:
            return bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], fresh=fresh))

        first, again = ask(), ask()
        assert (first.receipt, first.parts[0].answer) == (again.receipt, again.parts[0].answer)
        fresh = ask(fresh=True)
        # A new assessment even where nothing changed: its bytes are equal, and that costs as much as any.
        assert fresh.receipt != first.receipt and fresh.parts[0].answer == first.parts[0].answer
        usages = bare.direct.usage(enterprise).usages
        assert [(u.centibits, u.repeats) for u in usages] == [(1004, 0), (1004, 1)]

    def test_an_authorization_is_used_up(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(41)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(11)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank, max_assessments=1))
        bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))
        with refused(Reason.AUTHORIZATION_USED_UP):
            bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], fresh=True))

    def test_42_models_that_would_read_every_feature_get_three(self, bare: BareEnclave) -> None:
        """At two features a model, 42 hostile models would read 84 features. The budget of 32 bits allows three models,
        whatever they ask; only a signed statement of the enterprise raises it."""
        enterprise = bare.enterprise(42)
        generator = np.random.default_rng(12)
        grants = [bare.direct.submit(enterprise, enterprise.terms(bare.bank)) for _ in range(5)]
        answered, reasons = 0, []
        for number in range(42):
            model = bare.direct.register(bare.bank, random_points(bare.catalogue, generator))
            try:
                bare.direct.score(bare.bank, model, enterprise.uscc, grants[number % len(grants)])
                answered += 1
            except Refusal as refusal:
                reasons.append(refusal.reason)
        assert answered == 3
        assert reasons == [Reason.BUDGET_BANK_EXHAUSTED] * 39
        spent = {b.bank_id: (b.spent_centibits, b.limit_centibits) for b in bare.direct.usage(enterprise).budgets}
        assert spent == {"": (3012, 12800), "bank-a": (3012, 3200)}

        bare.direct.state(enterprise.statement(Action.SET_BUDGET, bank="bank-a", centibits=9000))
        bare.direct.score(bare.bank, model, enterprise.uscc, grants[0])
        bare.direct.state(enterprise.statement(Action.SET_BUDGET, centibits=0))
        with refused(Reason.BUDGET_TOTAL_EXHAUSTED):
            bare.direct.score(bare.bank, model, enterprise.uscc, grants[1])


def test_many_items_of_one_stream(bare: BareEnclave) -> None:
    """One stream, four requests of 16 items: everything answered once, in order, exactly."""
    points = random_points(bare.catalogue, np.random.default_rng(13))
    model = bare.direct.register(bare.bank, points)
    numbers = range(43, 59)
    items = []
    for number in numbers:
        enterprise = bare.enterprise(number)
        items.append((enterprise.uscc, bare.direct.submit(enterprise, enterprise.terms(bare.bank))))
    signed = [bare.bank.request(model.model_id, items[at : at + 4]) for at in range(0, 16, 4)]
    requests = (assessment_pb2.AssessRequest(request=s) for s in signed)
    scores = []
    for response in bare.direct.stub.AssessMany(requests, timeout=30):
        for outcome in response.outcomes:
            frame = outcome.assessment.parts[0].answer
            scores.append(model.secret.decrypt_coefficient(decode_answer(frame)))
    assert scores == [plain_score(bare.catalogue, points, bare.cells_of(n)) for n in numbers]


def test_nonces_are_the_banks_own(bare: BareEnclave) -> None:
    """One bank cannot block another by spending its nonces."""
    nonce = secrets.token_urlsafe(24)
    for number, bank in ((59, bare.bank), (60, bare.other_bank)):
        enterprise = bare.enterprise(number)
        model = bare.direct.register(bank, random_points(bare.catalogue, np.random.default_rng(14)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bank))
        same = replace(stamp(bank.bank_id), nonce=nonce)
        bare.direct.assess(bank.request(model.model_id, [(enterprise.uscc, digest)], stamp=same))


def test_callers_that_go_away_cost_no_worker(bare: BareEnclave) -> None:
    """A registration sent again and again and given up at once: the worker finishes, and goes on working."""
    pid = bare.system.enclave.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    before = children.read_text()
    secret = SecretKey.generate(LINEAR_4096_T1024)
    weights = encode_seeded(secret.encrypt_weights(np.ones(4, np.int64)), FrameKind.WEIGHTS)
    zero = encode_seeded(secret.encrypt_zero(), FrameKind.ZERO)
    for patience in np.linspace(0.001, 0.02, 20):
        signed = bare.bank.registration(weights, zero, bare.catalogue)
        message = model_pb2.RegisterModelRequest(registration=signed, weights=weights, zero=zero)
        with suppress(grpc.RpcError):
            bare.direct.stub.RegisterModel(message, timeout=float(patience))
    bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(15)))
    assert children.read_text() == before


def test_a_second_enclave_in_the_same_folder_is_refused(bare: BareEnclave) -> None:
    """One enclave is one ledger; and the first keeps its socket."""
    with pytest.raises(ProcessFailed, match="another enclave uses this folder"):
        System(bare.deployment).enclave.start()
    bare.direct.call("GetStatus", enclave_pb2.GetStatusRequest())
    assert bare.deployment.enclave_socket.exists()


def test_a_damaged_snapshot_leaves_the_one_before_in_force(bare: BareEnclave) -> None:
    current = bare.deployment.root / "enclave" / "data" / "snapshots" / "CURRENT"
    before, status = current.read_text(), bare.direct.call("GetStatus", enclave_pb2.GetStatusRequest())
    current.write_text("0" * 32)
    try:
        for _ in range(3):
            time.sleep(1.1)
            assert bare.direct.call("GetStatus", enclave_pb2.GetStatusRequest()).snapshot_id == status.snapshot_id
    finally:
        current.write_text(before)


@pytest.mark.parametrize("token", ["abc", "-1", "5" * 5000, "\u0663"])
def test_page_tokens_are_what_the_last_page_returned(bare: BareEnclave, token: str) -> None:
    enterprise = bare.enterprise(100_000 + len(token))
    with refused(Reason.REQUEST_INVALID):
        bare.direct.call("GetUsage", enclave_pb2.GetUsageRequest(access=enterprise.access(), page_token=token))
