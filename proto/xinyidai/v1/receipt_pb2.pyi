from xinyidai.v1 import log_pb2 as _log_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Usage(_message.Message):
    __slots__ = ("assessment_id", "bank_id", "authorization_digest", "purpose", "model_id", "charged_at", "centibits", "receipt", "repeats", "proof")
    ASSESSMENT_ID_FIELD_NUMBER: _ClassVar[int]
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    CHARGED_AT_FIELD_NUMBER: _ClassVar[int]
    CENTIBITS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    assessment_id: str
    bank_id: str
    authorization_digest: str
    purpose: str
    model_id: str
    charged_at: int
    centibits: int
    receipt: str
    repeats: int
    proof: _log_pb2.LogProof
    def __init__(self, assessment_id: _Optional[str] = ..., bank_id: _Optional[str] = ..., authorization_digest: _Optional[str] = ..., purpose: _Optional[str] = ..., model_id: _Optional[str] = ..., charged_at: _Optional[int] = ..., centibits: _Optional[int] = ..., receipt: _Optional[str] = ..., repeats: _Optional[int] = ..., proof: _Optional[_Union[_log_pb2.LogProof, _Mapping]] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("bank_id", "limit_centibits", "spent_centibits", "window_start")
    BANK_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_CENTIBITS_FIELD_NUMBER: _ClassVar[int]
    SPENT_CENTIBITS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_START_FIELD_NUMBER: _ClassVar[int]
    bank_id: str
    limit_centibits: int
    spent_centibits: int
    window_start: int
    def __init__(self, bank_id: _Optional[str] = ..., limit_centibits: _Optional[int] = ..., spent_centibits: _Optional[int] = ..., window_start: _Optional[int] = ...) -> None: ...
