"""Nothing is decrypted before the enclave's receipt matches the question in every member.

The answers here are real ones: the small scorecard, encrypted, evaluated by the enclave's scoring, and signed for.
"""

import dataclasses
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pytest
from xinyidai.authorization import Authorization, Disclosure
from xinyidai.framing import decode_answer, encode_answer
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.receipt import RECEIPT_TYPE, AnswerDigest, ModelReceipt, Receipt, answer_digest
from xinyidai.seal import SecretKey, expand
from xinyidai.signing import SigningKey

from bank_sdk import AnswerNotFresh, AnswerOutOfRange, AssessmentResult, ScoreInterval, VerificationError
from bank_sdk.keys import StoredModel
from bank_sdk.verification import Question, open_answer, verify_answer, verify_model_receipt
from enclave.scoring.linear import PreparedModel, evaluate, prepare
from enclave.scoring.masking import expand_mask
from tests.bank_sdk.materials import CATALOGUE, scorecard
from tests.support.certificates import make_authority

P: Final = LINEAR_4096_T1024
NOW: Final = int(time.time())
ENCLAVE: Final = parse_enclave_id("enclave-a")
ENCLAVES_CA: Final = make_authority("Enclaves CA")
RECEIPT_KEY: Final = ENCLAVES_CA.issue(Role.ENCLAVE, ENCLAVE).signing_key()
ANCHOR: Final = ENCLAVES_CA.anchor(Role.ENCLAVE)
ASKED: Final = "11" * 32
CELLS: Final = (3, 1, 2)
"""age [24, 36), paid_in [0.5, 25), tax_rate from 0.25."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One registered model, one authorization, and an enclave to answer."""

    model: StoredModel
    prepared: PreparedModel
    terms: Authorization

    def question(self, **changes: Any) -> Question:
        plain = Question(
            self.terms.bank, self.terms.enclaves, "aa" * 32, self.terms, self.model, self.terms.precision_points, False
        )
        return replace(plain, **changes)

    def frame(self, category: str = "", precision: int = 0, cells: Sequence[int] = CELLS) -> bytes:
        active = [
            start + cell
            for feature, start, cell in zip(CATALOGUE.features, CATALOGUE.layout.offsets, cells, strict=True)
            if category in ("", feature.category)
        ]
        mask = expand_mask(secrets.token_bytes(32), P, P.flood_bound(precision))
        return encode_answer(evaluate(self.prepared, np.array(active, np.int64), mask))

    def receipt(self, frames: dict[str, bytes], **changes: Any) -> Receipt:
        precision = self.terms.precision_points
        plain = Receipt(
            enclave=ENCLAVE,
            assessment_id="assessment-1",
            charged_at=NOW,
            enterprise=self.terms.enterprise,
            bank=self.terms.bank,
            model=self.model.model_id,
            parameter_set=P.name,
            authorization="aa" * 32,
            catalogue=CATALOGUE.reference,
            catalogue_digest=CATALOGUE.digest,
            snapshot="snapshot-1",
            as_of="2026-10-31",
            disclosure=self.terms.disclosure,
            precision_points=precision,
            centibits=len(frames) * P.centibits(precision),
            request=ASKED,
            answers=tuple(AnswerDigest(category, answer_digest(frame)) for category, frame in frames.items()),
        )
        return replace(plain, **changes)

    def read(self, frames: dict[str, bytes], question: Question | None = None, **changes: Any) -> AssessmentResult:
        question = question or self.question()
        raw = self.receipt(frames, **changes).sign(RECEIPT_KEY)
        verified = verify_answer(raw, list(frames.items()), question, frozenset([ASKED]), ANCHOR, NOW)
        return open_answer(verified, question)


@pytest.fixture(scope="module")
def scene() -> Scene:
    card = scorecard()
    key = SecretKey.generate(P)
    weights, zero = expand(key.encrypt_weights(card.vector())), expand(key.encrypt_zero())
    model = StoredModel(
        model_id="bb" * 32,
        name=card.name,
        scorecard_digest=card.digest,
        catalogue=CATALOGUE.reference,
        catalogue_digest=CATALOGUE.digest,
        registered_at=NOW,
        receipt="",
        base_points=card.base_points,
        categories=card.category_ranges,
        secret_key=key,
    )
    terms = Authorization(
        enterprise=parse_uscc("914403001922038216"),
        enclaves=(ENCLAVE,),
        authorization_id="authorization-0001",
        issued_at=NOW,
        not_before=NOW,
        expires_at=NOW + 86_400,
        bank=parse_bank_id("bank-a"),
        bank_certificate="x" * 43,
        notice_hash="00" * 32,
        categories=("registry", "tax"),
        purpose="loan_origination",
        purpose_version=1,
        disclosure=Disclosure.TOTAL,
        precision_points=0,
        max_assessments=5,
        catalogue=CATALOGUE.reference,
        catalogue_digest=CATALOGUE.digest,
    )
    return Scene(model, prepare(P, weights, zero), terms)


