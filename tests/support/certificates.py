"""A certificate authority for tests: ECDSA P-256 roots, intermediates and leaves shaped as `xinyidai.identity` wants.

Every choice that a hostile or careless authority could make differently is an argument, so that a test can make it.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from xinyidai.identity import Identity, Role, TrustAnchor, thumbprint
from xinyidai.signing import SigningKey

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
LIFETIME = timedelta(days=365)
Extensions = Sequence[tuple[x509.ExtensionType, bool]]
"""Each with whether it is critical."""


def _usage(*, signs_certificates: bool, signs_documents: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs_documents,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def private_key_pem(key: PrivateKey) -> bytes:
    """PKCS #8, not encrypted: test keys live for minutes."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A certificate that speaks for somebody, with its key and its chain up to but without the root."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def thumbprint(self) -> str:
        return thumbprint(self.certificate)

    @property
    def chain_pem(self) -> bytes:
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain)

    @property
    def key_pem(self) -> bytes:
        return private_key_pem(self.key)

    def signing_key(self) -> SigningKey:
        return SigningKey(self.key, self.chain)

    def write(self, certificate: Path, key: Path) -> None:
        """Chain and key as PEM; the key for its owner only."""
        certificate.write_bytes(self.chain_pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A root, or an intermediate with `above` holding the intermediates over it, root excluded."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def anchor(self, role: Role) -> TrustAnchor:
        return TrustAnchor(role, [self.certificate])

    def issue(
        self,
        role: Role,
        name: str,
        *,
        key: PrivateKey | None = None,
        uris: Sequence[str] | None = None,
        is_ca: bool = False,
        signs_documents: bool = True,
        localhost: bool = False,
        start: datetime | None = None,
        lifetime: timedelta = LIFETIME,
        extensions: Extensions = (),
    ) -> Leaf:
        """A leaf for urn:xinyidai:<role>:<name>. `localhost` adds what a TLS server on this machine needs."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(uri) for uri in (uris if uris is not None else [Identity(role, name).uri])
        ]
        if localhost:
            names += [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            _builder(name, own, self.certificate.subject, start, lifetime)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=is_ca, signs_documents=signs_documents), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = _extended(builder, extensions).sign(self.key, hashes.SHA256())
        chain = (certificate,) if self._is_root else (certificate, self.certificate, *self.above)
        return Leaf(certificate, own, chain)

    @property
    def _is_root(self) -> bool:
        return self.certificate.issuer == self.certificate.subject


def make_authority(
    name: str = "Test CA",
    *,
    issuer: Authority | None = None,
    path_length: int | None = None,
    is_ca: bool = True,
    signs_certificates: bool = True,
    start: datetime | None = None,
    lifetime: timedelta = LIFETIME,
    extensions: Extensions = (),
) -> Authority:
    """A self-signed root, or with `issuer` an intermediate below it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(name, key, issuer.certificate.subject if issuer else subject, start, lifetime)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length if is_ca else None), critical=True)
        .add_extension(_usage(signs_certificates=signs_certificates, signs_documents=False), critical=True)
    )
    certificate = _extended(builder, extensions).sign(issuer.key if issuer else key, hashes.SHA256())
    if issuer is None or issuer.certificate.issuer == issuer.certificate.subject:
        return Authority(certificate, key)
    return Authority(certificate, key, (issuer.certificate, *issuer.above))


def _builder(
    name: str, key: PrivateKey, issuer: x509.Name, start: datetime | None, lifetime: timedelta
) -> x509.CertificateBuilder:
    begin = start or datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + lifetime)
    )


def _extended(builder: x509.CertificateBuilder, extensions: Extensions) -> x509.CertificateBuilder:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder
