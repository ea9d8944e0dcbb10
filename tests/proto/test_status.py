"""Errors on the wire: every reason has a status code, and a typed error survives the trip."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from xinyidai.reasons import DOMAIN, STATUS_NAMES, Reason
from xinyidai.status import WireError, read_error

KEY = "grpc-status-details-bin"


def rpc_error(*metadata: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata))


def test_every_reason_has_a_status_code_and_no_code_is_spare() -> None:
    assert set(STATUS_NAMES) == set(Reason)
    for name in STATUS_NAMES.values():
        assert isinstance(grpc.StatusCode[name], grpc.StatusCode)


@pytest.mark.parametrize("reason", Reason)
def test_a_typed_error_survives_the_trip(reason: Reason) -> None:
    sent = WireError(reason, "what to do about it / 怎么办")
    assert read_error(rpc_error(*sent.trailing_metadata())) == sent
    status = status_pb2.Status.FromString(sent.trailing_metadata()[0][1])
    assert status.code == sent.code.value[0]


def test_only_what_may_be_retried_says_so() -> None:
    retry = error_details_pb2.RetryInfo.DESCRIPTOR.full_name
    for reason in Reason:
        status = status_pb2.Status.FromString(WireError(reason, "").trailing_metadata()[0][1])
        told = any(detail.type_url.endswith(retry) for detail in status.details)
        assert told == (reason in (Reason.ENCLAVE_UNAVAILABLE, Reason.OVERLOADED))


def foreign(reason: str, domain: str) -> bytes:
    status = status_pb2.Status(code=3, message="m")
    packed = AnyMessage()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain))
    status.details.append(packed)
    raw: bytes = status.SerializeToString()
    return raw


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff\xff\xff", foreign("OVERLOADED", "other.example"), foreign("REASON_OF_A_LATER_RELEASE", DOMAIN)],
    ids=["empty", "no protobuf", "another domain", "unknown reason"],
)
def test_anything_else_is_no_typed_error_and_never_raises(value: bytes) -> None:
    assert read_error(rpc_error((KEY, value))) is None
    assert read_error(rpc_error(("other-bin", value))) is None
    assert read_error(grpc.RpcError()) is None
