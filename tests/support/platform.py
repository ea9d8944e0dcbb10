"""A server process in front of a bare enclave, and what its callers hold: banks' channels, an HTTPS client."""

import sqlite3
import ssl
from typing import Any

import grpc
import httpx
import numpy as np
from xinyidai.framing import FrameKind, encode_seeded
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.seal import SecretKey
from xinyidai.v1 import bank_pb2_grpc, model_pb2

from clients.dev.deployment import Deployment
from server.commands import add_bank
from server.db import migrate
from server.settings import ServerSettings, load_settings
from tests.support.bare import BareEnclave
from tests.support.parties import RawBank, RawEnterprise, RawModel, random_points, uscc_number


def bank_credentials(deployment: Deployment, bank_id: str) -> grpc.ChannelCredentials:
    folder = deployment.bank(bank_id)
    return grpc.ssl_channel_credentials(
        deployment.anchor("platform").read_bytes(),
        (folder / "bank.key").read_bytes(),
        (folder / "bank.pem").read_bytes(),
    )


def audit_rows(settings: ServerSettings) -> list[dict[str, Any]]:
    """Everything noted so far, oldest first, read past the server's own code."""
    path = settings.database_url.get_secret_value().removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM audit_event ORDER BY event_id")]
    finally:
        connection.close()


class PlatformUnderTest:
    def __init__(self, bare: BareEnclave) -> None:
        self.bare = bare
        self.settings = load_settings(bare.deployment.server_config)
        migrate(self.settings.database_url.get_secret_value())
        add_bank(self.settings, "bank-a", "甲银行", "Bank A", bare.deployment.bank("bank-a") / "bank.pem")
        words = dict(word.split("=", 1) for word in bare.system.server.start())
        self.grpc_address, self.rest_url = words["grpc"], words["rest"]
        self._channels: list[grpc.Channel] = []
        context = ssl.create_default_context(cafile=str(bare.deployment.anchor("platform")))
        self.http = httpx.Client(base_url=self.rest_url, verify=context, timeout=15, trust_env=False)

    def bank_stub(self, bank_id: str = "bank-a") -> bank_pb2_grpc.BankServiceStub:
        return bank_pb2_grpc.BankServiceStub(self.channel(bank_id))  # type: ignore[no-untyped-call]

    def channel(self, bank_id: str) -> grpc.Channel:
        channel = grpc.secure_channel(self.grpc_address, bank_credentials(self.bare.deployment, bank_id))
        self._channels.append(channel)
        return channel

    def enterprise(self, number: int) -> RawEnterprise:
        """With a key registered through the platform."""
        made = RawEnterprise(self.bare.deployment, uscc_number(number))
        answer = self.http.post("/v1/keys", json={"registration": made.registration()})
        answer.raise_for_status()
        return made

    def grant(self, enterprise: RawEnterprise, bank: RawBank | None = None) -> str:
        """An authorization submitted through the platform; its digest."""
        token = enterprise.terms(bank or self.bare.bank).sign(enterprise.key)
        answer = self.http.post("/v1/authorizations", json={"authorization": token})
        answer.raise_for_status()
        return str(answer.json()["digest"])

    def register_model(self, seed: int = 0) -> RawModel:
        """A model of bank-a, registered through the platform."""
        points = random_points(self.bare.catalogue, np.random.default_rng(seed))
        secret = SecretKey.generate(LINEAR_4096_T1024)
        weights = encode_seeded(secret.encrypt_weights(points), FrameKind.WEIGHTS)
        zero = encode_seeded(secret.encrypt_zero(), FrameKind.ZERO)
        registration = self.bare.bank.registration(weights, zero, self.bare.catalogue)
        answer = self.bank_stub().RegisterModel(
            model_pb2.RegisterModelRequest(registration=registration, weights=weights, zero=zero)
        )
        return RawModel(secret, points, weights, zero, answer.model_id)

    def audit(self) -> list[dict[str, Any]]:
        return audit_rows(self.settings)

    def close(self) -> None:
        self.http.close()
        for channel in self._channels:
            channel.close()
        self.bare.system.server.stop()
