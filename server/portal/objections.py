"""How far objections are, for operators and departments: numbers and ids. Nothing else of them is known here."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from server.accounts.models import AccountRole
from server.accounts.sessions import Principal
from server.db import Database
from server.objections.service import overview
from server.portal.guard import Guard
from server.portal.render import Renderer

_LOOKS: Final = {AccountRole.OPERATOR: "overview", AccountRole.DEPARTMENT: "overview by a department"}


def objection_pages(guard: Guard, renderer: Renderer, database: Database) -> APIRouter:
    """Every look is recorded under the account's id, in the transaction that reads."""
    router = APIRouter(prefix="/operator", include_in_schema=False)
    staff = Depends(guard.audited(*_LOOKS))

    @router.get("/objections")
    async def objections(request: Request, principal: Annotated[Principal, staff]) -> Response:
        what = _LOOKS[principal.role]
        now = guard.accounts.clock()
        found = await database.change("look at objections", overview, principal.holder, now, what)
        return renderer.page(request, "staff_objections.html", principal, found=found)

    return router