def test_an_honest_answer_is_the_exact_score(scene: Scene) -> None:
    result = scene.read({"": scene.frame()})
    assert result.score == scorecard().score_cells(CELLS)
    assert (result.as_of.isoformat(), result.centibits, result.repeated) == ("2026-10-31", P.centibits(0), False)
    assert result.centibits_charged == result.centibits and result.categories == {}


def test_a_repeat_names_an_earlier_request_and_costs_nothing(scene: Scene) -> None:
    result = scene.read({"": scene.frame()}, request="99" * 32)
    assert result.repeated and result.centibits_charged == 0 and result.centibits == P.centibits(0)


def test_a_repeat_will_not_do_for_a_fresh_assessment(scene: Scene) -> None:
    with pytest.raises(AnswerNotFresh):
        scene.read({"": scene.frame()}, scene.question(fresh=True), request="99" * 32)


@pytest.mark.parametrize("precision", [1, 8, 100])
def test_a_coarse_answer_is_an_interval_that_holds_the_score(scene: Scene, precision: int) -> None:
    coarse = replace(scene, terms=replace(scene.terms, precision_points=precision))
    lowest, highest = scorecard().offset, scorecard().offset + scorecard().prove().largest
    for cells in ((0, 0, 2), CELLS, (5, 4, 0)):
        result = coarse.read({"": coarse.frame(precision=precision, cells=cells)})
        assert isinstance(result.score, ScoreInterval) and result.interval == result.score
        assert result.score.low <= scorecard().score_cells(cells) <= result.score.high
        assert lowest <= result.score.low and result.score.high <= highest
        assert result.score.high - result.score.low <= 2 * precision


def test_categories_add_up_to_the_total(scene: Scene) -> None:
    by_category = replace(scene, terms=replace(scene.terms, disclosure=Disclosure.BY_CATEGORY))
    result = by_category.read({"registry": scene.frame("registry"), "tax": scene.frame("tax")})
    assert result.categories == {"registry": 15 + 5, "tax": -9}
    assert result.score == 500 + 15 + 5 - 9 == scorecard().score_cells(CELLS)


def test_categories_outside_the_authorization_add_their_not_authorized_points(scene: Scene) -> None:
    terms = replace(scene.terms, disclosure=Disclosure.BY_CATEGORY, categories=("registry",))
    result = replace(scene, terms=terms).read({"registry": scene.frame("registry")})
    not_authorized = CATALOGUE.feature("tax_rate").not_authorized
    assert result.score == scorecard().score_cells((CELLS[0], CELLS[1], not_authorized))


WRONG: Final[dict[str, Any]] = {
    "enclave": parse_enclave_id("enclave-b"),
    "enterprise": parse_uscc("91320703MA00000017"),
    "bank": parse_bank_id("bank-b"),
    "model": "cc" * 32,
    "parameter_set": "linear-8192",
    "authorization": "dd" * 32,
    "catalogue": "small@2",
    "catalogue_digest": "ee" * 32,
    "disclosure": Disclosure.BY_CATEGORY,
    "precision_points": 1,
    "centibits": 1,
    "as_of": "yesterday",
    "charged_at": NOW + 3600,
    "answers": (AnswerDigest("", "ff" * 32),),
}
FREE: Final = {"assessment_id", "snapshot", "revision", "request"}
"""Members a question cannot predict; `request` decides about repeats instead."""


def test_every_member_of_a_receipt_is_accounted_for() -> None:
    assert {field.name for field in dataclasses.fields(Receipt)} == set(WRONG) | FREE


@pytest.mark.parametrize("member", sorted(WRONG))
def test_each_wrong_member_is_refused(scene: Scene, member: str) -> None:
    with pytest.raises(VerificationError):
        scene.read({"": scene.frame()}, **{member: WRONG[member]})


def _categories(frames: dict[str, bytes]) -> tuple[AnswerDigest, ...]:
    return tuple(AnswerDigest(category, answer_digest(frame)) for category, frame in frames.items())


def test_parts_must_be_exactly_the_authorized_ones(scene: Scene) -> None:
    """The charge is right in each case, so that only the set of parts is wrong."""
    by_category = replace(scene, terms=replace(scene.terms, disclosure=Disclosure.BY_CATEGORY))
    registry, tax = scene.frame("registry"), scene.frame("tax")
    charge = 2 * P.centibits(0)
    for frames in ({"registry": registry}, {"registry": registry, "": tax}, {"registry": registry, "water": tax}):
        with pytest.raises(VerificationError, match="parts"):
            by_category.read(frames, centibits=charge)
    frames = {"registry": registry, "tax": tax}
    question = by_category.question()
    raw = by_category.receipt(frames).sign(RECEIPT_KEY)
    doubled = [*frames.items(), ("tax", tax)]
    with pytest.raises(VerificationError, match="parts"):
        verify_answer(raw, doubled, question, frozenset([ASKED]), ANCHOR, NOW)
    swapped = [("registry", tax), ("tax", registry)]
    with pytest.raises(VerificationError, match="signed for"):
        verify_answer(raw, swapped, question, frozenset([ASKED]), ANCHOR, NOW)


