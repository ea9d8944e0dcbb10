"""Who may open a page: sessions from the cookie, roles, and that a change was asked for by a page of ours."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from server.accounts.desk import AccountDesk, Caller
from server.accounts.errors import NotAllowed, SessionMissing
from server.accounts.limits import RateLimiter
from server.accounts.models import AccountRole
from server.accounts.sessions import Principal, check_csrf

COOKIE: Final = "__Host-xyd-session"
"""The prefix makes browsers refuse it without Secure, with a Domain, or for another path than / (RFC 6265bis)."""
CSRF_HEADER: Final = "x-csrf-token"
_SAFE: Final = frozenset({"GET", "HEAD"})
_MAX_TOKEN: Final = 128
_STAFF: Final = frozenset({AccountRole.OPERATOR, AccountRole.DEPARTMENT})
Session = Callable[[Request], Awaitable[Principal]]


class Elsewhere(Exception):
    """A person is sent to another page, rather than told of an error."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def go_elsewhere(_: Request, error: Exception) -> Response:
    return RedirectResponse(error.path if isinstance(error, Elsewhere) else "/portal", 303)


class Guard:
    """Its methods make dependencies of FastAPI."""

    def __init__(self, accounts: AccountDesk, limiter: RateLimiter) -> None:
        self.accounts = accounts
        self._limiter = limiter

    def caller(self, request: Request) -> Caller:
        token = request.cookies.get(COOKIE)
        address = request.client.host if request.client else ""
        return Caller(address[:64], token[:_MAX_TOKEN] if token else None)

    def throttle(self, request: Request, account: str = "") -> None:
        """For what signs in. Raises `RateLimited`."""
        self._limiter.take(f"address {self.caller(request).address}")
        if account:
            self._limiter.take(f"account {account}")

    async def from_here(self, request: Request) -> None:
        """A dependency: only a page of this site may ask. Browsers always send Origin with what changes something.
        Raises `NotAllowed`."""
        if request.headers.get("origin") != self.accounts.site.origin:
            raise NotAllowed("请从本站页面操作 / act from a page of this site")

    async def principal(self, request: Request) -> Principal:
        """Raises `SessionMissing`."""
        token = self.caller(request).token
        if token is None:
            raise SessionMissing
        return await self.accounts.principal(token)

    def require_session(self, *roles: AccountRole) -> Session:
        """A dependency: the account that is signed in, of one of these roles. What changes something must come from a
        page of ours and carry the session's form token. It raises `SessionMissing`, `NotAllowed`."""

        async def dependency(request: Request) -> Principal:
            found = await self.principal(request)
            if found.role not in roles:
                raise NotAllowed
            if request.method not in _SAFE:
                await self.from_here(request)
                check_csrf(found, request.headers.get(CSRF_HEADER, ""))
            return found

        return dependency

    def require_page(self, *roles: AccountRole) -> Session:
        """The same for a page: who is not signed in is sent to where one signs in."""
        checked = self.require_session(*roles)
        sign_in = "/operator/sign-in" if _STAFF & set(roles) else "/portal/sign-in"

        async def dependency(request: Request) -> Principal:
            try:
                return await checked(request)
            except (SessionMissing, NotAllowed) as error:
                raise Elsewhere(sign_in) from error

        return dependency

    def audited(self, *roles: AccountRole) -> Session:
        """The same as `require_page`, and the reading is noted before the page is made."""
        checked = self.require_page(*roles)

        async def dependency(request: Request) -> Principal:
            found = await checked(request)
            await self.accounts.note_read(found, request.url.path, self.caller(request).address)
            return found

        return dependency


def keep_cookie(response: Response, token: str, seconds: int) -> None:
    response.set_cookie(COOKIE, token, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")


def drop_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
