"""Believing an answer: the enclave's receipt is checked member by member, and only then is anything decrypted.

The service that carried the answer is not believed in anything. Not guaranteed: that a repeat is the latest answer of
its authorization (its date is in the result), or that the enclave's key was not stolen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from xinyidai.authorization import Authorization, Disclosure
from xinyidai.framing import AnswerCiphertext, FrameError, decode_answer
from xinyidai.identifiers import BankId, EnclaveId
from xinyidai.identity import SignedByCertificate, TrustAnchor, verify_with_chain
from xinyidai.parameters import ParameterSet
from xinyidai.receipt import (
    MODEL_RECEIPT_TYPE,
    RECEIPT_TYPE,
    ModelReceipt,
    Receipt,
    answer_digest,
    parse_model_receipt,
    parse_receipt,
)
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.signing import DocumentError, read_unverified

from bank_sdk.errors import AnswerNotFresh, AnswerOutOfRange, VerificationError
from bank_sdk.keys import StoredModel
from bank_sdk.results import AssessmentResult, Score, ScoreInterval

TOTAL: Final = ""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What was asked, as far as an answer must match it."""

    bank: BankId
    enclaves: tuple[EnclaveId, ...]
    authorization: str
    terms: Authorization
    model: StoredModel
    precision_points: int
    fresh: bool

    @property
    def parts(self) -> tuple[str, ...]:
        return self.terms.categories if self.terms.disclosure is Disclosure.BY_CATEGORY else (TOTAL,)


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedAnswer:
    receipt: Receipt
    raw_receipt: str
    answers: Mapping[str, AnswerCiphertext]
    repeated: bool


def verify_answer(
    untrusted_receipt: str,
    untrusted_parts: Sequence[tuple[str, bytes]],
    question: Question,
    asked: frozenset[str],
    anchor: TrustAnchor,
    now: int,
) -> VerifiedAnswer:
    """`asked`: digests of every request this call sent for the question. `now`: seconds since 1970-01-01 UTC.

    A receipt for one of these must verify today; that of an earlier request, at the time it was made. Raises
    `VerificationError`.
    """
    receipt = _verified_receipt(untrusted_receipt, asked, anchor, now)
    repeated = receipt.request not in asked
    if question.fresh and repeated:
        raise AnswerNotFresh(
            "an earlier answer came back for a fresh assessment; ask without fresh if that answer will do"
        )
    _check_members(receipt, question)
    parts = dict(untrusted_parts)
    named = {entry.category: entry.digest for entry in receipt.answers}
    expected = set(question.parts)
    if not len(untrusted_parts) == len(receipt.answers) == len(expected) or not set(parts) == set(named) == expected:
        raise VerificationError("the answer does not consist of the parts that were authorized")
    if any(answer_digest(frame) != named[category] for category, frame in parts.items()):
        raise VerificationError("the answer is not the one the enclave signed for")
    try:
        answers = {category: decode_answer(parts[category]) for category in question.parts}
    except FrameError as error:
        raise VerificationError(str(error)) from error
    if any(answer.parameters is not question.model.secret_key.parameters for answer in answers.values()):
        raise VerificationError("the answer is of another parameter set")
    return VerifiedAnswer(receipt, untrusted_receipt, answers, repeated)


def _verified_receipt(raw: str, asked: frozenset[str], anchor: TrustAnchor, now: int) -> Receipt:
    try:
        unverified = read_unverified(raw)
        moment = now if unverified.text("request", most=64) in asked else unverified.instant("iat")
        signed = verify_with_chain(raw, RECEIPT_TYPE, anchor, datetime.fromtimestamp(moment, UTC))
        receipt = parse_receipt(signed.claims)
    except DocumentError as error:
        raise VerificationError(f"the receipt does not check: {error}") from error
    _check_signer(signed, receipt.enclave)
    if receipt.charged_at > now + MAX_SKEW_SECONDS:
        raise VerificationError("the receipt is dated in the future; check this machine's clock")
    return receipt


def _check_signer(signed: SignedByCertificate, enclave: EnclaveId) -> None:
    if signed.identity.name != enclave:
        raise VerificationError("the receipt names another enclave than its certificate")


