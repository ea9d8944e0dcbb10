"""The page that verifies a proof of the log in the reader's browser. Nothing is uploaded, so it needs no session."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from server.pages.quality import PAGE_HEADERS

_SCRIPTS: Final = ("proof.js", "verify.js")
HEADERS: Final = PAGE_HEADERS | {
    "Content-Security-Policy": f"{PAGE_HEADERS['Content-Security-Policy']}; script-src 'self'"
}
"""Scripts of our own alone, none inline, and no connection to anywhere."""


def verify_routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    page = files("server.pages").joinpath("templates/verify.html").read_text()

    @router.get("/verify")
    async def verify() -> HTMLResponse:
        return HTMLResponse(page, headers=HEADERS)

    for name in _SCRIPTS:
        router.get(f"/pages/{name}")(_script(files("server.pages").joinpath(f"static/{name}").read_bytes()))
    return router


def _script(source: bytes) -> Callable[[], Awaitable[Response]]:
    async def script() -> Response:
        return Response(source, media_type="text/javascript", headers=HEADERS)

    return script
