from xinyidai.v1 import assessment_pb2 as _assessment_pb2
from xinyidai.v1 import authorization_pb2 as _authorization_pb2
from xinyidai.v1 import catalogue_pb2 as _catalogue_pb2
from xinyidai.v1 import consent_pb2 as _consent_pb2
from xinyidai.v1 import model_pb2 as _model_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