def _check_members(receipt: Receipt, question: Question) -> None:
    parameters = question.model.secret_key.parameters
    cap = len(question.parts) * parameters.centibits(question.precision_points)
    if receipt.enclave not in question.enclaves:
        raise VerificationError("the receipt is from an enclave that was not asked")
    for name, found, wanted in (
        ("bank", receipt.bank, question.bank),
        ("enterprise", receipt.enterprise, question.terms.enterprise),
        ("authorization", receipt.authorization, question.authorization),
        ("model", receipt.model, question.model.model_id),
        ("parameter set", receipt.parameter_set, parameters.name),
        ("catalogue", receipt.catalogue, question.model.catalogue),
        ("catalogue digest", receipt.catalogue_digest, question.model.catalogue_digest),
        ("disclosure", receipt.disclosure, question.terms.disclosure),
        ("precision", receipt.precision_points, question.precision_points),
        ("charge", receipt.centibits, cap),
    ):
        if found != wanted:
            raise VerificationError(f"the receipt is for another {name}")


def verify_model_receipt(
    untrusted_receipt: str,
    *,
    model_id: str,
    bank: BankId,
    parameters: ParameterSet,
    catalogue: str,
    catalogue_digest: str,
    enclaves: Sequence[EnclaveId],
    anchor: TrustAnchor,
    now: int,
) -> ModelReceipt:
    """Raises `VerificationError` unless an enclave that was asked signed for exactly this model."""
    try:
        moment = datetime.fromtimestamp(now, UTC)
        signed = verify_with_chain(untrusted_receipt, MODEL_RECEIPT_TYPE, anchor, moment)
        receipt = parse_model_receipt(signed.claims)
    except DocumentError as error:
        raise VerificationError(f"the model receipt does not check: {error}") from error
    _check_signer(signed, receipt.enclave)
    if receipt.enclave not in enclaves:
        raise VerificationError("the model receipt is from an enclave that was not asked")
    for name, found, wanted in (
        ("model", receipt.model, model_id),
        ("bank", receipt.bank, bank),
        ("parameter set", receipt.parameter_set, parameters.name),
        ("catalogue", receipt.catalogue, catalogue),
        ("catalogue digest", receipt.catalogue_digest, catalogue_digest),
    ):
        if found != wanted:
            raise VerificationError(f"the model receipt is for another {name}")
    return receipt


def open_answer(verified: VerifiedAnswer, question: Question) -> AssessmentResult:
    """Decrypt a verified answer. Raises `AnswerOutOfRange`; the caller must not let the service notice that it did."""
    receipt, model = verified.receipt, question.model
    try:
        as_of = date.fromisoformat(receipt.as_of)
    except ValueError as error:
        raise VerificationError("the receipt does not say which month the records were read for") from error
    values = {category: _part(question, category, answer) for category, answer in verified.answers.items()}
    if question.terms.disclosure is Disclosure.TOTAL:
        total, parts = values.pop(TOTAL), {}
    else:
        parts = {category: _plain(value, question) for category, value in values.items()}
        # What the categories outside the authorization add is no secret: their not-authorized cells.
        known = model.base_points + sum(r.withheld for code, r in model.categories.items() if code not in values)
        total = ScoreInterval(known + sum(v.low for v in values.values()), known + sum(v.high for v in values.values()))
    return AssessmentResult(
        enterprise=receipt.enterprise,
        model_id=receipt.model,
        authorization=receipt.authorization,
        score=_plain(total, question),
        categories=parts,
        precision_points=receipt.precision_points,
        assessment_id=receipt.assessment_id,
        as_of=as_of,
        snapshot=receipt.snapshot,
        charged_at=receipt.charged_at,
        centibits=receipt.centibits,
        repeated=verified.repeated,
        receipt=verified.raw_receipt,
    )


def range_of(model: StoredModel, part: str) -> tuple[int, int]:
    """(offset, largest decrypted value) of the total, or of one category."""
    if part != TOTAL:
        entry = model.categories.get(part)
        return (entry.offset, entry.span) if entry else (0, 0)
    every = model.categories.values()
    return model.base_points + sum(entry.offset for entry in every), sum(entry.span for entry in every)


def _part(question: Question, part: str, answer: AnswerCiphertext) -> ScoreInterval:
    """The scores that decrypt to this within the precision. There is room for the precision on both sides of the span
    (checked before asking), so the wrap at the plaintext modulus leaves one reading."""
    key = question.model.secret_key
    precision, modulus = question.precision_points, key.parameters.score_modulus
    offset, span = range_of(question.model, part)
    value = key.decrypt_coefficient(answer)
    if value > span + precision:
        value -= modulus
    low, high = max(0, value - precision), min(span, value + precision)
    if low > high:
        raise AnswerOutOfRange("the answer decrypts to no score of this model; treat it as no answer")
    return ScoreInterval(offset + low, offset + high)


def _plain(interval: ScoreInterval, question: Question) -> Score:
    return interval if question.precision_points else interval.low
