"""The enclaves' logs, relayed to whoever asks, and the cosignatures of witnesses. Every reader verifies for itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from xinyidai.identity import TrustAnchor
from xinyidai.signing import read_unverified
from xinyidai.statements import parse_access
from xinyidai.v1 import log_pb2

from server.audit.models import Kind
from server.audit.service import OK, Event
from server.db import Database
from server.enclaves import Enclaves
from server.relay.journal import Journal
from server.transparency.models import StoredCosignature
from server.transparency.service import check_cosignature, cosignatures_of, keep_cosignature


@dataclass(frozen=True, slots=True)
class LogView:
    enclave: str
    checkpoint: str
    cosigned: Sequence[StoredCosignature]


class LogRelay:
    """Every method raises `Refused` or `DocumentError`. `enclave`: an id, or "" for the first."""

    def __init__(
        self,
        enclaves: Enclaves,
        database: Database,
        journal: Journal,
        enclave_roots: TrustAnchor,
        witness_roots: TrustAnchor,
    ) -> None:
        self._enclaves = enclaves
        self._database = database
        self._journal = journal
        self._enclave_roots, self._witness_roots = enclave_roots, witness_roots

    async def view(self, enclave: str) -> LogView:
        chosen = self._enclaves.named(enclave)
        answer = await chosen.call(chosen.stub.GetCheckpoint, log_pb2.GetCheckpointRequest())
        return LogView(chosen.id, answer.checkpoint, await self._database.read(cosignatures_of, chosen.id))

    async def consistency(self, enclave: str, old: int, new: int) -> list[bytes]:
        chosen = self._enclaves.named(enclave)
        request = log_pb2.GetConsistencyProofRequest(old_size=old, new_size=new)
        return list((await chosen.call(chosen.stub.GetConsistencyProof, request)).path)

    async def leaves(self, enclave: str, first: int, count: int) -> list[bytes]:
        chosen = self._enclaves.named(enclave)
        answer = await chosen.call(chosen.stub.GetLogLeaves, log_pb2.GetLogLeavesRequest(first=first, count=count))
        return list(answer.leaf_hashes)

    async def status_list(self, enclave: str, number: int) -> str:
        chosen = self._enclaves.named(enclave)
        answer = await chosen.call(chosen.stub.GetStatusList, log_pb2.GetStatusListRequest(number=number))
        return str(answer.token)

    async def inclusion(self, raw_access: str, entry: str, size: int) -> log_pb2.GetInclusionResponse:
        """To the holder of the enterprise's key, whose entry it must be. The token is spent."""
        untrusted = parse_access(read_unverified(raw_access))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.READ_PROOF, OK, enclave.id, enterprise=untrusted.enterprise)
        request = log_pb2.GetInclusionRequest(access=raw_access, entry=entry, tree_size=size)
        answer: log_pb2.GetInclusionResponse = await self._journal.relay(
            enclave, enclave.stub.GetInclusion, request, event
        )
        await self._journal.passed(event)
        return answer

    async def cosign(self, raw: str, raw_checkpoint: str) -> int:
        """The size of the log it is of."""
        now = self._journal.clock()
        found = check_cosignature(raw, raw_checkpoint, self._enclave_roots, self._witness_roots, now)
        self._enclaves.choose([found.enclave])
        await self._database.change("keep cosignature", keep_cosignature, found, raw, raw_checkpoint)
        return found.size
