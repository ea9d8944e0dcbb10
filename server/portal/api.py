"""What the pages' scripts call to sign in and out. The rest of what they do goes through /v1, like any program."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response
from xinyidai.authorization import BY_CATEGORY_PRECISION
from xinyidai.catalogue import builtin_catalogue
from xinyidai.notice import NOTICE_VERSION
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import PURPOSES
from xinyidai.whitelist.scorecard import public_scorecard

from server.accounts.models import AccountRole
from server.accounts.passkeys import credential_id_of
from server.accounts.sessions import Principal
from server.portal.guard import Guard, drop_cookie, keep_cookie
from server.rest.schemas import MAX_TOKEN, Strict

HOME: Final = {
    AccountRole.ENTERPRISE: "/portal",
    AccountRole.OPERATOR: "/operator",
    AccountRole.DEPARTMENT: "/operator/account",
}
_STAFF: Final = (AccountRole.OPERATOR, AccountRole.DEPARTMENT)
_EVERYBODY: Final = tuple(AccountRole)
Label = Annotated[str, Field(max_length=64, pattern=r"^[^\p{Cc}\p{Cf}]*$")]


class KeySignIn(Strict):
    document: str = Field(min_length=1, max_length=MAX_TOKEN)
    """`sign-in+jwt`."""


class PasskeySignIn(Strict):
    credential: dict[str, Any]


class NewPasskey(Strict):
    credential: dict[str, Any]
    label: Label = ""


class EnrolmentCode(Strict):
    role: AccountRole
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")
    code: str = Field(pattern=r"^[!-~]{1,64}$")


class Enrolment(EnrolmentCode):
    credential: dict[str, Any]
    label: Label = ""


def terms() -> dict[str, Any]:
    """What a grant and an opt-in to the white list are made from. The enclave holds each against its own; a wrong table
    here is refused there."""
    scorecard = public_scorecard(builtin_catalogue())
    return {
        "notice_version": NOTICE_VERSION,
        "by_category_precision": BY_CATEGORY_PRECISION,
        "centibits": [
            LINEAR_4096_T1024.centibits(points) for points in range(LINEAR_4096_T1024.max_precision_points + 1)
        ],
        "purposes": [
            {
                "code": purpose.code,
                "version": purpose.version,
                "zh": purpose.zh,
                "en": purpose.en,
                "max_validity_days": purpose.max_validity_days,
                "max_assessments": purpose.max_assessments,
                "needs_term": purpose.needs_term,
            }
            for purpose in PURPOSES.values()
        ],
        "white_list": {
            "reference": scorecard.reference,
            "digest": scorecard.digest,
            "zh": scorecard.title.zh,
            "en": scorecard.title.en,
            "categories": scorecard.categories,
        },
    }


def session_routes(guard: Guard) -> APIRouter:
    accounts = guard.accounts
    router = APIRouter(prefix="/portal/api", include_in_schema=False)
    from_here = [Depends(guard.from_here)]
    anybody = Depends(guard.require_session(*_EVERYBODY))

    def signed_in(token: str, role: AccountRole) -> Response:
        response = JSONResponse({"next": HOME[role]})
        keep_cookie(response, token, accounts.rules.absolute)
        return response

    @router.get("/terms")
    async def terms_table() -> dict[str, Any]:
        return terms()

    @router.post("/challenge", dependencies=from_here)
    async def challenge(request: Request) -> dict[str, str]:
        guard.throttle(request)
        return {"challenge": await accounts.challenge(), "audience": accounts.site.rp_id}

    @router.post("/sign-in/key", dependencies=from_here)
    async def sign_in_with_key(request: Request, body: KeySignIn) -> Response:
        guard.throttle(request)
        token = await accounts.sign_in_with_key(body.document, guard.caller(request))
        return signed_in(token, AccountRole.ENTERPRISE)

    @router.post("/sign-in/passkey/options", dependencies=from_here)
    async def passkey_options(request: Request) -> Any:
        guard.throttle(request)
        return await accounts.passkey_options()

    @router.post("/sign-in/passkey", dependencies=from_here)
    async def sign_in_with_passkey(request: Request, body: PasskeySignIn) -> Response:
        guard.throttle(request, credential_id_of(body.credential))
        return signed_in(*await accounts.sign_in_with_passkey(body.credential, guard.caller(request)))

    @router.post("/enrol/options", dependencies=from_here)
    async def enrolment_options(request: Request, body: EnrolmentCode) -> Any:
        guard.throttle(request, f"{body.role} {body.id}")
        return await accounts.enrolment_options(body.role, body.id, body.code, guard.caller(request))

    @router.post("/enrol", dependencies=from_here)
    async def enrol(request: Request, body: Enrolment) -> Response:
        guard.throttle(request, f"{body.role} {body.id}")
        caller = guard.caller(request)
        token = await accounts.enrol(body.role, body.id, body.code, body.credential, body.label, caller)
        return signed_in(token, body.role)

    @router.post("/passkeys/options")
    async def new_passkey_options(principal: Annotated[Principal, anybody]) -> Any:
        return await accounts.new_passkey_options(principal)

    @router.post("/passkeys")
    async def add_passkey(
        request: Request, body: NewPasskey, principal: Annotated[Principal, anybody]
    ) -> dict[str, str]:
        address = guard.caller(request).address
        await accounts.add_passkey(principal, body.credential, body.label, address)
        return {}

    @router.post("/sign-out")
    async def sign_out(
        request: Request, principal: Annotated[Principal, anybody], everywhere: bool = False
    ) -> Response:
        await accounts.sign_out(principal, guard.caller(request), everywhere=everywhere)
        response = JSONResponse({"next": "/operator/sign-in" if principal.role in _STAFF else "/portal/sign-in"})
        drop_cookie(response)
        return response

    return router
