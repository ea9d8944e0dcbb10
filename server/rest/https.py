"""Uvicorn on a socket of ours, with the process's signals left to the process."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from server.settings import ServerSettings

_BACKLOG: Final = 512
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; the default of uvicorn prefers older ones."""
_POLL_SECONDS: Final = 0.01
_NOTICED_SECONDS: Final = 0.25
"""Uvicorn looks ten times a second whether it shall stop, and then refuses new connections."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The composition root stops both edges together."""
        yield


def bind_rest(settings: ServerSettings) -> socket.socket:
    """Raises `OSError` for a taken address."""
    host, _, port = settings.rest_listen.rpartition(":")
    plain = host.strip("[]")
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    return socket.create_server((plain, int(port)), family=family, backlog=_BACKLOG)


class RestEdge:
    """HTTPS with the server's certificate."""

    def __init__(self, settings: ServerSettings, app: ASGIApp, bound: socket.socket) -> None:
        """Raises `OSError` for unreadable files."""
        self._stop_seconds = settings.stop_seconds
        host = settings.rest_listen.rpartition(":")[0]
        config = uvicorn.Config(
            app,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            ssl_ciphers=_CIPHERS,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        )
        config.load()
        if config.ssl is None:
            raise OSError("TLS is not configured")
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        self._server = _Server(config)
        self._socket = bound
        self.url = f"https://{host}:{self._socket.getsockname()[1]}"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it accepts connections."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError("the REST server did not start")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Let requests at work finish, for as long as the settings say; idle connections are cut."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.sleep(_NOTICED_SECONDS)
            state = self._server.server_state
            if state.tasks:
                await asyncio.wait(set(state.tasks), timeout=self._stop_seconds)
            # What is left is idle; an idle client does not answer the farewell of TLS, and nobody shall wait for it.
            for connection in list(state.connections):
                connection.transport.abort()
            await self._task
        self._socket.close()
