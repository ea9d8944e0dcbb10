"""Who the department is, and whom it believes."""

from dataclasses import dataclass, field
from pathlib import Path

import grpc
from xinyidai.identifiers import DepartmentId, parse_department_id
from xinyidai.identity import Role, identity_of, load_chain
from xinyidai.signing import SigningKey

from clients.uploader.errors import UploadError


@dataclass(frozen=True, slots=True, eq=False)
class DepartmentCredentials:
    """A department's key and certificate, and the root that vouches for data domains."""

    department: DepartmentId
    key: SigningKey
    channel: grpc.ChannelCredentials = field(repr=False)

    @classmethod
    def from_files(cls, certificate: Path, key: Path, domain_ca: Path) -> "DepartmentCredentials":
        """PEM files; the key not encrypted. Raises `UploadError`, `DocumentError` or `OSError`."""
        raw_chain, raw_key = certificate.read_bytes(), key.read_bytes()
        chain = load_chain(raw_chain)
        identity = identity_of(chain[0])
        if identity.role is not Role.DEPARTMENT:
            raise UploadError(f"{certificate.name} is no certificate of a department")
        channel = grpc.ssl_channel_credentials(domain_ca.read_bytes(), raw_key, raw_chain)
        return cls(parse_department_id(identity.name), SigningKey.from_pem(raw_key, chain=chain), channel)
