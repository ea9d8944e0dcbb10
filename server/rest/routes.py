"""The paths. Thin: read, relay, show."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response, Security
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPAuthorizationCredentials, HTTPBase
from xinyidai.reasons import Reason
from xinyidai.v1 import catalogue_pb2, enclave_pb2, log_pb2

from server.banks.service import list_banks
from server.db import Database, check_schema
from server.enclaves import Enclaves
from server.errors import EnclaveUnavailable, Refused
from server.quality.service import QualityService
from server.relay.enterprises import EnterpriseRelay, state_of
from server.rest import schemas
from server.rest.problems import HTTP_STATUS, MEDIA_TYPE, Problem

_ACCESS: Final[SecurityBase] = HTTPBase(
    scheme="Access",
    scheme_name="Access",
    description="`Authorization: Access <access+jwt>`: signed by the enterprise's key, spent by one request.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_ACCESS)]
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "model": Problem,
        "description": f"RFC 9457; `reason` is one of: {', '.join(HTTP_STATUS)}.",
        "content": {MEDIA_TYPE: {}},
    }
}


class AccessMissing(Refused):
    reason = Reason.SIGNATURE_INVALID


def access_token(credentials: HTTPAuthorizationCredentials | None) -> str:
    """Raises `AccessMissing`."""
    if (
        credentials is None
        or credentials.scheme.lower() != "access"
        or len(credentials.credentials) > schemas.MAX_TOKEN
    ):
        raise AccessMissing("send the header Authorization: Access <access+jwt>")
    return credentials.credentials


def _entries(answer: enclave_pb2.GetUsageResponse) -> tuple[schemas.AuthorizationEntry, ...]:
    return tuple(
        schemas.AuthorizationEntry(
            authorization=entry.authorization,
            state=state_of(entry.state).value,
            assessments=entry.assessments,
            signed_by=entry.signed_by,
            renewal_due=entry.renewal_due,
            reconfirm_due=entry.reconfirm_due,
            status_index=entry.status_index if entry.status_uri else None,
            status_uri=entry.status_uri or None,
        )
        for entry in answer.authorizations
    )


def proof_of(wire: log_pb2.LogProof) -> schemas.LogProof:
    return schemas.LogProof(salt=wire.salt.hex(), index=wire.index, path=tuple(step.hex() for step in wire.path))


def _usage_page(answer: enclave_pb2.GetUsageResponse) -> schemas.UsagePage:
    return schemas.UsagePage(
        usages=tuple(
            schemas.Usage(
                **{name: getattr(use, name) for name in schemas.Usage.model_fields if name != "proof"},
                proof=proof_of(use.proof) if use.HasField("proof") else None,
            )
            for use in answer.usages
        ),
        budgets=tuple(
            schemas.Budget(**{name: getattr(budget, name) for name in schemas.Budget.model_fields})
            for budget in answer.budgets
        ),
        authorizations=_entries(answer),
        checkpoint=answer.checkpoint,
        next_page_token=answer.next_page_token,
    )


def enterprise_routes(relay: EnterpriseRelay) -> APIRouter:
    """What enterprises' programs call. Every document is verified by the enclave, not here."""
    router = APIRouter(prefix="/v1", tags=["企业 / enterprises"], responses=PROBLEMS)

    @router.post("/keys", summary="登记企业公钥 / Register an enterprise's key")
    async def register_key(body: schemas.KeyRegistration) -> schemas.RegisteredKey:
        done = await relay.register_key(body.registration)
        return schemas.RegisteredKey(enterprise=done.enterprise, key_thumbprint=done.key_thumbprint)

    @router.post("/authorizations", summary="提交授权 / Submit an authorization")
    async def submit_authorization(body: schemas.NewAuthorization) -> schemas.AcceptedAuthorization:
        done = await relay.submit_authorization(body.authorization)
        index, uri = done.place or (None, None)
        return schemas.AcceptedAuthorization(
            digest=done.digest,
            state=done.state.value,
            acknowledgement=done.acknowledgement,
            status_index=index,
            status_uri=uri,
        )

    @router.get("/authorizations", summary="本企业的授权 / The enterprise's own authorizations")
    async def list_authorizations(credentials: Credentials) -> schemas.AuthorizationList:
        answer = await relay.usage(access_token(credentials), 1, "")
        return schemas.AuthorizationList(authorizations=_entries(answer))

    @router.post(
        "/statements",
        summary="撤销、暂停、恢复、预算、异议、代签等 / Revoke, pause, resume, budget, dispute, delegate",
    )
    async def submit_statement(body: schemas.NewStatement) -> schemas.CarriedOut:
        done = await relay.submit_statement(body.statement)
        return schemas.CarriedOut(state=done.state.value if done.state else None, acknowledgement=done.acknowledgement)

    @router.post(
        "/lineage", summary="本企业一项特征由哪些记录得出 / Which records made one of the enterprise's features"
    )
    async def lineage(body: schemas.NewLineageRequest) -> schemas.SealedAnswer:
        return schemas.SealedAnswer(answer=await relay.lineage(body.request))

    @router.post("/own-records", summary="本市持有的本企业记录 / What the city holds about the enterprise")
    async def own_records(body: schemas.NewOwnRecordsRequest) -> schemas.SealedAnswer:
        return schemas.SealedAnswer(answer=await relay.own_records(body.request))

    @router.get("/usage", summary="谁用过本企业的数据 / Who used the enterprise's data")
    async def usage(
        credentials: Credentials,
        page_size: Annotated[int, Query(ge=0, le=500, description="0 means 100.")] = 0,
        page_token: Annotated[str, Query(max_length=64)] = "",
    ) -> schemas.UsagePage:
        return _usage_page(await relay.usage(access_token(credentials), page_size, page_token))

    return router