def test_a_frame_is_bounded_even_when_it_was_signed_for(scene: Scene) -> None:
    for frame in (b"", b"XYD", scene.frame()[:-1]):
        with pytest.raises(VerificationError):
            scene.read({"": frame})


def _verify(scene: Scene, raw: str, frame: bytes, now: int = NOW) -> None:
    verify_answer(raw, [("", frame)], scene.question(), frozenset([ASKED]), ANCHOR, now)


def test_only_an_enclave_of_the_authority_can_sign(scene: Scene) -> None:
    frame = scene.frame()
    receipt = scene.receipt({"": frame})
    _verify(scene, receipt.sign(RECEIPT_KEY), frame)
    other_ca = make_authority("Enclaves CA")
    for key in (
        other_ca.issue(Role.ENCLAVE, ENCLAVE).signing_key(),
        ENCLAVES_CA.issue(Role.SERVER, ENCLAVE).signing_key(),
        ENCLAVES_CA.issue(Role.ENCLAVE, "enclave-b").signing_key(),
        SigningKey.generate().with_chain(RECEIPT_KEY.chain),
    ):
        with pytest.raises(VerificationError):
            _verify(scene, receipt.sign(key), frame)


def test_one_kind_of_document_is_not_taken_for_another(scene: Scene) -> None:
    model_receipt = ModelReceipt(
        ENCLAVE, scene.model.model_id, scene.terms.bank, P.name, CATALOGUE.reference, CATALOGUE.digest, NOW
    ).sign(RECEIPT_KEY)
    for raw in (model_receipt, "", "a.b", "a.b.c", RECEIPT_KEY.sign({}, RECEIPT_TYPE, with_chain=True)):
        with pytest.raises(VerificationError):
            _verify(scene, raw, scene.frame())


def test_a_tampered_receipt_is_refused(scene: Scene) -> None:
    frame = scene.frame()
    raw = scene.receipt({"": frame}).sign(RECEIPT_KEY)
    other = scene.receipt({"": frame}, assessment_id="assessment-2").sign(RECEIPT_KEY)
    head, payload, signature = raw.split(".")
    for forged in (".".join((head, other.split(".")[1], signature)), ".".join((head, payload, other.split(".")[2]))):
        with pytest.raises(VerificationError):
            _verify(scene, forged, frame)


def test_an_expired_certificate_vouches_for_old_answers_only(scene: Scene) -> None:
    """A stored answer may outlive the certificate it was signed under; an answer given today may not."""
    made = NOW - 400 * 86_400
    begin = datetime.fromtimestamp(made, UTC) - timedelta(days=1)
    old_ca = make_authority("Old CA", start=begin, lifetime=timedelta(days=3650))
    key = old_ca.issue(Role.ENCLAVE, ENCLAVE, start=begin, lifetime=timedelta(days=30)).signing_key()
    frame, anchor = scene.frame(), old_ca.anchor(Role.ENCLAVE)

    def check(**changes: Any) -> None:
        raw = scene.receipt({"": frame}, **changes).sign(key)
        verify_answer(raw, [("", frame)], scene.question(), frozenset([ASKED]), anchor, NOW)

    check(request="99" * 32, charged_at=made)
    for changes in ({"request": "99" * 32}, {"charged_at": made}, {}):
        with pytest.raises(VerificationError):
            check(**changes)


def test_a_number_that_is_no_score_is_void(scene: Scene) -> None:
    """The frame is shifted by half the plaintext modulus: signed for, but beyond any score of this model."""
    answer = decode_answer(scene.frame())
    shifted = replace(answer, c0=(answer.c0 + (P.primes[0] // 2 >> P.first_component_shift)) & 0xFFFF)
    with pytest.raises(AnswerOutOfRange):
        scene.read({"": encode_answer(shifted)})


MODEL_MEMBERS: Final[dict[str, Any]] = {
    "enclave": parse_enclave_id("enclave-b"),
    "model": "cc" * 32,
    "bank": parse_bank_id("bank-b"),
    "parameter_set": "linear-8192",
    "catalogue": "small@2",
    "catalogue_digest": "ee" * 32,
}


@pytest.mark.parametrize("member", [None, *MODEL_MEMBERS])
def test_a_model_receipt_is_for_exactly_this_model(scene: Scene, member: str | None) -> None:
    receipt = ModelReceipt(
        ENCLAVE, scene.model.model_id, scene.terms.bank, P.name, CATALOGUE.reference, CATALOGUE.digest, NOW
    )
    changed = replace(receipt, **({member: MODEL_MEMBERS[member]} if member else {}))

    def check() -> ModelReceipt:
        return verify_model_receipt(
            changed.sign(RECEIPT_KEY),
            model_id=scene.model.model_id,
            bank=scene.terms.bank,
            parameters=P,
            catalogue=CATALOGUE.reference,
            catalogue_digest=CATALOGUE.digest,
            enclaves=(ENCLAVE,),
            anchor=ANCHOR,
            now=NOW,
        )

    if member is None:
        assert check() == receipt
        return
    with pytest.raises(VerificationError):
        check()
