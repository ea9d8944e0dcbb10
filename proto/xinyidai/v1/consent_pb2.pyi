from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RequestAuthorizationRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: str
    def __init__(self, request: _Optional[str] = ...) -> None: ...

class RequestAuthorizationResponse(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class ListProposalsRequest(_message.Message):
    __slots__ = ("access",)
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    access: str
    def __init__(self, access: _Optional[str] = ...) -> None: ...

class ListProposalsResponse(_message.Message):
    __slots__ = ("proposals",)
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    proposals: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, proposals: _Optional[_Iterable[str]] = ...) -> None: ...

class ListDelegationsRequest(_message.Message):
    __slots__ = ("access",)
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    access: str
    def __init__(self, access: _Optional[str] = ...) -> None: ...

class ListDelegationsResponse(_message.Message):
    __slots__ = ("delegations", "acts")
    DELEGATIONS_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    delegations: _containers.RepeatedCompositeFieldContainer[DelegationEntry]
    acts: _containers.RepeatedCompositeFieldContainer[DelegateAct]
    def __init__(self, delegations: _Optional[_Iterable[_Union[DelegationEntry, _Mapping]]] = ..., acts: _Optional[_Iterable[_Union[DelegateAct, _Mapping]]] = ...) -> None: ...

class DelegationEntry(_message.Message):
    __slots__ = ("delegate", "name", "powers", "not_after", "ended_at")
    DELEGATE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    POWERS_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    delegate: str
    name: str
    powers: _containers.RepeatedScalarFieldContainer[str]
    not_after: int
    ended_at: int
    def __init__(self, delegate: _Optional[str] = ..., name: _Optional[str] = ..., powers: _Optional[_Iterable[str]] = ..., not_after: _Optional[int] = ..., ended_at: _Optional[int] = ...) -> None: ...

class DelegateAct(_message.Message):
    __slots__ = ("delegate", "name", "at", "act", "about")
    DELEGATE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    delegate: str
    name: str
    at: int
    act: str
    about: str
    def __init__(self, delegate: _Optional[str] = ..., name: _Optional[str] = ..., at: _Optional[int] = ..., act: _Optional[str] = ..., about: _Optional[str] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("enclave_id", "after", "page_size")
    ENCLAVE_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    enclave_id: str
    after: int
    page_size: int
    def __init__(self, enclave_id: _Optional[str] = ..., after: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, events: _Optional[_Iterable[str]] = ...) -> None: ...

class AcknowledgeEventsRequest(_message.Message):
    __slots__ = ("acknowledgement",)
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    acknowledgement: str
    def __init__(self, acknowledgement: _Optional[str] = ...) -> None: ...

class AcknowledgeEventsResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class PullEventsRequest(_message.Message):
    __slots__ = ("after", "page_size")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    after: int
    page_size: int
    def __init__(self, after: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class PullEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[PulledEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[PulledEvent, _Mapping]]] = ...) -> None: ...

class PulledEvent(_message.Message):
    __slots__ = ("position", "bank_id", "sequence", "event")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    position: int
    bank_id: str
    sequence: int
    event: str
    def __init__(self, position: _Optional[int] = ..., bank_id: _Optional[str] = ..., sequence: _Optional[int] = ..., event: _Optional[str] = ...) -> None: ...

class GetObjectionsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: str
    def __init__(self, request: _Optional[str] = ...) -> None: ...

class GetObjectionsResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: str
    def __init__(self, answer: _Optional[str] = ...) -> None: ...

class ListObjectionStatesRequest(_message.Message):
    __slots__ = ("after", "access", "page_size")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    after: int
    access: str
    page_size: int
    def __init__(self, after: _Optional[int] = ..., access: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListObjectionStatesResponse(_message.Message):
    __slots__ = ("objections",)
    OBJECTIONS_FIELD_NUMBER: _ClassVar[int]
    objections: _containers.RepeatedCompositeFieldContainer[ObjectionState]
    def __init__(self, objections: _Optional[_Iterable[_Union[ObjectionState, _Mapping]]] = ...) -> None: ...

class ObjectionState(_message.Message):
    __slots__ = ("objection_id", "enterprise", "state", "opened_at", "transferred_at", "decide_by", "cap_at", "decided_at", "change")
    OBJECTION_ID_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    TRANSFERRED_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDE_BY_FIELD_NUMBER: _ClassVar[int]
    CAP_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    objection_id: str
    enterprise: str
    state: str
    opened_at: int
    transferred_at: int
    decide_by: int
    cap_at: int
    decided_at: int
    change: int
    def __init__(self, objection_id: _Optional[str] = ..., enterprise: _Optional[str] = ..., state: _Optional[str] = ..., opened_at: _Optional[int] = ..., transferred_at: _Optional[int] = ..., decide_by: _Optional[int] = ..., cap_at: _Optional[int] = ..., decided_at: _Optional[int] = ..., change: _Optional[int] = ...) -> None: ...
