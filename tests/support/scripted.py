"""A platform taken over by an attacker, as a wallet meets it: real HTTPS and certificates, answers as a test says."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from xinyidai.catalogue import builtin_catalogue

from clients.dev.deployment import ENCLAVE_ID, Deployment

Answer = Callable[[dict[str, str]], Any]
"""From the query to what is sent as JSON."""


class ScriptedPlatform:
    """`answers`: by path. Use as a context manager."""

    def __init__(self, deployment: Deployment) -> None:
        catalogue = builtin_catalogue()
        directory = {"banks": [{"id": "bank-a", "certificate_thumbprint": "A" * 43}]}
        document = {"digest": catalogue.digest, "document": json.loads(catalogue.canonical)}
        self.answers: dict[str, Answer] = {
            "/v1/enclaves": lambda _: {"enclaves": [{"id": ENCLAVE_ID}]},
            "/v1/catalogue": lambda _: document,
            "/v1/banks": lambda _: directory,
        }
        self.asked: list[str] = []
        """Paths, in the order they were asked for."""
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                scripted.asked.append(url.path)
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                body = json.dumps(scripted.answers[url.path](query)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Not on the console of the tests."""

        folder = deployment.root / "server"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ScriptedPlatform":
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
