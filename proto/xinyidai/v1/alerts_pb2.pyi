from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetWatchRequest(_message.Message):
    __slots__ = ("watch",)
    WATCH_FIELD_NUMBER: _ClassVar[int]
    watch: str
    def __init__(self, watch: _Optional[str] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("authorization", "enterprise", "state", "reason", "alerts", "checked_at")
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    CHECKED_AT_FIELD_NUMBER: _ClassVar[int]
    authorization: str
    enterprise: str
    state: str
    reason: str
    alerts: int
    checked_at: int
    def __init__(self, authorization: _Optional[str] = ..., enterprise: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., alerts: _Optional[int] = ..., checked_at: _Optional[int] = ...) -> None: ...

class ListWatchesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListWatchesOfRequest(_message.Message):
    __slots__ = ("bank_id",)
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    bank_id: str
    def __init__(self, bank_id: _Optional[str] = ...) -> None: ...

class ListWatchesResponse(_message.Message):
    __slots__ = ("watches",)
    WATCHES_FIELD_NUMBER: _ClassVar[int]
    watches: _containers.RepeatedCompositeFieldContainer[Watch]
    def __init__(self, watches: _Optional[_Iterable[_Union[Watch, _Mapping]]] = ...) -> None: ...

class SealedAlert(_message.Message):
    __slots__ = ("alert_id", "authorization", "sealed", "made_at")
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    authorization: str
    sealed: str
    made_at: int
    def __init__(self, alert_id: _Optional[str] = ..., authorization: _Optional[str] = ..., sealed: _Optional[str] = ..., made_at: _Optional[int] = ...) -> None: ...

class GetAlertsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAlertsResponse(_message.Message):
    __slots__ = ("alerts",)
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[SealedAlert]
    def __init__(self, alerts: _Optional[_Iterable[_Union[SealedAlert, _Mapping]]] = ...) -> None: ...

class StreamAlertsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AckAlertsRequest(_message.Message):
    __slots__ = ("alert_ids",)
    ALERT_IDS_FIELD_NUMBER: _ClassVar[int]
    alert_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, alert_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AckAlertsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TakeAlertsRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: int
    def __init__(self, after: _Optional[int] = ...) -> None: ...

class TakenAlert(_message.Message):
    __slots__ = ("number", "bank_id", "enterprise", "alert")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    number: int
    bank_id: str
    enterprise: str
    alert: SealedAlert
    def __init__(self, number: _Optional[int] = ..., bank_id: _Optional[str] = ..., enterprise: _Optional[str] = ..., alert: _Optional[_Union[SealedAlert, _Mapping]] = ...) -> None: ...

class TakeAlertsResponse(_message.Message):
    __slots__ = ("alerts",)
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[TakenAlert]
    def __init__(self, alerts: _Optional[_Iterable[_Union[TakenAlert, _Mapping]]] = ...) -> None: ...