def public_routes(database: Database, enclaves: Enclaves, quality: QualityService) -> APIRouter:
    """What anybody may read."""
    router = APIRouter(prefix="/v1", tags=["公开 / public"], responses=PROBLEMS)

    @router.get("/catalogue", response_model=schemas.CatalogueDocument, summary="数据目录 / The catalogue")
    async def catalogue(reference: Annotated[str, Query(max_length=128)] = "") -> Response:
        answer = await enclaves.catalogue(catalogue_pb2.GetCatalogueRequest(reference=reference))
        head = json.dumps({"reference": answer.reference, "digest": answer.digest.hex()})
        # The document goes out as the enclave sent it: canonical JSON, whose SHA-256 is the digest.
        body = head.removesuffix("}").encode() + b', "document": ' + answer.document + b"}"
        return Response(body, media_type="application/json")

    @router.get("/banks", summary="银行名录 / The directory of banks")
    async def banks() -> schemas.BankDirectory:
        return schemas.BankDirectory(
            banks=tuple(
                schemas.BankEntry(
                    id=bank.bank_id,
                    name_zh=bank.name_zh,
                    name_en=bank.name_en,
                    certificate_thumbprint=bank.certificate_thumbprint,
                )
                for bank in await database.read(list_banks)
            )
        )

    @router.get("/quality", summary="数据质量 / How good the records are")
    async def quality_board() -> schemas.QualityBoard:
        board = await quality.board()
        return schemas.QualityBoard(
            snapshot=board.snapshot,
            as_of=board.as_of,
            least_enterprises=board.least_enterprises,
            cells=tuple(
                schemas.QualityCell(
                    category=cell.category,
                    source=cell.source,
                    month=cell.month,
                    rows=cell.rows,
                    enterprises=cell.enterprises,
                    shares=dict(cell.shares),
                )
                for cell in board.cells
            ),
        )

    @router.get("/enclaves", summary="数据域名录 / The directory of enclaves")
    async def enclave_directory() -> schemas.EnclaveDirectory:
        return schemas.EnclaveDirectory(
            enclaves=tuple(
                schemas.EnclaveEntry(
                    id=name,
                    available=status is not None,
                    catalogue=status.catalogue if status else None,
                    as_of=status.as_of if status else None,
                    receipt_certificate=status.receipt_certificate if status else None,
                )
                for name, status in await enclaves.statuses()
            )
        )

    return router


def health_routes(database: Database, enclaves: Enclaves) -> APIRouter:
    router = APIRouter(tags=["运行状态 / health"], responses=PROBLEMS)

    @router.get("/healthz", summary="进程在运行 / The process runs")
    async def healthz() -> schemas.Health:
        return schemas.Health()

    @router.get("/readyz", summary="可以提供服务 / It can serve: database and at least one enclave")
    async def readyz() -> schemas.Health:
        await database.read(lambda session: check_schema(session.connection()))
        if all(status is None for _, status in await enclaves.statuses()):
            raise EnclaveUnavailable("no enclave answers; try again later")
        return schemas.Health()

    return router
