"""On TCP, who may call: the platform's server, by the role in its certificate. TLS has checked the chain."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from cryptography import x509
from xinyidai.identity import CertificateInvalid, Role, identity_of
from xinyidai.reasons import Reason
from xinyidai.status import WireError

_REFUSAL = WireError(Reason.CERTIFICATE_INVALID, "only the platform's server may call here")


async def _refuse(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
    await context.abort(_REFUSAL.code, _REFUSAL.message, _REFUSAL.trailing_metadata())


def _is_server(context: grpc.aio.ServicerContext[Any, Any]) -> bool:
    for pem in context.auth_context().get("x509_pem_cert", ()):
        try:
            return identity_of(x509.load_pem_x509_certificate(pem)).role is Role.SERVER
        except (CertificateInvalid, ValueError):
            return False
    return False


class OnlyTheServer(grpc.aio.ServerInterceptor):
    """Refuses every call of a peer whose certificate has another role."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(details)
        if handler is None or handler.stream_stream is not None:
            return handler and grpc.stream_stream_rpc_method_handler(
                _guarded_stream(handler.stream_stream), handler.request_deserializer, handler.response_serializer
            )
        return handler.unary_unary and grpc.unary_unary_rpc_method_handler(
            _guarded(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )


def _guarded(method: Any) -> Any:
    async def call(request: Any, context: Any) -> Any:
        return await (method(request, context) if _is_server(context) else _refuse(request, context))

    return call


def _guarded_stream(method: Any) -> Any:
    async def call(requests: Any, context: Any) -> Any:
        if not _is_server(context):
            await _refuse(requests, context)
        async for response in method(requests, context):
            yield response

    return call
