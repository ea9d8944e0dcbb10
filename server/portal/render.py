"""Templates, texts in two languages, and the static files under an address that names their content."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from server.accounts.sessions import Principal

LANGUAGES: Final = ("zh", "en")
_LANGUAGE_COOKIE: Final = "xyd-lang"
_TAGS: Final = {"zh": "zh-CN", "en": "en"}
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    zipped: bytes
    media_type: str


def _static_files(folder: Traversable, prefix: str = "") -> dict[str, StaticFile]:
    found: dict[str, StaticFile] = {}
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found |= _static_files(entry, f"{name}/")
        elif (kind := _TYPES.get(entry.name[entry.name.rfind(".") :])) is not None:
            content = entry.read_bytes()
            found[name] = StaticFile(content, gzip.compress(content, mtime=0), kind)
    return found


class Renderer:
    """Read once at start; nothing here depends on a request but what `page` is given."""

    def __init__(self) -> None:
        self._files = _static_files(files("server.portal").joinpath("static"))
        names = hashlib.sha256()
        for name, one in self._files.items():
            names.update(f"{name}\n{hashlib.sha256(one.content).hexdigest()}\n".encode())
        self.version = names.hexdigest()[:16]
        texts: dict[str, list[str]] = json.loads(self._files["texts.json"].content)
        self._texts: Mapping[str, Mapping[str, str]] = {
            language: {key: said[at] for key, said in texts.items()} for at, language in enumerate(LANGUAGES)
        }
        self._templates = Environment(
            loader=PackageLoader("server.portal"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, request: Request, name: str, principal: Principal | None = None, **values: Any) -> Response:
        """A template in the language that `?lang=` names, or the one chosen last; Chinese when none was."""
        asked = (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE), LANGUAGES[0])
        language = next(one for one in asked if one in LANGUAGES)
        texts = self._texts[language]
        page = self._templates.get_template(name).render(
            t=texts.__getitem__,
            lang=language,
            tag=_TAGS[language],
            static=f"/portal/static/{self.version}",
            path=request.url.path,
            principal=principal,
            moment=moment,
            **values,
        )
        response = HTMLResponse(page, headers=dict(HEADERS))
        if request.query_params.get("lang") == language:
            response.set_cookie(_LANGUAGE_COOKIE, language, max_age=31_536_000, secure=True, samesite="lax")
        return response

    def static(self, version: str, name: str, request: Request) -> Response:
        found = self._files.get(name)
        if found is None or version != self.version:
            return Response(status_code=404, headers=dict(HEADERS))
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {**HEADERS, **_FOREVER, **({"Content-Encoding": "gzip"} if zipped else {})}
        return Response(found.zipped if zipped else found.content, media_type=found.media_type, headers=headers)


def moment(instant: int) -> str:
    """Seconds since 1970-01-01 UTC, for people."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M UTC")
