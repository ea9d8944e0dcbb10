"""The asynchronous client of a bank."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import grpc
from xinyidai.catalogue import Catalogue, CatalogueError, parse_catalogue
from xinyidai.framing import FrameKind, encode_seeded
from xinyidai.identifiers import EnclaveId, IdentifierError, parse_enclave_id
from xinyidai.parameters import LINEAR_4096_T1024, ParameterSet
from xinyidai.reasons import Reason
from xinyidai.receipt import ModelReceipt
from xinyidai.requests import model_id
from xinyidai.seal import SecretKey
from xinyidai.signing import DocumentMalformed
from xinyidai.v1 import assessment_pb2, authorization_pb2, bank_pb2_grpc, catalogue_pb2, model_pb2

from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import (
    AuthorizationRefused,
    BankSdkError,
    BudgetExhausted,
    InputError,
    KeyStoreError,
    Unavailable,
    VerificationError,
)
from bank_sdk.keys import KeyStore, StoredModel
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.trees import TreeModel
from bank_sdk.questions import Asker, Item, SignedRequest, as_enterprise, as_grant, registration, usable_newest_first
from bank_sdk.registration import TreeLine
from bank_sdk.results import STATES, AssessmentResult, GrantedAuthorization, RegisteredModel
from bank_sdk.session import Session
from bank_sdk.stream import AssessmentStream, read_outcome
from bank_sdk.verification import Question, verify_model_receipt
from bank_sdk.wire import call, every_entry, open_channel

_PAGE = 500
_MODEL_PAGE = 200
_LOOKUPS = 32
"""Enterprises up to which a call each is cheaper than listing every authorization of the bank."""


class BankClient:
    """Use as `async with await BankClient.connect(...) as client:`. One client serves many concurrent tasks."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        credentials: BankCredentials,
        enclaves: Sequence[str] | None,
        key_store: KeyStore,
        timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            self._enclaves = None if enclaves is None else tuple(parse_enclave_id(e) for e in enclaves)
        except IdentifierError as error:
            raise InputError(str(error)) from error
        self._channel = channel
        self._stub: Any = bank_pb2_grpc.BankServiceStub(channel)  # type: ignore[no-untyped-call]
        self._credentials = credentials
        self._keys = key_store
        self._timeout = timeout
        self._asker = Asker(credentials, clock)
        self._models: dict[str, StoredModel] = {}

    @classmethod
    async def connect(
        cls,
        target: str,
        credentials: BankCredentials,
        enclaves: Sequence[str] | None = None,
        *,
        key_store: KeyStore,
        timeout: float = 10.0,
    ) -> "BankClient":
        """Connect to the service at `target`, "host:port".

        `enclaves`: the only enclaves to be asked; by default those the enterprises named in their authorizations, as
        long as the enclaves' authority vouches for them. `timeout`: seconds for each call with its repeats, and for a
        stream to make any progress. Raises `Unavailable` when there is no connection within `timeout`, which is also
        how a refused certificate on either side looks.
        """
        client = cls(open_channel(target, credentials.channel_credentials()), credentials, enclaves, key_store, timeout)
        try:
            async with asyncio.timeout(timeout):
                await client._channel.channel_ready()
        except BaseException as error:
            await client.close()
            if isinstance(error, TimeoutError):
                message = f"no connection to {target} within {timeout} s; check address and certificates"
                raise Unavailable(message, code="UNAVAILABLE") from error
            raise
        return client

    async def __aenter__(self) -> "BankClient":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close()

    @property
    def channel(self) -> grpc.aio.Channel:
        """For the other parts of this package, which share the connection."""
        return self._channel

    @property
    def credentials(self) -> BankCredentials:
        """Likewise."""
        return self._credentials

    @property
    def timeout(self) -> float:
        """Seconds for each call with its repeats."""
        return self._timeout

    async def session(self) -> Session:
        """Likewise: who signs, who is believed, and the key store."""
        return Session(self._credentials, self._asker, self._keys, await self._registrars())

    async def catalogue(self) -> Catalogue:
        """The catalogue in force, which scorecards are built on. Raises `ServiceError` or `VerificationError`.

        The service cannot slip in another: the enclave accepts models on its own catalogue only.
        """
        response = await self._call(self._stub.GetCatalogue, catalogue_pb2.GetCatalogueRequest)
        try:
            catalogue = await asyncio.to_thread(parse_catalogue, response.document)
        except CatalogueError as error:
            raise VerificationError(f"the service sent no valid catalogue: {error}") from error
        if (catalogue.reference, catalogue.digest) != (response.reference, response.digest.hex()):
            raise VerificationError("the service sent another catalogue than it named")
        return catalogue

    async def register(self, scorecard: Scorecard | TreeModel) -> RegisteredModel:
        """Encrypt a scorecard, or a tree ensemble, under a fresh key, keep the key, and register the model.

        The same model registered twice gives two models with two keys. The key is stored before anything is sent;
        it stays in the store whatever the outcome, since a service may err or lie about that. An ensemble is tens of
        megabytes and may take longer than the client's timeout. Raises `PointsOverflow`, `ImportRefused`,
        `KeyStoreError`, `ServiceError` or `VerificationError`.
        """
        enclaves = await self._registrars()
        if isinstance(scorecard, TreeModel):
            line = TreeLine(self._stub, self._asker, self._credentials, self._keys, self._timeout)
            model, send = await line.prepare(scorecard, enclaves)
        else:
            model, send = await self._prepare(scorecard, enclaves)
        # Whatever the service says, the enclave may have taken the model: the key stays.
        response = await send()
        receipt = self._check_registration(response, model, enclaves)
        stored = replace(model, registered_at=receipt.registered_at, receipt=response.receipt)
        await asyncio.to_thread(self._keys.save, stored)
        return _registered(stored, receipt.registered_at)

    async def _prepare(
        self, scorecard: Scorecard, enclaves: tuple[EnclaveId, ...]
    ) -> tuple[StoredModel, Callable[[], Awaitable[Any]]]:
        model, weights, zero = await asyncio.to_thread(self._encrypt, scorecard, LINEAR_4096_T1024)

        def request() -> model_pb2.RegisterModelRequest:
            stamp = self._asker.stamp(enclaves)
            signed = registration(self._credentials, stamp, model, weights, zero)
            return model_pb2.RegisterModelRequest(registration=signed, weights=weights, zero=zero)

        return model, partial(self._call, self._stub.RegisterModel, request)

    async def models(self) -> list[RegisteredModel]:
        """Every model the service lists for this bank, with the names this key store knows."""

        async def page(token: str) -> Any:
            request = partial(model_pb2.ListModelsRequest, page_size=_MODEL_PAGE, page_token=token)
            return await self._call(self._stub.ListModels, request)

        return [await self._listed(entry) for entry in await every_entry(page, "models", lambda entry: entry.model_id)]

    async def authorizations(self, enterprise: str | None = None) -> list[GrantedAuthorization]:
        """Authorizations for this bank, of one enterprise or of all. Raises `ServiceError` or `VerificationError`."""

        async def page(token: str) -> Any:
            request = partial(
                authorization_pb2.ListAuthorizationsRequest,
                enterprise=enterprise or "",
                page_size=_PAGE,
                page_token=token,
            )
            return await self._call(self._stub.ListAuthorizations, request)

        found = await every_entry(page, "authorizations", lambda entry: entry.authorization)
        return [_granted(entry) for entry in found]

    async def usable_authorizations(
        self, model: RegisteredModel | str, enterprises: Iterable[str]
    ) -> dict[str, GrantedAuthorization]:
        """For each of the enterprises that has one, the authorization `assess` would take for the model now.

        Many enterprises are looked up by one listing instead of a call each. Raises `InputError` for what is no USCC,
        `KeyStoreError`, `ServiceError` or `VerificationError`.
        """
        stored = await self.stored(model)
        wanted = {as_enterprise(enterprise) for enterprise in enterprises}
        if len(wanted) <= _LOOKUPS:
            listed = [grant for enterprise in wanted for grant in await self.authorizations(enterprise)]
        else:
            listed = await self.authorizations()
        grouped: dict[str, list[GrantedAuthorization]] = {}
        for grant in listed:
            grouped.setdefault(grant.terms.enterprise, []).append(grant)
        found = {}
        for enterprise in wanted & grouped.keys():
            with suppress(AuthorizationRefused):
                grants, now = grouped[enterprise], self._asker.now()
                usable = usable_newest_first(grants, self._credentials, stored, self._enclaves, now, None, None)
                found[str(enterprise)] = usable[0]
        return found

    async def assess(
        self,
        item: Item,
        model: RegisteredModel | str,
        *,
        fresh: bool = False,
        precision_points: int | None = None,
        purpose: str | None = None,
    ) -> AssessmentResult:
        """One score of one enterprise.

        `item`: a USCC, a `GrantedAuthorization`, or an authorization's JWS. For a USCC the newest usable authorization
        is taken, of `purpose` if that is given; one that is used up gives way to the next, unless it answered this very
        question before. `fresh`: evaluate and charge anew instead of returning the stored answer to the same question;
        such a request is sent once and never repeated, since it may have been charged. `precision_points`: None is what
        the authorization allows; coarser costs fewer bits. Raises `InputError`, `PointsOverflow`, `KeyStoreError`,
        `ServiceError` or `VerificationError`.
        """
        stored = await self.stored(model)
        grants = await self._usable(item, stored, precision_points, purpose)
        for number, grant in enumerate(grants, 1):
            question = self._asker.question(
                grant, stored, self._enclaves, fresh=fresh, precision_points=precision_points
            )
            try:
                return await self._ask(question)
            except BudgetExhausted as error:
                if error.reason is not Reason.AUTHORIZATION_USED_UP or number == len(grants):
                    raise
        raise InputError("no authorization to use")

    async def _ask(self, question: Question) -> AssessmentResult:
        sent: list[SignedRequest] = []

        def request() -> assessment_pb2.AssessRequest:
            sent.append(self._asker.sign([question]))
            return assessment_pb2.AssessRequest(request=sent[-1].raw)

        response = await self._call(self._stub.Assess, request, repeatable=not question.fresh)
        if response.nonce != sent[-1].nonce or [outcome.item for outcome in response.outcomes] != [0]:
            raise VerificationError("the service answered something else than it was asked")
        outcome = self._read(response.outcomes[0], question, frozenset(s.digest for s in sent))
        if isinstance(outcome, BankSdkError):
            raise outcome
        return outcome

    async def assess_many(
        self, items: Iterable[Item] | AsyncIterable[Item], model: RegisteredModel | str, *, fresh: bool = False
    ) -> AsyncIterator[tuple[Item, AssessmentResult | BankSdkError]]:
        """Scores of many enterprises over one stream, in the order of `items`, in flat memory for any number of them.

        Up to 64 consecutive items with the same terms share a signed request; 4 requests are under way at a time. What
        concerns one item alone is yielded in its place (`ServiceError`, `VerificationError`, `InputError`); what ends
        the whole is raised. When a stream breaks, unanswered items are asked again with new nonces; with `fresh` they
        are yielded as `Unavailable` instead, since they may have been charged.
        """
        async with aclosing(self.assess_batches(items, model, fresh=fresh)) as batches:
            async for batch in batches:
                for pair in batch:
                    yield pair

    async def assess_batches(
        self, items: Iterable[Item] | AsyncIterable[Item], model: RegisteredModel | str, *, fresh: bool = False
    ) -> AsyncGenerator[list[tuple[Item, AssessmentResult | BankSdkError]], None]:
        """As `assess_many`, a signed request at a time: for callers to whom each step costs, such as another thread."""
        stored = await self.stored(model)

        async def resolve(item: Item) -> Question:
            return await self._question(item, stored, fresh, None)

        stream = AssessmentStream(self._stub, self._asker, resolve, self._read, self._timeout)
        async with aclosing(stream.run(items)) as batches:
            async for batch in batches:
                yield batch

    async def stored(self, model: RegisteredModel | str) -> StoredModel:
        """The model's key and offsets from the key store. Raises `KeyStoreError`."""
        identity = model if isinstance(model, str) else model.model_id
        if identity not in self._models:
            self._models[identity] = await asyncio.to_thread(self._keys.load, identity)
        return self._models[identity]

    async def _call(self, method: Any, make_request: Callable[[], Any], *, repeatable: bool = True) -> Any:
        return await call(method, make_request, self._timeout, repeatable=repeatable)

    def _read(
        self, outcome: assessment_pb2.Outcome, question: Question, asked: frozenset[str]
    ) -> AssessmentResult | BankSdkError:
        return read_outcome(outcome, question, asked, self._credentials.enclave_anchor, self._asker.now())

    async def _usable(
        self, item: Item, model: StoredModel, precision: int | None, purpose: str | None
    ) -> list[GrantedAuthorization]:
        """What may be asked under, the best first."""
        grant = as_grant(item)
        if grant is not None:
            return [grant]
        most = model.secret_key.parameters.max_precision_points
        if precision is not None and not 0 <= precision <= most:
            raise InputError(f"precision_points is 0 to {most}")
        listed = await self.authorizations(as_enterprise(item))
        now = self._asker.now()
        found = usable_newest_first(listed, self._credentials, model, self._enclaves, now, precision, purpose)
        if any(grant.terms.enterprise != item for grant in found):
            raise VerificationError("the service listed an authorization of another enterprise")
        return found

    async def _question(self, item: Item, model: StoredModel, fresh: bool, precision: int | None) -> Question:
        grants = await self._usable(item, model, precision, None)
        # Many at once are not asked about twice: take the newest that has uses left, as far as the service says.
        left = [grant for grant in grants if grant.assessments < grant.terms.max_assessments]
        grant = grants[0] if not (fresh and left) else left[0]
        return self._asker.question(grant, model, self._enclaves, fresh=fresh, precision_points=precision)

    async def _registrars(self) -> tuple[EnclaveId, ...]:
        if self._enclaves is not None:
            return self._enclaves
        named = {enclave for grant in await self.authorizations() for enclave in grant.terms.enclaves}
        if not 1 <= len(named) <= 8:
            raise InputError("which enclaves hold the records? Pass enclaves=[...] to connect")
        return tuple(sorted(named))

    def _encrypt(self, scorecard: Scorecard, parameters: ParameterSet) -> tuple[StoredModel, bytes, bytes]:
        """A fresh key, both frames under it, and the key in the store. Runs in a thread: it waits for the disk."""
        points = scorecard.vector(parameters)
        key = SecretKey.generate(parameters)
        encrypted = key.encrypt_weights(points), key.encrypt_zero()
        self._keys.claim_seeds([ciphertext.seed for ciphertext in encrypted])
        weights, zero = encode_seeded(encrypted[0], FrameKind.WEIGHTS), encode_seeded(encrypted[1], FrameKind.ZERO)
        catalogue = scorecard.catalogue
        model = StoredModel(
            model_id=model_id(parameters.name, catalogue.digest, weights, zero, self._credentials.bank),
            name=scorecard.name,
            scorecard_digest=scorecard.digest,
            catalogue=catalogue.reference,
            catalogue_digest=catalogue.digest,
            registered_at=None,
            receipt="",
            base_points=scorecard.base_points,
            categories=scorecard.category_ranges,
            secret_key=key,
        )
        self._keys.save(model)
        return model, weights, zero

    def _check_registration(self, response: Any, model: StoredModel, enclaves: tuple[EnclaveId, ...]) -> ModelReceipt:
        return verify_model_receipt(
            response.receipt,
            model_id=model.model_id,
            bank=self._credentials.bank,
            parameters=model.secret_key.parameters,
            catalogue=model.catalogue,
            catalogue_digest=model.catalogue_digest,
            enclaves=enclaves,
            anchor=self._credentials.enclave_anchor,
            now=self._asker.now(),
        )

    async def _listed(self, entry: model_pb2.Model) -> RegisteredModel:
        try:
            return _registered(await self.stored(entry.model_id), entry.registered_at)
        except KeyStoreError:
            return RegisteredModel(
                entry.model_id, entry.parameter_set, entry.catalogue, entry.registered_at, None, None
            )


def _registered(model: StoredModel, registered_at: int) -> RegisteredModel:
    return RegisteredModel(
        model_id=model.model_id,
        parameter_set=model.secret_key.parameters.name,
        catalogue=model.catalogue,
        registered_at=registered_at,
        name=model.name,
        scorecard_digest=model.scorecard_digest,
        receipt=model.receipt,
    )


def _granted(entry: authorization_pb2.AuthorizationEntry) -> GrantedAuthorization:
    try:
        terms = GrantedAuthorization.from_token(entry.authorization).terms
    except DocumentMalformed as error:
        raise VerificationError(f"the service listed something else than authorizations: {error}") from error
    state, uri = STATES.get(entry.state, "unknown"), entry.status_uri or None
    index = entry.status_index if uri else None
    return GrantedAuthorization(entry.authorization, terms, state, entry.assessments, entry.renewal_due, index, uri)
