"""The transparency log over REST: what anybody may read and verify, and the proofs of an enterprise's own entries."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from xinyidai.merkle import MAX_SIZE

from server.relay.log import LogRelay
from server.rest.routes import PROBLEMS, Credentials, access_token, proof_of
from server.rest.schemas import MAX_TOKEN, LogProof, Strict

_MAX_LEAVES: Final = 4_096
Enclave = Annotated[str, Query(max_length=63, description="Enclave id; empty: the first of this platform.")]
Size = Annotated[int, Query(ge=0, le=MAX_SIZE)]


class CosignedCheckpoint(Strict):
    witness: str
    size: int = Field(description="Entries of the log.", examples=[1203])
    checkpoint: str = Field(description="Compact JWS of type `checkpoint+jwt`, signed by the enclave.")
    cosignature: str = Field(description="Compact JWS of type `cosignature+jwt`, signed by the witness.")


class LogCheckpoint(Strict):
    enclave: str = Field(examples=["lianyungang-1"])
    checkpoint: str = Field(description="The latest; compact JWS of type `checkpoint+jwt`, signed by the enclave.")
    cosigned: tuple[CosignedCheckpoint, ...] = Field(description="The latest of each witness, largest first.")


class ConsistencyPath(Strict):
    path: tuple[str, ...] = Field(description="RFC 9162, 2.1.4; hex SHA-256 each.")


class LogLeaves(Strict):
    leaf_hashes: tuple[str, ...] = Field(description="Hex SHA-256 each; they say nothing of anybody.")


class NewCosignature(Strict):
    cosignature: str = Field(min_length=1, max_length=MAX_TOKEN)
    checkpoint: str = Field(min_length=1, max_length=MAX_TOKEN)


class Kept(Strict):
    size: int


class ProvenEntry(Strict):
    document: str = Field(description="Compact JWS: the receipt or acknowledgement.")
    proof: LogProof
    tree_size: int = Field(description="The size of the checkpoint the path leads to.")


def log_routes(relay: LogRelay) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["透明日志 / transparency log"], responses=PROBLEMS)

    @router.get("/log/checkpoint", summary="最新检查点及见证 / The latest checkpoint, and the witnesses' cosignatures")
    async def checkpoint(enclave: Enclave = "") -> LogCheckpoint:
        view = await relay.view(enclave)
        return LogCheckpoint(
            enclave=view.enclave,
            checkpoint=view.checkpoint,
            cosigned=tuple(
                CosignedCheckpoint(witness=row.witness, size=row.size, checkpoint=row.checkpoint, cosignature=row.token)
                for row in view.cosigned
            ),
        )

    @router.get("/log/consistency", summary="一致性证明 / Proof that the log only grew")
    async def consistency(old: Size, new: Size, enclave: Enclave = "") -> ConsistencyPath:
        return ConsistencyPath(path=tuple(step.hex() for step in await relay.consistency(enclave, old, new)))

    @router.get("/log/leaves", summary="日志条目的摘要 / Hashes of the entries")
    async def leaves(
        first: Size, count: Annotated[int, Query(ge=1, le=_MAX_LEAVES)] = _MAX_LEAVES, enclave: Enclave = ""
    ) -> LogLeaves:
        return LogLeaves(leaf_hashes=tuple(leaf.hex() for leaf in await relay.leaves(enclave, first, count)))

    @router.get("/log/inclusion", summary="本企业条目的证明 / Proof of an entry of the enterprise's own")
    async def inclusion(
        credentials: Credentials,
        entry: Annotated[str, Query(min_length=1, max_length=64, description="Assessment id, or a document's digest.")],
        tree_size: Annotated[int, Query(ge=0, le=MAX_SIZE, description="0: the latest checkpoint.")] = 0,
    ) -> ProvenEntry:
        found = await relay.inclusion(access_token(credentials), entry, tree_size)
        return ProvenEntry(document=found.document, proof=proof_of(found.proof), tree_size=found.tree_size)

    @router.post("/log/cosignatures", summary="提交见证签名 / A witness's cosignature")
    async def cosign(body: NewCosignature) -> Kept:
        return Kept(size=await relay.cosign(body.cosignature, body.checkpoint))

    @router.get(
        "/status-lists/{number}",
        summary="授权状态列表 / Token status list",
        response_class=Response,
        responses={200: {"content": {"application/statuslist+jwt": {"schema": {"type": "string"}}}}},
    )
    async def status_list(number: Annotated[int, Path(ge=1, le=1 << 30)], enclave: Enclave = "") -> Response:
        return Response(await relay.status_list(enclave, number), media_type="application/statuslist+jwt")

    return router
