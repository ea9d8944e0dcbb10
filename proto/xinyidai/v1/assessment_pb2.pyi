from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AssessRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: str
    def __init__(self, request: _Optional[str] = ...) -> None: ...

class AnswerPart(_message.Message):
    __slots__ = ("category", "answer")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    category: str
    answer: bytes
    def __init__(self, category: _Optional[str] = ..., answer: _Optional[bytes] = ...) -> None: ...

class Assessment(_message.Message):
    __slots__ = ("receipt", "parts")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    receipt: str
    parts: _containers.RepeatedCompositeFieldContainer[AnswerPart]
    def __init__(self, receipt: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[AnswerPart, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("item", "assessment", "refusal")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    ASSESSMENT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    item: int
    assessment: Assessment
    refusal: Refusal
    def __init__(self, item: _Optional[int] = ..., assessment: _Optional[_Union[Assessment, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class AssessResponse(_message.Message):
    __slots__ = ("nonce", "outcomes", "last")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    nonce: str
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    last: bool
    def __init__(self, nonce: _Optional[str] = ..., outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ..., last: bool = ...) -> None: ...
