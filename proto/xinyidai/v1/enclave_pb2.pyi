from xinyidai.v1 import assessment_pb2 as _assessment_pb2
from xinyidai.v1 import authorization_pb2 as _authorization_pb2
from xinyidai.v1 import catalogue_pb2 as _catalogue_pb2
from xinyidai.v1 import consent_pb2 as _consent_pb2
from xinyidai.v1 import log_pb2 as _log_pb2
from xinyidai.v1 import model_pb2 as _model_pb2
from xinyidai.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("enclave_id", "catalogue", "catalogue_digest", "snapshot_id", "as_of", "enterprises", "receipt_certificate")
    ENCLAVE_ID_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    enclave_id: str
    catalogue: str
    catalogue_digest: bytes
    snapshot_id: str
    as_of: str
    enterprises: int
    receipt_certificate: str
    def __init__(self, enclave_id: _Optional[str] = ..., catalogue: _Optional[str] = ..., catalogue_digest: _Optional[bytes] = ..., snapshot_id: _Optional[str] = ..., as_of: _Optional[str] = ..., enterprises: _Optional[int] = ..., receipt_certificate: _Optional[str] = ...) -> None: ...

class RegisterKeyRequest(_message.Message):
    __slots__ = ("registration",)
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    registration: str
    def __init__(self, registration: _Optional[str] = ...) -> None: ...

class RegisterKeyResponse(_message.Message):
    __slots__ = ("enterprise", "key_thumbprint")
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    KEY_THUMBPRINT_FIELD_NUMBER: _ClassVar[int]
    enterprise: str
    key_thumbprint: str
    def __init__(self, enterprise: _Optional[str] = ..., key_thumbprint: _Optional[str] = ...) -> None: ...

class SubmitAuthorizationRequest(_message.Message):
    __slots__ = ("authorization",)
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    authorization: str
    def __init__(self, authorization: _Optional[str] = ...) -> None: ...

class SubmitAuthorizationResponse(_message.Message):
    __slots__ = ("digest", "state", "acknowledgement", "status_index", "status_uri")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_URI_FIELD_NUMBER: _ClassVar[int]
    digest: str
    state: _authorization_pb2.AuthorizationState
    acknowledgement: str
    status_index: int
    status_uri: str
    def __init__(self, digest: _Optional[str] = ..., state: _Optional[_Union[_authorization_pb2.AuthorizationState, str]] = ..., acknowledgement: _Optional[str] = ..., status_index: _Optional[int] = ..., status_uri: _Optional[str] = ...) -> None: ...

class SubmitStatementRequest(_message.Message):
    __slots__ = ("statement",)
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    statement: str
    def __init__(self, statement: _Optional[str] = ...) -> None: ...

class SubmitStatementResponse(_message.Message):
    __slots__ = ("state", "acknowledgement")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    state: _authorization_pb2.AuthorizationState
    acknowledgement: str
    def __init__(self, state: _Optional[_Union[_authorization_pb2.AuthorizationState, str]] = ..., acknowledgement: _Optional[str] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ("access", "page_size", "page_token")
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access: str
    page_size: int
    page_token: str
    def __init__(self, access: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("usages", "budgets", "authorizations", "next_page_token", "checkpoint")
    USAGES_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    usages: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.Usage]
    budgets: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.Budget]
    authorizations: _containers.RepeatedCompositeFieldContainer[_authorization_pb2.AuthorizationEntry]
    next_page_token: str
    checkpoint: str
    def __init__(self, usages: _Optional[_Iterable[_Union[_receipt_pb2.Usage, _Mapping]]] = ..., budgets: _Optional[_Iterable[_Union[_receipt_pb2.Budget, _Mapping]]] = ..., authorizations: _Optional[_Iterable[_Union[_authorization_pb2.AuthorizationEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class GetLineageRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: str
    def __init__(self, request: _Optional[str] = ...) -> None: ...

class GetLineageResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: str
    def __init__(self, answer: _Optional[str] = ...) -> None: ...

class GetOwnRecordsRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: str
    def __init__(self, request: _Optional[str] = ...) -> None: ...

class GetOwnRecordsResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: str
    def __init__(self, answer: _Optional[str] = ...) -> None: ...

class GetQualityRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetQualityResponse(_message.Message):
    __slots__ = ("snapshot_id", "as_of", "least_enterprises", "cells")
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    LEAST_ENTERPRISES_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    snapshot_id: str
    as_of: str
    least_enterprises: int
    cells: _containers.RepeatedCompositeFieldContainer[QualityCell]
    def __init__(self, snapshot_id: _Optional[str] = ..., as_of: _Optional[str] = ..., least_enterprises: _Optional[int] = ..., cells: _Optional[_Iterable[_Union[QualityCell, _Mapping]]] = ...) -> None: ...

class QualityCell(_message.Message):
    __slots__ = ("category", "source", "month", "rows", "enterprises", "compliance", "timeliness", "standardization", "completeness", "continuity", "coverage", "linkage")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISES_FIELD_NUMBER: _ClassVar[int]
    COMPLIANCE_FIELD_NUMBER: _ClassVar[int]
    TIMELINESS_FIELD_NUMBER: _ClassVar[int]
    STANDARDIZATION_FIELD_NUMBER: _ClassVar[int]
    COMPLETENESS_FIELD_NUMBER: _ClassVar[int]
    CONTINUITY_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    LINKAGE_FIELD_NUMBER: _ClassVar[int]
    category: str
    source: str
    month: int
    rows: int
    enterprises: int
    compliance: float
    timeliness: float
    standardization: float
    completeness: float
    continuity: float
    coverage: float
    linkage: float
    def __init__(self, category: _Optional[str] = ..., source: _Optional[str] = ..., month: _Optional[int] = ..., rows: _Optional[int] = ..., enterprises: _Optional[int] = ..., compliance: _Optional[float] = ..., timeliness: _Optional[float] = ..., standardization: _Optional[float] = ..., completeness: _Optional[float] = ..., continuity: _Optional[float] = ..., coverage: _Optional[float] = ..., linkage: _Optional[float] = ...) -> None: ...
