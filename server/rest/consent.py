"""What an enterprise reads of banks' requests, its delegates and its objections. Everything is verified by the
enclave."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from xinyidai.disputes import stage
from xinyidai.v1 import consent_pb2

from server.relay.consent import ConsentRelay
from server.rest.routes import PROBLEMS, Credentials, access_token
from server.rest.schemas import MAX_TOKEN, Strict

_EXAMPLE = "eyJhbGciOiJFUzI1NiIsInR5cCI6…"


class ProposalList(Strict):
    requests: tuple[str, ...] = Field(
        description="Compact JWS of type `authorization-request+jwt`, exactly as the banks signed them, newest first.",
        examples=[[_EXAMPLE]],
    )


class DelegationEntry(Strict):
    delegate: str = Field(description="RFC 7638 thumbprint of the delegate's key.")
    name: str = Field(description="Masked, as the enterprise gave it.", examples=["王*"])
    powers: tuple[str, ...] = Field(description="grant, control, view, dispute, budget")
    not_after: int = Field(description="Seconds since 1970-01-01 UTC.")
    ended_at: int = Field(description="0: not ended by the enterprise.")


class DelegateAct(Strict):
    delegate: str
    name: str
    at: int = Field(description="Seconds since 1970-01-01 UTC.")
    act: str = Field(description="authorize, or the action of a statement.")
    about: str = Field(description="Digest of the authorization or request, or a bank id; may be empty.")


class DelegationList(Strict):
    delegations: tuple[DelegationEntry, ...]
    acts: tuple[DelegateAct, ...] = Field(description="What delegates signed, newest first.")


class ObjectionState(Strict):
    objection_id: str
    state: str = Field(description="marked, transferred, escalated, unverified, decided, withdrawn")
    opened_at: int = Field(description="Seconds since 1970-01-01 UTC, like what follows; 0: not yet.")
    transferred_at: int
    decide_by: int = Field(description="The department's deadline.")
    cap_at: int = Field(description="After this an undecided record stays left out as unverifiable.")
    decided_at: int


class ObjectionList(Strict):
    objections: tuple[ObjectionState, ...] = Field(description="Newest first; what each is about is sealed: see POST.")


class NewObjectionsRequest(Strict):
    request: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_TOKEN,
            description="Compact JWS of type `objections-request+jwt`, signed by the enterprise's key.",
            examples=[_EXAMPLE],
        ),
    ]


class SealedObjections(Strict):
    answer: str = Field(description="Compact JWE to the key in the request; always of the same length.")


def consent_routes(relay: ConsentRelay) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["企业 / enterprises"], responses=PROBLEMS)

    @router.get("/authorization-requests", summary="银行的授权请求 / What banks ask the enterprise to authorize")
    async def proposals(credentials: Credentials) -> ProposalList:
        return ProposalList(requests=tuple(await relay.proposals(access_token(credentials))))

    @router.get("/delegations", summary="代签人及其所签 / Delegates, and what they signed")
    async def delegations(credentials: Credentials) -> DelegationList:
        answer = await relay.delegations(access_token(credentials))
        return DelegationList(
            delegations=tuple(
                DelegationEntry(
                    delegate=one.delegate,
                    name=one.name,
                    powers=tuple(one.powers),
                    not_after=one.not_after,
                    ended_at=one.ended_at,
                )
                for one in answer.delegations
            ),
            acts=tuple(
                DelegateAct(delegate=one.delegate, name=one.name, at=one.at, act=one.act, about=one.about)
                for one in answer.acts
            ),
        )

    @router.get("/objections", summary="本企业异议的进度和期限 / How far the enterprise's objections are")
    async def objections(credentials: Credentials) -> ObjectionList:
        answer = await relay.objections_of(access_token(credentials))
        return ObjectionList(objections=tuple(_state(one, relay.clock) for one in answer.objections))

    @router.post("/objections", summary="异议全文与部门答复(密封)/ Both sides of every objection, sealed")
    async def sealed_objections(body: NewObjectionsRequest) -> SealedObjections:
        return SealedObjections(answer=await relay.objections(body.request))

    return router


def _state(one: consent_pb2.ObjectionState, now: int) -> ObjectionState:
    times = {name: getattr(one, name) for name in ObjectionState.model_fields if name.endswith(("_at", "_by"))}
    reached = stage(one.state, now, one.decide_by, one.cap_at)
    return ObjectionState(objection_id=one.objection_id, state=reached, **times)
