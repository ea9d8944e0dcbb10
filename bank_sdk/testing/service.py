"""The in-memory service as an object: start it, grant, connect, look at what was charged."""

import json
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
from xinyidai.authorization import BY_CATEGORY_PRECISION, Authorization, Disclosure, authorization_digest
from xinyidai.catalogue import Catalogue, CellKind, builtin_catalogue
from xinyidai.files import write_whole
from xinyidai.identifiers import IdentifierError, parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role, TrustAnchor, thumbprint
from xinyidai.notice import notice_hash
from xinyidai.purposes import DAY_SECONDS, PURPOSES
from xinyidai.reasons import Reason
from xinyidai.signing import SigningKey
from xinyidai.v1 import bank_pb2_grpc

from bank_sdk.client import BankClient
from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import InputError
from bank_sdk.fit.codes import codes_of
from bank_sdk.keys import KeyStore
from bank_sdk.sync import BankClientSync
from bank_sdk.testing.authority import ThrowawayAuthority
from bank_sdk.testing.servicer import Charge, Grant, InMemoryServicer

PASSPHRASE: Final = "of a test"  # noqa: S105 - protects nothing
"""Of key stores that `client` makes."""
_ENCLAVE: Final = parse_enclave_id("in-memory")
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_THREADS: Final = 8


