from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SubscribeRequest(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: str
    def __init__(self, subscription: _Optional[str] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("bank_id", "subscribed")
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    bank_id: str
    subscribed: bool
    def __init__(self, bank_id: _Optional[str] = ..., subscribed: bool = ...) -> None: ...

class GetWhiteListRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamWhiteListsRequest(_message.Message):
    __slots__ = ("above",)
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    above: int
    def __init__(self, above: _Optional[int] = ...) -> None: ...

class SealedWhiteList(_message.Message):
    __slots__ = ("version", "parts", "made_at", "expires_at")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    version: int
    parts: _containers.RepeatedScalarFieldContainer[str]
    made_at: int
    expires_at: int
    def __init__(self, version: _Optional[int] = ..., parts: _Optional[_Iterable[str]] = ..., made_at: _Optional[int] = ..., expires_at: _Optional[int] = ...) -> None: ...

class SubmitWhiteListStatementRequest(_message.Message):
    __slots__ = ("statement",)
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    statement: str
    def __init__(self, statement: _Optional[str] = ...) -> None: ...

class SubmitWhiteListStatementResponse(_message.Message):
    __slots__ = ("confirmation",)
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    confirmation: str
    def __init__(self, confirmation: _Optional[str] = ...) -> None: ...

class SubmitDemandRequest(_message.Message):
    __slots__ = ("demand",)
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    demand: str
    def __init__(self, demand: _Optional[str] = ...) -> None: ...

class SubmitDemandResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MakeWhiteListRequest(_message.Message):
    __slots__ = ("bank_id",)
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    bank_id: str
    def __init__(self, bank_id: _Optional[str] = ...) -> None: ...

class GetDisclosuresRequest(_message.Message):
    __slots__ = ("access", "page_size", "page_token")
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access: str
    page_size: int
    page_token: str
    def __init__(self, access: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetDisclosuresResponse(_message.Message):
    __slots__ = ("receipts", "next_page_token")
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, receipts: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
