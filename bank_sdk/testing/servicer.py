"""What the in-memory service answers a bank: the checks and documents of the real one, without its protections."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, Final

import grpc
import numpy as np
from numpy.typing import NDArray
from xinyidai.authorization import Authorization, Disclosure
from xinyidai.catalogue import Catalogue
from xinyidai.framing import AnswerCiphertext, FrameError, FrameKind, decode_seeded, encode_answer
from xinyidai.identifiers import BankId, EnclaveId
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.parameters import TREES_8192, ParameterSet
from xinyidai.reasons import Reason
from xinyidai.receipt import AnswerDigest, ModelReceipt, Receipt, answer_digest
from xinyidai.requests import (
    REGISTRATION_TYPE,
    REQUEST_TYPE,
    AssessmentRequest,
    ModelRegistration,
    model_id,
    parse_registration,
    parse_request,
    request_digest,
    tree_model_id,
)
from xinyidai.seal import SealError, expand
from xinyidai.signing import DocumentError, SigningKey
from xinyidai.status import WireError
from xinyidai.v1 import assessment_pb2, authorization_pb2, bank_pb2_grpc, catalogue_pb2, model_pb2

from bank_sdk.testing.evaluation import evaluate
from bank_sdk.testing.trees import receive

_STATES: Final = {
    "active": authorization_pb2.AUTHORIZATION_STATE_ACTIVE,
    "paused": authorization_pb2.AUTHORIZATION_STATE_PAUSED,
    "revoked": authorization_pb2.AUTHORIZATION_STATE_REVOKED,
}
_REFUSED_IN: Final = {"paused": Reason.AUTHORIZATION_PAUSED, "revoked": Reason.AUTHORIZATION_REVOKED}
_OUTCOMES_A_MESSAGE: Final = 16
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Charge:
    """One assessment that was evaluated anew, as the real service's ledger would count it."""

    enterprise: str
    model_id: str
    centibits: int


class Refusal(Exception):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True, eq=False)
class Grant:
    token: str
    terms: Authorization
    row: NDArray[np.int64] = field(repr=False)
    """One cell a feature, in the catalogue's order."""
    state: str = "active"
    used: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    bank: BankId
    parameters: ParameterSet
    evaluate: Callable[[NDArray[np.int64], int], AnswerCiphertext]
    """From the active layout indices, and points to shift the answer by."""
    registered_at: int


def _answering(method: Callable[..., Any]) -> Callable[..., Any]:
    """Fail the call if a test asked for it; translate what is raised into the wire's errors."""

    @wraps(method)
    def handle(self: "InMemoryServicer", request: Any, context: grpc.ServicerContext) -> Any:
        try:
            self.fail_if_asked()
            return method(self, request, context)
        except Refusal as error:
            wire = WireError(error.reason, str(error))
        except (DocumentError, FrameError) as error:
            wire = WireError(Reason(error.reason), str(error))
        return abort(context, wire)

    return handle


def abort(context: grpc.ServicerContext, wire: WireError) -> Any:
    context.set_trailing_metadata(wire.trailing_metadata())
    return context.abort(wire.code, wire.message)


@contextmanager
def _library_errors() -> Iterator[None]:
    try:
        yield
    except SealError as error:
        raise Refusal(Reason.CIPHERTEXT_REFUSED, str(error)) from error


