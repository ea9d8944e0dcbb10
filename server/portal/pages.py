"""The pages of an enterprise. They are frames: a page's script fills in what the enterprise's own key opens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from server.accounts.models import AccountRole
from server.accounts.sessions import Principal
from server.portal.guard import Guard
from server.portal.render import Renderer

_FRAMES = {
    "": "firm.html",
    "/records": "records.html",
    "/grant": "grant.html",
    "/authorizations": "authorizations.html",
    "/usage": "usage.html",
    "/objections": "objections.html",
    "/requests": "requests.html",
    "/answer": "answer.html",
    "/delegates": "delegates.html",
    "/finance": "finance.html",
    "/white-list": "white_list.html",
    "/loans": "loans.html",
}


def portal_pages(guard: Guard, renderer: Renderer) -> APIRouter:
    router = APIRouter(prefix="/portal", include_in_schema=False)
    enterprise = Depends(guard.require_page(AccountRole.ENTERPRISE))

    for path, template in _FRAMES.items():
        _add_frame(router, path, template, enterprise, renderer)

    @router.get("/sign-in")
    async def sign_in(request: Request) -> Response:
        return renderer.page(request, "sign_in.html")

    @router.get("/setup")
    async def setup(request: Request) -> Response:
        return renderer.page(request, "setup.html")

    add_account(router, guard, renderer, AccountRole.ENTERPRISE)

    @router.get("/static/{version}/{name:path}")
    async def static(request: Request, version: str, name: str) -> Response:
        return renderer.static(version, name, request)

    return router


def _add_frame(router: APIRouter, path: str, template: str, enterprise: object, renderer: Renderer) -> None:
    async def frame(request: Request, principal: Principal = enterprise) -> Response:  # type: ignore[assignment]
        return renderer.page(request, template, principal)

    router.add_api_route(path, frame, methods=["GET"], name=template)


def add_account(router: APIRouter, guard: Guard, renderer: Renderer, *roles: AccountRole) -> None:
    """The page of one's own account, under the router's prefix, and removing a passkey from it."""
    opening = Depends(guard.require_page(*roles))
    changing = Depends(guard.require_session(*roles))

    async def show(request: Request, template: str, principal: Principal) -> Response:
        return renderer.page(
            request,
            template,
            principal,
            passkeys=await guard.accounts.passkeys(principal),
            events=await guard.accounts.events(principal),
            remove=router.prefix,
        )

    @router.get("/account")
    async def account(request: Request, principal: Annotated[Principal, opening]) -> Response:
        return await show(request, "account.html", principal)

    @router.delete("/passkeys/{credential_id}")
    async def remove(request: Request, credential_id: str, principal: Annotated[Principal, changing]) -> Response:
        await guard.accounts.remove_passkey(principal, credential_id, guard.caller(request).address)
        return await show(request, "passkeys.html", principal)
