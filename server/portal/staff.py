"""The pages of operators and departments: enrolling with a code, signing in, and the audit of accounts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from server.accounts.models import AccountRole
from server.accounts.sessions import Principal
from server.portal.guard import Guard
from server.portal.pages import add_account
from server.portal.render import Renderer


def staff_pages(guard: Guard, renderer: Renderer) -> APIRouter:
    router = APIRouter(prefix="/operator", include_in_schema=False)
    operator = Depends(guard.audited(AccountRole.OPERATOR))

    @router.get("")
    async def home(request: Request, principal: Annotated[Principal, operator]) -> Response:
        return renderer.page(request, "operator.html", principal, events=await guard.accounts.latest_events())

    @router.get("/events")
    async def events(request: Request, principal: Annotated[Principal, operator]) -> Response:
        return renderer.page(request, "events.html", principal, events=await guard.accounts.latest_events())

    @router.get("/sign-in")
    async def sign_in(request: Request) -> Response:
        return renderer.page(request, "staff_sign_in.html")

    @router.get("/enrol")
    async def enrol(request: Request) -> Response:
        return renderer.page(request, "enrol.html")

    add_account(router, guard, renderer, AccountRole.OPERATOR, AccountRole.DEPARTMENT)
    return router
