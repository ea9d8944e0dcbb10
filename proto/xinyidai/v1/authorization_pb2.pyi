from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuthorizationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUTHORIZATION_STATE_UNSPECIFIED: _ClassVar[AuthorizationState]
    AUTHORIZATION_STATE_ACTIVE: _ClassVar[AuthorizationState]
    AUTHORIZATION_STATE_PAUSED: _ClassVar[AuthorizationState]
    AUTHORIZATION_STATE_REVOKED: _ClassVar[AuthorizationState]
    AUTHORIZATION_STATE_EXPIRED: _ClassVar[AuthorizationState]
AUTHORIZATION_STATE_UNSPECIFIED: AuthorizationState
AUTHORIZATION_STATE_ACTIVE: AuthorizationState
AUTHORIZATION_STATE_PAUSED: AuthorizationState
AUTHORIZATION_STATE_REVOKED: AuthorizationState
AUTHORIZATION_STATE_EXPIRED: AuthorizationState

class AuthorizationEntry(_message.Message):
    __slots__ = ("authorization", "state", "assessments", "signed_by", "renewal_due", "reconfirm_due", "status_index", "status_uri")
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ASSESSMENTS_FIELD_NUMBER: _ClassVar[int]
    SIGNED_BY_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_DUE_FIELD_NUMBER: _ClassVar[int]
    RECONFIRM_DUE_FIELD_NUMBER: _ClassVar[int]
    STATUS_INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_URI_FIELD_NUMBER: _ClassVar[int]
    authorization: str
    state: AuthorizationState
    assessments: int
    signed_by: str
    renewal_due: bool
    reconfirm_due: bool
    status_index: int
    status_uri: str
    def __init__(self, authorization: _Optional[str] = ..., state: _Optional[_Union[AuthorizationState, str]] = ..., assessments: _Optional[int] = ..., signed_by: _Optional[str] = ..., renewal_due: bool = ..., reconfirm_due: bool = ..., status_index: _Optional[int] = ..., status_uri: _Optional[str] = ...) -> None: ...

class ListAuthorizationsRequest(_message.Message):
    __slots__ = ("enterprise", "page_size", "page_token")
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    enterprise: str
    page_size: int
    page_token: str
    def __init__(self, enterprise: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuthorizationsResponse(_message.Message):
    __slots__ = ("authorizations", "next_page_token")
    AUTHORIZATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    authorizations: _containers.RepeatedCompositeFieldContainer[AuthorizationEntry]
    next_page_token: str
    def __init__(self, authorizations: _Optional[_Iterable[_Union[AuthorizationEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
