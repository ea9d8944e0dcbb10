"""Errors as RFC 9457 problem details, by one table from the reason to the HTTP status."""

from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse
from xinyidai.reasons import STATUS_NAMES, Reason

MEDIA_TYPE: Final = "application/problem+json"
# The HTTP counterparts of the gRPC codes are those of google.rpc.Code.
_BY_CODE: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
HTTP_STATUS: Final = MappingProxyType(
    {reason: _BY_CODE[code] for reason, code in STATUS_NAMES.items()} | {Reason.REQUEST_TOO_LARGE: 413}
)
_SCHEMES: Final = {Reason.SESSION_REQUIRED: "Session", Reason.SIGN_IN_FAILED: "Session"}
"""The scheme a 401 names (RFC 9110, 11.6.1) where it is not the enterprise's signed access."""
_TITLES: Final = {
    400: "请求有误 / The request is not acceptable",
    401: "签名或证书未通过验证 / The signature or certificate does not verify",
    403: "不允许 / Not allowed",
    404: "未找到 / Not found",
    405: "不支持该方法 / This method is not supported here",
    409: "与已有内容冲突 / It conflicts with what is already there",
    413: "请求过大 / The request is too large",
    429: "额度已用完 / The allowance is used up",
    500: "平台内部错误 / The platform failed",
    503: "暂时无法服务,请稍后重试 / Unavailable for the moment; try again",
}


class Problem(BaseModel):
    """RFC 9457, with one member more: `reason`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:xinyidai:reason:KEY_NOT_REGISTERED",
                "title": _TITLES[403],
                "status": 403,
                "detail": "register the enterprise's key first",
                "reason": "KEY_NOT_REGISTERED",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    reason: str


def problem(reason: Reason, detail: str, status: int | None = None, retry_after: int | None = None) -> JSONResponse:
    """`status` only for what HTTP itself refuses (no such path, no such method); `retry_after` in seconds."""
    status = status or HTTP_STATUS[reason]
    headers: dict[str, str] = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status == 401:
        headers["WWW-Authenticate"] = _SCHEMES.get(reason, "Access")
    if status == 503:
        headers["Retry-After"] = "1"
    body: dict[str, Any] = {
        "type": f"urn:xinyidai:reason:{reason}",
        "title": _TITLES.get(status, _TITLES[400]),
        "status": status,
        "detail": detail,
        "reason": str(reason),
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)
