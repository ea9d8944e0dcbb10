"""Typed errors over gRPC: google.rpc.Status in the trailing metadata, with an ErrorInfo that names the reason."""

from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from xinyidai.reasons import DOMAIN, STATUS_NAMES, Reason

_KEY: Final = "grpc-status-details-bin"
_RETRYABLE: Final = frozenset({Reason.ENCLAVE_UNAVAILABLE, Reason.OVERLOADED})
_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class WireError:
    """An error as it travels."""

    reason: Reason
    message: str

    @property
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode[STATUS_NAMES[self.reason]]

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        details = [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)]
        if self.reason in _RETRYABLE:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.seconds = _RETRY_SECONDS
            details.append(retry)
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return ((_KEY, status.SerializeToString()),)


def read_error(error: grpc.RpcError) -> WireError | None:
    """The typed error inside an RPC error of either client flavour; None when the other side sent none."""
    metadata = error.trailing_metadata() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    for key, value in metadata or ():
        if key != _KEY:
            continue
        try:
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == DOMAIN:
                    return WireError(Reason(info.reason), status.message)
        except (DecodeError, ValueError):
            return None
    return None
