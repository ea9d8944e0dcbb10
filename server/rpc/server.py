"""The gRPC server: mutual TLS, health, reflection."""

from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from xinyidai.v1 import (
    alerts_pb2,
    alerts_pb2_grpc,
    bank_pb2,
    bank_pb2_grpc,
    loan_pb2,
    loan_pb2_grpc,
    market_pb2,
    market_pb2_grpc,
    whitelist_pb2,
    whitelist_pb2_grpc,
)

from server.rpc.loans import LoanServicer
from server.rpc.market import MarketServicer
from server.rpc.outreach import AlertServicer, WhiteListServicer
from server.rpc.servicer import BankServicer
from server.settings import ServerSettings

_MAX_RECEIVE: Final = 256 * 1024
_SERVICES: Final = (
    bank_pb2.DESCRIPTOR.services_by_name["BankService"].full_name,
    market_pb2.DESCRIPTOR.services_by_name["MarketService"].full_name,
    whitelist_pb2.DESCRIPTOR.services_by_name["WhiteListService"].full_name,
    alerts_pb2.DESCRIPTOR.services_by_name["AlertService"].full_name,
    loan_pb2.DESCRIPTOR.services_by_name["LoanService"].full_name,
)


@dataclass(frozen=True, slots=True, eq=False)
class BankEdge:
    server: grpc.aio.Server
    health: Any
    address: str
    """<host>:<port> it is bound to."""

    async def start(self) -> None:
        await self.server.start()
        for name in ("", *_SERVICES):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Say so first, then let calls at work finish."""
        await self.health.enter_graceful_shutdown()
        await self.server.stop(grace_seconds)


def build_bank_edge(
    settings: ServerSettings,
    servicer: BankServicer,
    market: MarketServicer,
    lists: WhiteListServicer,
    alerts: AlertServicer,
    loans: LoanServicer,
) -> BankEdge:
    """Raises `OSError` for unreadable files, `RuntimeError` when the address is taken."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _MAX_RECEIVE),
            # Two servers on one port would split the banks between them without a word.
            ("grpc.so_reuseport", 0),
            # Who connects and says nothing does not stay.
            ("grpc.server_handshake_timeout_ms", 10_000),
            ("grpc.max_connection_idle_ms", 600_000),
        ]
    )
    bank_pb2_grpc.add_BankServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    market_pb2_grpc.add_MarketServiceServicer_to_server(market, server)  # type: ignore[no-untyped-call]
    whitelist_pb2_grpc.add_WhiteListServiceServicer_to_server(lists, server)  # type: ignore[no-untyped-call]
    alerts_pb2_grpc.add_AlertServiceServicer_to_server(alerts, server)  # type: ignore[no-untyped-call]
    loan_pb2_grpc.add_LoanServiceServicer_to_server(loans, server)  # type: ignore[no-untyped-call]
    probe = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    reflection.enable_server_reflection((*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    credentials = grpc.ssl_server_credentials(
        [(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())],
        root_certificates=settings.banks_ca.read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port(settings.grpc_listen, credentials)
    return BankEdge(server, probe, f"{settings.grpc_listen.rpartition(':')[0]}:{port}")
