from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BatchState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BATCH_STATE_UNSPECIFIED: _ClassVar[BatchState]
    BATCH_STATE_RECEIVING: _ClassVar[BatchState]
    BATCH_STATE_COMMITTED: _ClassVar[BatchState]
BATCH_STATE_UNSPECIFIED: BatchState
BATCH_STATE_RECEIVING: BatchState
BATCH_STATE_COMMITTED: BatchState

class UploadRequest(_message.Message):
    __slots__ = ("start", "chunk")
    START_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    start: UploadStart
    chunk: bytes
    def __init__(self, start: _Optional[_Union[UploadStart, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadStart(_message.Message):
    __slots__ = ("header", "offset")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    header: str
    offset: int
    def __init__(self, header: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class UploadResponse(_message.Message):
    __slots__ = ("received",)
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    received: int
    def __init__(self, received: _Optional[int] = ...) -> None: ...

class CommitBatchRequest(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: str
    def __init__(self, batch: _Optional[str] = ...) -> None: ...

class CommitBatchResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: BatchReport
    def __init__(self, report: _Optional[_Union[BatchReport, _Mapping]] = ...) -> None: ...

class GetBatchRequest(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: str
    def __init__(self, batch: _Optional[str] = ...) -> None: ...

class GetBatchResponse(_message.Message):
    __slots__ = ("state", "received", "digest", "report")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    state: BatchState
    received: int
    digest: str
    report: BatchReport
    def __init__(self, state: _Optional[_Union[BatchState, str]] = ..., received: _Optional[int] = ..., digest: _Optional[str] = ..., report: _Optional[_Union[BatchReport, _Mapping]] = ...) -> None: ...

class BatchReport(_message.Message):
    __slots__ = ("batch", "category", "rows", "taken", "duplicated", "waiting", "quarantined", "faults", "committed_at")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    DUPLICATED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    batch: str
    category: str
    rows: int
    taken: int
    duplicated: int
    waiting: int
    quarantined: int
    faults: _containers.RepeatedCompositeFieldContainer[FaultCount]
    committed_at: int
    def __init__(self, batch: _Optional[str] = ..., category: _Optional[str] = ..., rows: _Optional[int] = ..., taken: _Optional[int] = ..., duplicated: _Optional[int] = ..., waiting: _Optional[int] = ..., quarantined: _Optional[int] = ..., faults: _Optional[_Iterable[_Union[FaultCount, _Mapping]]] = ..., committed_at: _Optional[int] = ...) -> None: ...

class FaultCount(_message.Message):
    __slots__ = ("fault", "column", "rows")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    fault: str
    column: str
    rows: int
    def __init__(self, fault: _Optional[str] = ..., column: _Optional[str] = ..., rows: _Optional[int] = ...) -> None: ...

class ListQuarantinedRequest(_message.Message):
    __slots__ = ("batch", "after_line", "page_size")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_LINE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    batch: str
    after_line: int
    page_size: int
    def __init__(self, batch: _Optional[str] = ..., after_line: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListQuarantinedResponse(_message.Message):
    __slots__ = ("rows", "next_after_line")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_LINE_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[QuarantinedRow]
    next_after_line: int
    def __init__(self, rows: _Optional[_Iterable[_Union[QuarantinedRow, _Mapping]]] = ..., next_after_line: _Optional[int] = ...) -> None: ...

class QuarantinedRow(_message.Message):
    __slots__ = ("line", "fault", "column")
    LINE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    line: int
    fault: str
    column: str
    def __init__(self, line: _Optional[int] = ..., fault: _Optional[str] = ..., column: _Optional[str] = ...) -> None: ...

class ListObjectionsRequest(_message.Message):
    __slots__ = ("all", "after", "page_size")
    ALL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    all: bool
    after: int
    page_size: int
    def __init__(self, all: bool = ..., after: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListObjectionsResponse(_message.Message):
    __slots__ = ("objections", "next_after")
    OBJECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_FIELD_NUMBER: _ClassVar[int]
    objections: _containers.RepeatedCompositeFieldContainer[ObjectionItem]
    next_after: int
    def __init__(self, objections: _Optional[_Iterable[_Union[ObjectionItem, _Mapping]]] = ..., next_after: _Optional[int] = ...) -> None: ...

class ObjectionItem(_message.Message):
    __slots__ = ("objection_id", "enterprise", "category", "record_id", "kind", "text", "evidence", "state", "opened_at", "decide_by", "cap_at", "decided_at", "reply")
    OBJECTION_ID_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDE_BY_FIELD_NUMBER: _ClassVar[int]
    CAP_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    objection_id: str
    enterprise: str
    category: str
    record_id: str
    kind: str
    text: str
    evidence: _containers.RepeatedScalarFieldContainer[str]
    state: str
    opened_at: int
    decide_by: int
    cap_at: int
    decided_at: int
    reply: str
    def __init__(self, objection_id: _Optional[str] = ..., enterprise: _Optional[str] = ..., category: _Optional[str] = ..., record_id: _Optional[str] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ..., evidence: _Optional[_Iterable[str]] = ..., state: _Optional[str] = ..., opened_at: _Optional[int] = ..., decide_by: _Optional[int] = ..., cap_at: _Optional[int] = ..., decided_at: _Optional[int] = ..., reply: _Optional[str] = ...) -> None: ...

class DecideObjectionRequest(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: str
    def __init__(self, decision: _Optional[str] = ...) -> None: ...

class DecideObjectionResponse(_message.Message):
    __slots__ = ("objection_id", "state")
    OBJECTION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    objection_id: str
    state: str
    def __init__(self, objection_id: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...
