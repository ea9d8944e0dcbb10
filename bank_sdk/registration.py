"""Registering a tree ensemble: encrypt, keep the key, and send the frames one by one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from xinyidai.identifiers import EnclaveId
from xinyidai.requests import ModelRegistration, Stamp, tree_model_id
from xinyidai.v1 import model_pb2

from bank_sdk.credentials import BankCredentials
from bank_sdk.keys import KeyStore, StoredModel
from bank_sdk.models.encryption import EncryptedTrees, encrypt_trees
from bank_sdk.models.scorecard import CategoryRange
from bank_sdk.models.trees import TreeModel
from bank_sdk.questions import Asker
from bank_sdk.wire import call

_ENSEMBLE: Final = "ensemble"
_SECONDS_A_FRAME: Final = 0.5
"""Allowed on top of the timeout of a call: 180 KB at 3 Mbit/s."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeLine:
    """What a registration needs of the client it is made through."""

    stub: Any
    asker: Asker
    credentials: BankCredentials
    keys: KeyStore
    timeout: float

    async def prepare(
        self, model: TreeModel, enclaves: tuple[EnclaveId, ...]
    ) -> tuple[StoredModel, Callable[[], Awaitable[Any]]]:
        """The model with its key, in the store by now, and what sends it: that raises `ServiceError`."""
        encrypted = await asyncio.to_thread(encrypt_trees, model)
        stored = await asyncio.to_thread(self._keep, model, encrypted)
        frames = tuple(encrypted.frames())

        async def messages() -> AsyncIterator[model_pb2.RegisterTreesRequest]:
            document = self._document(model, encrypted, self.asker.stamp(enclaves))
            yield model_pb2.RegisterTreesRequest(registration=document.sign(self.credentials.signing_key))
            for frame in frames:
                yield model_pb2.RegisterTreesRequest(frame=frame)

        timeout = self.timeout + _SECONDS_A_FRAME * len(frames)
        return stored, partial(call, self.stub.RegisterTrees, messages, timeout, repeatable=True)

    def _keep(self, model: TreeModel, encrypted: EncryptedTrees) -> StoredModel:
        """Runs in a thread: it waits for the disk."""
        self.keys.claim_seeds(encrypted.seeds)
        document = self._document(model, encrypted, self.asker.stamp(()))
        span = model.prove(encrypted.parameters).largest
        stored = StoredModel(
            model_id=tree_model_id(document, self.credentials.bank),
            name=model.name,
            scorecard_digest=model.digest,
            catalogue=model.catalogue.reference,
            catalogue_digest=model.catalogue.digest,
            registered_at=None,
            receipt="",
            base_points=model.base_points,
            categories={_ENSEMBLE: CategoryRange(model.offset - model.base_points, span, 0)},
            secret_key=encrypted.key,
        )
        self.keys.save(stored)
        return stored

    def _document(self, model: TreeModel, encrypted: EncryptedTrees, stamp: Stamp) -> ModelRegistration:
        return ModelRegistration(
            stamp=stamp,
            parameter_set=encrypted.parameters.name,
            catalogue=model.catalogue.reference,
            catalogue_digest=model.catalogue.digest,
            weights_digest=encrypted.weights_digest,
            zero_digest=encrypted.zero_digest,
        )
