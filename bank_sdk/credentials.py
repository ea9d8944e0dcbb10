"""Who the bank is, and whom it believes: certificate, key and the two authorities."""

from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from xinyidai.files import LooseFile, refuse_loose
from xinyidai.identifiers import BankId, IdentifierError, parse_bank_id
from xinyidai.identity import Role, TrustAnchor, identity_of, load_chain, thumbprint
from xinyidai.signing import DocumentError, SigningKey

from bank_sdk.errors import CredentialsError

_MAX_FILE_BYTES = 1024 * 1024


class BankCredentials:
    """The bank's certificate and key, the authority of the service's TLS certificate, and the enclaves' authority.

    Answers are believed because of the enclaves' authority alone; the service's only keeps the line private. It cannot
    be pickled, and printing shows no secret.
    """

    __slots__ = ("_channel", "bank", "certificate_thumbprint", "enclave_anchor", "signing_key")

    def __init__(
        self, signing_key: SigningKey, channel: grpc.ChannelCredentials, enclave_anchor: TrustAnchor, bank: BankId
    ) -> None:
        self.signing_key = signing_key
        self._channel = channel
        self.enclave_anchor = enclave_anchor
        self.bank = bank
        self.certificate_thumbprint = thumbprint(signing_key.chain[0])

    @classmethod
    def from_files(
        cls,
        certificate: str | Path,
        key: str | Path,
        service_ca: str | Path,
        *,
        enclave_ca: str | Path,
        passphrase: str | bytes | None = None,
    ) -> "BankCredentials":
        """All PEM: the bank's chain, leaf first; its PKCS #8 key (P-256 or Ed25519), which only its owner may read; the
        roots of the service's TLS certificate; the roots of the enclaves' receipt certificates.

        Raises `CredentialsError`. Not checked here: dates and issuer of the bank's certificate; the service does that.
        """
        raw_chain, raw_service_ca, raw_enclave_ca = (_read(path) for path in (certificate, service_ca, enclave_ca))
        raw_key = _read_secret(Path(key))
        secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
        try:
            chain = load_chain(raw_chain)
            signing_key = SigningKey.from_pem(raw_key, secret, chain)
            identity = identity_of(chain[0])
            bank = parse_bank_id(identity.name)
            anchor = TrustAnchor.from_pem(Role.ENCLAVE, raw_enclave_ca)
        except (DocumentError, IdentifierError) as error:
            raise CredentialsError(str(error)) from error
        if identity.role is not Role.BANK:
            raise CredentialsError("the certificate is not one of a bank")
        if not anchor.roots:
            raise CredentialsError(f"{Path(enclave_ca).name} holds no certificate")
        if chain[0].public_key() != signing_key.public.public:
            raise CredentialsError("the key does not belong to the certificate")
        _check_roots(raw_service_ca, Path(service_ca).name)
        channel = grpc.ssl_channel_credentials(raw_service_ca, _plain_pem(raw_key, secret), raw_chain)
        return cls(signing_key, channel, anchor, bank)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For gRPC: mutual TLS with the bank's certificate."""
        return self._channel

    def __repr__(self) -> str:
        return f"BankCredentials({self.bank}, **redacted**)"

    def __reduce__(self) -> Any:
        raise TypeError("credentials cannot be pickled; read them from their files where they are needed")


def _read(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CredentialsError(f"{Path(path).name} cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_FILE_BYTES:
        raise CredentialsError(f"{Path(path).name} is too large for a PEM file of this kind")
    return raw


def _read_secret(path: Path) -> bytes:
    try:
        refuse_loose(path)
    except LooseFile as error:
        raise CredentialsError(str(error)) from error
    except OSError as error:
        raise CredentialsError(f"{path.name} cannot be read: {error.strerror}") from error
    return _read(path)


def _check_roots(raw: bytes, name: str) -> None:
    """gRPC would take anything, and then refuse every connection without saying why."""
    try:
        x509.load_pem_x509_certificates(raw)
    except ValueError as error:
        raise CredentialsError(f"{name} holds no certificate") from error


def _plain_pem(raw_key: bytes, passphrase: bytes | None) -> bytes:
    """gRPC takes only an unencrypted key; this copy lives in memory and goes to the TLS library alone."""
    key = serialization.load_pem_private_key(raw_key, passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