class InMemoryServicer(bank_pb2_grpc.BankServiceServicer):
    """All state is in this object; one lock serializes it. The clock gives seconds since 1970-01-01 UTC."""

    def __init__(
        self,
        catalogue: Catalogue,
        enclave: EnclaveId,
        receipt_key: SigningKey,
        banks: TrustAnchor,
        as_of: str,
        answer_seconds: float,
    ) -> None:
        self.catalogue = catalogue
        self.grants: dict[str, Grant] = {}
        """By digest of the token."""
        self.models: dict[str, Model] = {}
        self.charges: list[Charge] = []
        self.failures: deque[Reason] = deque()
        self._enclave = enclave
        self._key = receipt_key
        self._banks = banks
        self._as_of = as_of
        self._answer_seconds = answer_seconds
        self._answers: dict[tuple[Any, ...], assessment_pb2.Assessment] = {}
        self._lock = threading.Lock()

    def fail_if_asked(self) -> None:
        with self._lock:
            if self.failures:
                raise Refusal(self.failures.popleft(), "the test asked for this failure")

    @_answering
    def GetCatalogue(self, request: Any, context: Any) -> Any:
        catalogue = self.catalogue
        digest = bytes.fromhex(catalogue.digest)
        return catalogue_pb2.GetCatalogueResponse(
            reference=catalogue.reference, digest=digest, document=catalogue.canonical
        )

    @_answering
    def RegisterModel(self, request: Any, context: Any) -> Any:
        document, bank = self._registration(request.registration)
        weights = decode_seeded(request.weights, FrameKind.WEIGHTS)
        decode_seeded(request.zero, FrameKind.ZERO)
        digests = answer_digest(request.weights), answer_digest(request.zero)
        identity = model_id(document.parameter_set, self.catalogue.digest, request.weights, request.zero, bank)
        with _library_errors():
            work = partial(evaluate, weights.parameters, expand(weights))
        return self._registered(
            document, bank, digests, Model(bank, weights.parameters, work, int(time.time())), identity
        )

    @_answering
    def RegisterTrees(self, requests: Iterator[Any], context: Any) -> Any:
        opening = next(requests, None)
        if opening is None or opening.WhichOneof("part") != "registration":
            raise Refusal(Reason.REQUEST_INVALID, "the first message holds the registration, each other one a frame")
        document, bank = self._registration(opening.registration)
        with _library_errors():
            trees, digests = receive((request.frame for request in requests), self.catalogue.layout.size)
        model = Model(bank, TREES_8192, trees.evaluate, int(time.time()))
        return self._registered(document, bank, digests, model, tree_model_id(document, bank))

    def _registration(self, raw: str) -> tuple[ModelRegistration, BankId]:
        signed = verify_with_chain(raw, REGISTRATION_TYPE, self._banks)
        document = parse_registration(signed.claims)
        if document.catalogue_digest != self.catalogue.digest:
            raise Refusal(Reason.CATALOGUE_UNKNOWN, "the model is on another catalogue")
        return document, BankId(signed.identity.name)

    def _registered(
        self, document: ModelRegistration, bank: BankId, digests: tuple[str, str], model: Model, identity: str
    ) -> Any:
        if digests != (document.weights_digest, document.zero_digest):
            raise Refusal(Reason.SIGNATURE_INVALID, "the frames are not those that were signed for")
        with self._lock:
            self.models[identity] = model
        catalogue = self.catalogue
        receipt = ModelReceipt(
            self._enclave, identity, bank, document.parameter_set, catalogue.reference, catalogue.digest,
            model.registered_at,
        )  # fmt: skip
        return model_pb2.RegisterModelResponse(model_id=identity, receipt=receipt.sign(self._key))

    @_answering
    def ListModels(self, request: Any, context: Any) -> Any:
        start, size = int(request.page_token or 0), request.page_size or 100
        with self._lock:
            found = list(self.models.items())
        entries = [
            model_pb2.Model(
                model_id=identity,
                parameter_set=model.parameters.name,
                catalogue=self.catalogue.reference,
                registered_at=model.registered_at,
            )
            for identity, model in found[start : start + size]
        ]
        following = str(start + size) if start + size < len(found) else ""
        return model_pb2.ListModelsResponse(models=entries, next_page_token=following)

    @_answering
    def ListAuthorizations(self, request: Any, context: Any) -> Any:
        start, size = int(request.page_token or 0), request.page_size or 100
        with self._lock:
            found = [g for g in self.grants.values() if request.enterprise in ("", g.terms.enterprise)]
        entries = [
            authorization_pb2.AuthorizationEntry(
                authorization=grant.token, state=_STATES[grant.state], assessments=grant.used
            )
            for grant in found[start : start + size]
        ]
        following = str(start + size) if start + size < len(found) else ""
        return authorization_pb2.ListAuthorizationsResponse(authorizations=entries, next_page_token=following)

    @_answering
    def Assess(self, request: Any, context: Any) -> Any:
        asked = self._verified(request.request)
        return next(self._outcomes(request.request, asked))

    def AssessMany(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        try:
            for request in requests:
                self.fail_if_asked()
                yield from self._outcomes(request.request, self._verified(request.request))
        except Refusal as error:
            abort(context, WireError(error.reason, str(error)))
        except DocumentError as error:
            abort(context, WireError(error.reason, str(error)))

    def _verified(self, raw: str) -> AssessmentRequest:
        signed = verify_with_chain(raw, REQUEST_TYPE, self._banks)
        asked = parse_request(signed.claims)
        asked.stamp.check_time(int(time.time()))
        with self._lock:
            model = self.models.get(asked.model)
        if model is None or model.bank != signed.identity.name:
            raise Refusal(Reason.MODEL_UNKNOWN, "the bank registered no such model here")
        return asked

    def _outcomes(self, raw: str, asked: AssessmentRequest) -> Iterator[assessment_pb2.AssessResponse]:
        time.sleep(self._answer_seconds)
        outcomes = [self._outcome(raw, asked, at) for at in range(len(asked.items))]
        for at in range(0, len(outcomes), _OUTCOMES_A_MESSAGE):
            last = at + _OUTCOMES_A_MESSAGE >= len(outcomes)
            part = outcomes[at : at + _OUTCOMES_A_MESSAGE]
            yield assessment_pb2.AssessResponse(nonce=asked.stamp.nonce, outcomes=part, last=last)

    def _outcome(self, raw: str, asked: AssessmentRequest, at: int) -> assessment_pb2.Outcome:
        try:
            with self._lock:
                return assessment_pb2.Outcome(item=at, assessment=self._assessment(raw, asked, at))
        except Refusal as error:
            refusal = assessment_pb2.Refusal(reason=str(error.reason), message=str(error))
            return assessment_pb2.Outcome(item=at, refusal=refusal)

    def _assessment(self, raw: str, asked: AssessmentRequest, at: int) -> assessment_pb2.Assessment:
        """The stored answer to the same question, or a new one, charged."""
        item = asked.items[at]
        grant = self.grants.get(item.authorization)
        if grant is None or grant.terms.enterprise != item.enterprise:
            raise Refusal(Reason.AUTHORIZATION_UNKNOWN, "no such authorization here")
        if grant.state != "active":
            raise Refusal(_REFUSED_IN[grant.state], f"the authorization is {grant.state}")
        terms = grant.terms
        if not terms.not_before <= time.time() < terms.expires_at:
            raise Refusal(Reason.AUTHORIZATION_EXPIRED, "the authorization is out of its time")
        if asked.disclosure is not terms.disclosure or asked.precision_points < terms.precision_points:
            raise Refusal(Reason.AUTHORIZATION_SCOPE, "the authorization does not reach so far")
        key = (item.authorization, asked.model, asked.disclosure, asked.precision_points)
        if not asked.fresh and key in self._answers:
            return self._answers[key]
        if grant.used >= terms.max_assessments:
            raise Refusal(Reason.AUTHORIZATION_USED_UP, "the authorization's assessments are used up")
        grant.used += 1
        made = self._answers[key] = self._evaluated(raw, asked, item.authorization, grant)
        return made

    def _evaluated(
        self, raw: str, asked: AssessmentRequest, authorization: str, grant: Grant
    ) -> assessment_pb2.Assessment:
        model, terms, precision = self.models[asked.model], grant.terms, asked.precision_points
        by_category = terms.disclosure is Disclosure.BY_CATEGORY
        if by_category and model.parameters is TREES_8192:
            raise Refusal(Reason.REQUEST_INVALID, "the score of trees is no sum over categories; ask for the total")
        parts = []
        for category in sorted(terms.categories) if by_category else [""]:
            active = self._active(grant, category)
            shift = _random.randint(-precision, precision)
            answer = encode_answer(model.evaluate(active, shift))
            parts.append(assessment_pb2.AnswerPart(category=category, answer=answer))
        centibits = len(parts) * model.parameters.centibits(precision)
        self.charges.append(Charge(terms.enterprise, asked.model, centibits))
        receipt = Receipt(
            enclave=self._enclave,
            assessment_id=secrets.token_hex(16),
            charged_at=int(time.time()),
            enterprise=terms.enterprise,
            bank=model.bank,
            model=asked.model,
            parameter_set=model.parameters.name,
            authorization=authorization,
            catalogue=self.catalogue.reference,
            catalogue_digest=self.catalogue.digest,
            snapshot="in-memory",
            as_of=self._as_of,
            disclosure=asked.disclosure,
            precision_points=precision,
            centibits=centibits,
            request=request_digest(raw),
            answers=tuple(AnswerDigest(part.category, answer_digest(part.answer)) for part in parts),
        )
        return assessment_pb2.Assessment(receipt=receipt.sign(self._key), parts=parts)

    def _active(self, grant: Grant, only: str) -> NDArray[np.int64]:
        """Layout indices: a feature counts when every category it reads is authorized, else in its withheld cell."""
        allowed, indices = set(grant.terms.categories), []
        layout = self.catalogue.layout
        for feature, start, cell in zip(layout.features, layout.offsets, grant.row.tolist(), strict=True):
            if only in ("", feature.category):
                indices.append(start + (cell if set(feature.sources) <= allowed else feature.not_authorized))
        return np.array(indices, np.int64)
