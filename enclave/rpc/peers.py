"""On TCP, who may call: the platform's server, by the role in its certificate. TLS has checked the chain."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, Final

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
    """Refuses every call of a peer whose certificate has another role, whatever the method takes and returns."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        for kind, guard, make in _KINDS:
            if (method := getattr(handler, kind)) is not None:
                return make(guard(method), handler.request_deserializer, handler.response_serializer)
        raise TypeError("a method of no kind gRPC knows")


def _guarded(method: Any) -> Any:
    async def call(request: Any, context: Any) -> Any:
        return await (method(request, context) if _is_server(context) else _refuse(request, context))

    return call


def _guarded_stream(method: Any) -> Any:
    async def call(request: Any, context: Any) -> None:
        if not _is_server(context):
            await _refuse(request, context)
        answers = method(request, context)
        if isawaitable(answers):
            # It writes its answers itself.
            await answers
            return
        async with aclosing(answers):
            async for response in answers:
                await context.write(response)

    return call


_KINDS: Final = (
    ("unary_unary", _guarded, grpc.unary_unary_rpc_method_handler),
    ("stream_unary", _guarded, grpc.stream_unary_rpc_method_handler),
    ("unary_stream", _guarded_stream, grpc.unary_stream_rpc_method_handler),
    ("stream_stream", _guarded_stream, grpc.stream_stream_rpc_method_handler),
)
"""A handler bears its method under the name of its kind; whether it answers with a stream decides how it is guarded."""
