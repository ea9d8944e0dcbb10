"""The pages an enterprise works with, and those of operators: rendered here, with scripts from this host alone.

What is about an enterprise is fetched by the page's scripts from the REST interface, with documents the browser signs;
this package never sees a record, and asks for none.
"""

from fastapi import FastAPI

from server.db import Database
from server.portal.api import session_routes
from server.portal.guard import Elsewhere, Guard, go_elsewhere
from server.portal.objections import objection_pages
from server.portal.pages import portal_pages
from server.portal.render import Renderer
from server.portal.staff import staff_pages


def include_portal(app: FastAPI, guard: Guard, database: Database) -> None:
    """Add every page. A router of further pages for operators takes `guard.audited(AccountRole.OPERATOR)` as its
    dependency and a `Renderer` for its templates."""
    renderer = Renderer()
    app.include_router(session_routes(guard))
    app.include_router(portal_pages(guard, renderer))
    app.include_router(staff_pages(guard, renderer))
    app.include_router(objection_pages(guard, renderer, database))
    app.add_exception_handler(Elsewhere, go_elsewhere)