class InMemoryService:
    """Use as `with InMemoryService() as service:`. See the package for what it is and what it is not.

    `catalogue`: by default the 21 categories. `answer_seconds`: how long each signed request takes to answer.
    """

    def __init__(
        self, catalogue: Catalogue | None = None, *, bank: str = "test-bank", answer_seconds: float = 0.0
    ) -> None:
        self.catalogue = catalogue or builtin_catalogue()
        banks, enclaves, self._servers = (ThrowawayAuthority(r) for r in (Role.BANK, Role.ENCLAVE, Role.SERVER))
        self._bank_pem, self._enclave_pem = banks.pem, enclaves.pem
        self._bank_id = parse_bank_id(bank)
        self._bank = banks.issue(bank)
        self._enterprise_key = SigningKey.generate()
        as_of = date.today().replace(day=1) - timedelta(days=1)
        anchor = TrustAnchor.from_pem(Role.BANK, banks.pem)
        key = enclaves.issue(_ENCLAVE).signing_key()
        self._servicer = InMemoryServicer(self.catalogue, _ENCLAVE, key, anchor, as_of.isoformat(), answer_seconds)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: Any = None
        self.address = ""
        """host:port once it is started."""

    def __enter__(self) -> "InMemoryService":
        # Threads and not asyncio: a client in the same process has an event loop of its own, and gRPC's asyncio layer
        # does not serve two loops of one process quietly.
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="xinyidai-in-memory")
        self._server = grpc.server(pool, options=[("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)])
        bank_pb2_grpc.add_BankServiceServicer_to_server(self._servicer, self._server)  # type: ignore[no-untyped-call]
        own = self._servers.issue("in-memory", ("localhost", "127.0.0.1"))
        pair = [(own.key_pem, own.certificate_pem)]
        credentials = grpc.ssl_server_credentials(pair, self._bank_pem, require_client_auth=True)
        self.address = f"localhost:{self._server.add_secure_port('localhost:0', credentials)}"
        self._folder = tempfile.TemporaryDirectory(prefix="xinyidai-in-memory-")
        self._server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.stop(None).wait()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def charges(self) -> tuple[Charge, ...]:
        """Every assessment that was evaluated anew, in order; repeats are not among them."""
        return tuple(self._servicer.charges)

    def grant(
        self,
        enterprise: str,
        values: Mapping[str, float | CellKind | None] | None = None,
        *,
        cells: Sequence[int] | None = None,
        categories: Sequence[str] | None = None,
        disclosure: str = "total",
        precision_points: int | None = None,
        max_assessments: int = 10,
        days: int = 30,
    ) -> str:
        """An authorization by an enterprise with these records; returns its token (compact JWS).

        `values`: by feature code, in the catalogue's unit, or the kind of a cell that is no value; features left out
        are missing. Or `cells`: one index a feature of the catalogue, in its order. `categories`: all by default.
        Raises `InputError` or `UnknownFeature`.
        """
        row = self._row(values or {}) if cells is None else self._cells(cells)
        shown = Disclosure(disclosure)
        coarse = BY_CATEGORY_PRECISION if shown is Disclosure.BY_CATEGORY else 0
        now = int(time.time())
        chosen = [c.code for c in self.catalogue.categories if categories is None or c.code in categories]
        try:
            uscc = parse_uscc(enterprise)
        except IdentifierError as error:
            raise InputError(str(error)) from error
        terms = Authorization(
            enterprise=uscc,
            enclaves=(_ENCLAVE,),
            authorization_id=secrets.token_urlsafe(24),
            issued_at=now,
            not_before=now,
            expires_at=now + days * DAY_SECONDS,
            bank=self._bank_id,
            bank_certificate=thumbprint(self._bank.certificate),
            notice_hash="",
            categories=tuple(chosen),
            purpose="loan_origination",
            purpose_version=PURPOSES["loan_origination"].version,
            disclosure=shown,
            precision_points=coarse if precision_points is None else precision_points,
            max_assessments=max_assessments,
            catalogue=self.catalogue.reference,
            catalogue_digest=self.catalogue.digest,
        )
        terms = replace(terms, notice_hash=notice_hash(terms, self.catalogue))
        token = terms.sign(self._enterprise_key)
        self._servicer.grants[authorization_digest(token)] = Grant(token, terms, row)
        return token

    def set_state(self, enterprise: str, state: str) -> None:
        """Every authorization of the enterprise becomes "active", "paused" or "revoked"."""
        if state not in ("active", "paused", "revoked"):
            raise InputError("a state is active, paused or revoked")
        for grant in self._servicer.grants.values():
            if grant.terms.enterprise == enterprise:
                grant.state = state

    def refuse_next(self, reason: Reason, times: int = 1) -> None:
        """The next calls fail with this reason, to see what the bank's program does then."""
        self._servicer.failures.extend([reason] * times)

    def credentials(self) -> BankCredentials:
        channel = grpc.ssl_channel_credentials(self._servers.pem, self._bank.key_pem, self._bank.certificate_pem)
        anchor = TrustAnchor.from_pem(Role.ENCLAVE, self._enclave_pem)
        return BankCredentials(self._bank.signing_key(), channel, anchor, self._bank_id)

    def client(self, key_store: KeyStore | None = None, *, timeout: float = 10.0) -> BankClientSync:
        """A real client, connected. Without a key store it gets one of its own, gone with the service."""
        store = key_store or self._own_store()
        return BankClientSync.connect(self.address, self.credentials(), [_ENCLAVE], key_store=store, timeout=timeout)

    async def connect(self, key_store: KeyStore | None = None, *, timeout: float = 10.0) -> BankClient:
        """The same for the asynchronous client."""
        store = key_store or self._own_store()
        return await BankClient.connect(self.address, self.credentials(), [_ENCLAVE], key_store=store, timeout=timeout)

    def write_profile(self, folder: str | Path) -> Path:
        """The bank's files and a profile for `xyd-bank` in `folder`; returns the profile's path."""
        home = Path(folder)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = {
            "bank.pem": self._bank.certificate_pem,
            "bank.key": self._bank.key_pem,
            "service.pem": self._servers.pem,
            "enclave.pem": self._enclave_pem,
        }
        for name, content in files.items():
            write_whole(home / name, content)
        profile = {
            "address": self.address,
            "certificate": "bank.pem",
            "key": "bank.key",
            "service_ca": "service.pem",
            "enclave_ca": "enclave.pem",
            "key_store": "keys",
        }
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in profile.items()]
        path = home / "xyd-bank.toml"
        write_whole(path, "".join([*lines, f'enclaves = ["{_ENCLAVE}"]\n']).encode())
        return path

    def _own_store(self) -> KeyStore:
        if self._folder is None:
            raise InputError("the service is not started; use it in a with statement")
        return KeyStore(Path(tempfile.mkdtemp(dir=self._folder.name)), PASSPHRASE)

    def _row(self, values: Mapping[str, float | CellKind | None]) -> Any:
        known = codes_of({code: [value] for code, value in values.items()}, self.catalogue)
        features = self.catalogue.features
        return np.array([int(known[f.code][0]) if f.code in known else f.missing for f in features], np.int64)

    def _cells(self, cells: Sequence[int]) -> Any:
        features = self.catalogue.features
        fits = len(cells) == len(features)
        if not fits or any(not 0 <= cell < len(f.cells) for cell, f in zip(cells, features, strict=True)):
            raise InputError(f"give {len(features)} cells, one within each feature of the catalogue")
        return np.array(cells, np.int64)
