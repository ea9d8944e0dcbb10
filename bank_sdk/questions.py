"""What is asked, and how it is signed."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from xinyidai.authorization import Disclosure
from xinyidai.identifiers import EnclaveId, IdentifierError, Uscc, parse_uscc
from xinyidai.parameters import TreeParameterSet
from xinyidai.reasons import Reason
from xinyidai.requests import AssessmentItem, AssessmentRequest, ModelRegistration, Stamp, request_digest
from xinyidai.signing import DocumentMalformed

from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import AuthorizationRefused, InputError, PointsOverflow
from bank_sdk.keys import StoredModel
from bank_sdk.results import GrantedAuthorization
from bank_sdk.verification import Question, range_of

Item = str | GrantedAuthorization
"""A USCC, an authorization's compact JWS, or an authorization as the client listed it."""

_LIFETIME_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class SignedRequest:
    raw: str
    nonce: str
    digest: str


class Asker:
    """Makes and signs questions in the bank's name."""

    def __init__(self, credentials: BankCredentials, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._clock = clock

    def now(self) -> int:
        return int(self._clock())

    def stamp(self, enclaves: tuple[EnclaveId, ...]) -> Stamp:
        now = self.now()
        return Stamp(self._credentials.bank, enclaves, secrets.token_urlsafe(24), now, now + _LIFETIME_SECONDS)

    def question(
        self,
        grant: GrantedAuthorization,
        model: StoredModel,
        enclaves: Sequence[EnclaveId] | None,
        *,
        fresh: bool,
        precision_points: int | None,
    ) -> Question:
        """Raises `InputError`, or `PointsOverflow` when the answer could be read in two ways at this precision."""
        asked = tuple(e for e in grant.terms.enclaves if enclaves is None or e in enclaves)
        if not asked:
            raise InputError("the authorization is for none of the enclaves this client may ask")
        precision = grant.terms.precision_points if precision_points is None else precision_points
        parameters = model.secret_key.parameters
        if not 0 <= precision <= parameters.max_precision_points:
            raise InputError(f"precision_points is 0 to {parameters.max_precision_points}")
        question = Question(self._credentials.bank, asked, grant.digest, grant.terms, model, precision, fresh)
        largest = max(range_of(model, part)[1] for part in question.parts)
        if largest + 2 * precision >= parameters.score_modulus:
            raise PointsOverflow(largest, parameters.score_modulus - 1, 2 * precision)
        if isinstance(parameters, TreeParameterSet) and grant.terms.disclosure is Disclosure.BY_CATEGORY:
            raise InputError("the score of trees is no sum over categories; ask under an authorization for the total")
        return question

    def sign(self, questions: Sequence[Question]) -> SignedRequest:
        """One signed request for questions that share `terms_of`."""
        first = questions[0]
        request = AssessmentRequest(
            stamp=self.stamp(first.enclaves),
            model=first.model.model_id,
            disclosure=first.terms.disclosure,
            precision_points=first.precision_points,
            fresh=first.fresh,
            items=tuple(AssessmentItem(q.terms.enterprise, q.authorization) for q in questions),
        )
        raw = request.sign(self._credentials.signing_key)
        return SignedRequest(raw, request.stamp.nonce, request_digest(raw))


def terms_of(question: Question) -> tuple[object, ...]:
    """What the items of one signed request have in common."""
    return (question.enclaves, question.model.model_id, question.terms.disclosure, question.precision_points)


def registration(credentials: BankCredentials, stamp: Stamp, model: StoredModel, weights: bytes, zero: bytes) -> str:
    """The signed registration of a model's two frames."""
    return ModelRegistration(
        stamp=stamp,
        parameter_set=model.secret_key.parameters.name,
        catalogue=model.catalogue,
        catalogue_digest=model.catalogue_digest,
        weights_digest=hashlib.sha256(weights).hexdigest(),
        zero_digest=hashlib.sha256(zero).hexdigest(),
    ).sign(credentials.signing_key)


def as_grant(item: Item) -> GrantedAuthorization | None:
    """The authorization an item is, None for an enterprise. Raises `InputError`."""
    if isinstance(item, GrantedAuthorization):
        return item
    if "." not in item:
        return None
    try:
        return GrantedAuthorization.from_token(item)
    except DocumentMalformed as error:
        raise InputError(f"not an authorization: {error}") from error


def as_enterprise(item: Item) -> Uscc:
    """Raises `InputError`."""
    try:
        return parse_uscc(str(item))
    except IdentifierError as error:
        raise InputError(str(error)) from error


def usable_newest_first(
    grants: Sequence[GrantedAuthorization],
    credentials: BankCredentials,
    model: StoredModel,
    enclaves: Sequence[EnclaveId] | None,
    now: int,
    precision_points: int | None,
    purpose: str | None,
) -> list[GrantedAuthorization]:
    """Authorizations that can be used now for this model, the one issued last first. Raises `AuthorizationRefused`."""
    usable = [
        grant
        for grant in grants
        if grant.state == "active"
        and grant.terms.not_before <= now < grant.terms.expires_at
        and grant.terms.bank == credentials.bank
        and grant.terms.bank_certificate == credentials.certificate_thumbprint
        and grant.terms.catalogue_digest == model.catalogue_digest
        and (enclaves is None or not set(enclaves).isdisjoint(grant.terms.enclaves))
        and (precision_points is None or precision_points >= grant.terms.precision_points)
        and purpose in (None, grant.terms.purpose)
    ]
    if not usable:
        states = ", ".join(sorted({grant.state for grant in grants})) or "none at all"
        raise AuthorizationRefused(
            "the enterprise has no authorization that this bank, certificate and model can use now "
            f"(states listed: {states}); ask it for one, and check the code",
            Reason.AUTHORIZATION_UNKNOWN,
        )
    return sorted(usable, key=lambda grant: (grant.terms.issued_at, grant.digest), reverse=True)
