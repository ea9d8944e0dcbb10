"""A throwaway certificate authority for development: one root a role, ECDSA P-256, keys in files for the owner only.

Not for production: there the roots are the city's, a bank's own PKI and the registrar's; only the identities (URIs of
xinyidai.identity) and the key usages below have to be kept.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from xinyidai.files import write_whole
from xinyidai.identity import Identity, Role

_ROOT_DAYS: Final = 365
_LEAF_DAYS: Final = 90
_HOSTS: Final = ("localhost", "127.0.0.1")


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


class Authority:
    """The root of one role."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, folder: Path, name: str) -> "Authority":
        """Make `<name>.pem` and `<name>.key` in `folder`."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = _name(f"Xinyidai development {name} root")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=_ROOT_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_whole(folder / f"{name}.key", _pem(key))
        return cls(certificate, key)

    @classmethod
    def load(cls, folder: Path, name: str) -> "Authority":
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{name}.key is not a key this command made")
        return cls(certificate, key)

    def certify(
        self,
        identity: Identity,
        public: CertificatePublicKeyTypes,
        *,
        hosts: Sequence[str] = (),
        not_before: datetime | None = None,
        days: float = _LEAF_DAYS,
    ) -> x509.Certificate:
        """A certificate that binds `public` to `identity`; `hosts` for those who listen."""
        start = not_before or datetime.now(UTC) - timedelta(minutes=5)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(identity.uri)]
        for host in hosts:
            is_address = host[0].isdigit()
            names.append(x509.IPAddress(ip_address(host)) if is_address else x509.DNSName(host))
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        return (
            x509.CertificateBuilder()
            .subject_name(_name(f"{identity.role} {identity.name}"[:64]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(purposes, critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, identity: Identity, folder: Path, name: str, *, listens: bool = False) -> x509.Certificate:
        """A new key and its certificate as `<name>.key` and `<name>.pem` in `folder` (made 0700 if need be)."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certify(identity, key.public_key(), hosts=_HOSTS if listens else ())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_whole(folder / f"{name}.key", _pem(key))
        return certificate

    def certify_request(self, raw_request: bytes, identity: Identity) -> bytes:
        """PEM certificate for a PKCS #10 request. Raises `ValueError` unless the request proves possession of its key.

        Who may have which identity is for the caller to decide before.
        """
        request = x509.load_pem_x509_csr(raw_request)
        if not request.is_signature_valid:
            raise ValueError("the certificate request is not signed by its own key")
        return self.certify(identity, request.public_key()).public_bytes(serialization.Encoding.PEM)


def enterprise_identity(uscc: str) -> Identity:
    return Identity(Role.ENTERPRISE, uscc)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
