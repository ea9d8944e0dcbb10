"""Who a certificate speaks for, and whether an authority we trust said so.

An identity stands in a URI of the subject alternative name: urn:xinyidai:<role>:<name>. Each role has a trust anchor of
its own, so that the authority of one role (say, the platform's) can never vouch for another (a bank, an enterprise).
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.utils import CryptographyDeprecationWarning

from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.reasons import Reason
from xinyidai.signing import Claims, DocumentError, DocumentMalformed, VerifyingKey, read_header

_PREFIX: Final = "urn:xinyidai:"
_MAX_CHAIN: Final = 3
_MAX_CERTIFICATE_BYTES: Final = 8 * 1024
_REMEMBERED_CHAINS: Final = 64
_NOT_VOUCHED: Final = "the certificate is not vouched for by this service's authority"
_UNREADABLE: Final = (
    InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType, CryptographyDeprecationWarning, ValueError, TypeError,
)  # fmt: skip
"""Everything the library raises for a hostile certificate; the warning (say, for a negative serial number) where
warnings are errors, as this one will be in a later release."""

_UNDERSTOOD: Final = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.SubjectAlternativeName.oid,
        x509.ExtendedKeyUsage.oid,
    }
)


class Role(StrEnum):
    BANK = "bank"
    ENTERPRISE = "enterprise"
    ENCLAVE = "enclave"
    SERVER = "server"
    DEPARTMENT = "department"
    WITNESS = "witness"


class CertificateInvalid(DocumentError):
    """One type for every failure of a certificate: chain, role, time. The detail is for the checker's log only."""

    reason = Reason.CERTIFICATE_INVALID


@dataclass(frozen=True, slots=True)
class Identity:
    role: Role
    name: str

    @property
    def uri(self) -> str:
        return f"{_PREFIX}{self.role}:{self.name}"


def thumbprint(certificate: x509.Certificate) -> str:
    """x5t#S256 (RFC 8705): base64url of the SHA-256 of the DER form, without padding."""
    return urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()


def identity_of(certificate: x509.Certificate) -> Identity:
    """The one identity a certificate names. Checks no signature. Raises `CertificateInvalid`."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = [u for u in names.get_values_for_type(x509.UniformResourceIdentifier) if u.startswith(_PREFIX)]
        (uri,) = uris
        role, name = uri.removeprefix(_PREFIX).split(":")
        return _identity(Role(role), name)
    except _UNREADABLE as error:
        raise CertificateInvalid("the certificate names no single identity of this service") from error


def _identity(role: Role, name: str) -> Identity:
    """Only names that are identifiers of their role. Raises `IdentifierError`."""
    if role is Role.ENTERPRISE:
        return Identity(role, parse_uscc(name))
    if role is Role.BANK:
        return Identity(role, parse_bank_id(name))
    return Identity(role, parse_enclave_id(name))


def load_chain(raw_pem: bytes) -> tuple[x509.Certificate, ...]:
    """PEM certificates, leaf first. Raises `CertificateInvalid`."""
    if len(raw_pem) > _MAX_CHAIN * _MAX_CERTIFICATE_BYTES:
        raise CertificateInvalid("the certificate chain is too long")
    try:
        return tuple(x509.load_pem_x509_certificates(raw_pem))
    except _UNREADABLE as error:
        raise CertificateInvalid("not a PEM certificate chain") from error


class TrustAnchor:
    """The root certificates that may vouch for one role."""

    def __init__(self, role: Role, roots: Sequence[x509.Certificate]) -> None:
        self.role = role
        self.roots = tuple(roots)
        # Parties sign thousands of documents with one chain; only what succeeded is remembered, and never a date.
        self._remembered = lru_cache(maxsize=_REMEMBERED_CHAINS)(self._read_signer)

    @classmethod
    def from_pem(cls, role: Role, raw: bytes) -> "TrustAnchor":
        return cls(role, load_chain(raw))

    def verify(self, chain: Sequence[x509.Certificate], at: datetime | None = None) -> Identity:
        """The identity of chain[0], after checking signatures, dates, CA flags, key usage and role up to a root.

        `at`: aware UTC, default now. Raises `CertificateInvalid`. Not guaranteed: revocation; a certificate is
        withdrawn by removing its holder's registration.
        """
        identity, first, last = self._vouch(chain)
        _check_time(first, last, at)
        return identity

    def signer(self, encoded: tuple[str, ...], at: datetime | None = None) -> "Signer":
        """Likewise for a chain as x5c has it, with the key to verify with. Raises `DocumentError`."""
        signer = self._remembered(encoded)
        _check_time(signer.not_before, signer.not_after, at)
        return signer

    def _read_signer(self, encoded: tuple[str, ...]) -> "Signer":
        try:
            chain = tuple(x509.load_der_x509_certificate(b64decode(c, validate=True)) for c in encoded)
        except _UNREADABLE as error:
            raise DocumentMalformed("the x5c header holds something else than certificates") from error
        identity, first, last = self._vouch(chain)
        key = VerifyingKey.of_certificate(chain[0])
        return Signer(identity, thumbprint(chain[0]), chain[0], key, first, last)

    def _vouch(self, chain: Sequence[x509.Certificate]) -> tuple[Identity, datetime, datetime]:
        """Everything but the time: who it is, and from when until when every link is valid."""
        if not 1 <= len(chain) <= _MAX_CHAIN:
            raise CertificateInvalid("send 1 to 3 certificates, leaf first")
        try:
            links = self._check_links(chain)
            first = max(link.not_valid_before_utc for link in links)
            last = min(link.not_valid_after_utc for link in links)
        except _UNREADABLE as error:
            raise CertificateInvalid(_NOT_VOUCHED) from error
        identity = identity_of(chain[0])
        if identity.role is not self.role:
            raise CertificateInvalid(f"the certificate is not one of a {self.role}")
        return identity, first, last

    def _check_links(self, chain: Sequence[x509.Certificate]) -> list[x509.Certificate]:
        links = self._up_to_a_root(chain)
        for depth, (child, issuer) in enumerate(pairwise(links)):
            child.verify_directly_issued_by(issuer)
            basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
            usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
            if not basic.ca or not usage.key_cert_sign:
                raise ValueError("issuer is no authority")
            if basic.path_length is not None and basic.path_length < depth:
                raise ValueError("path too long")
        for certificate in links:
            if any(extension.critical and extension.oid not in _UNDERSTOOD for extension in certificate.extensions):
                raise ValueError("a critical extension this service does not know (RFC 5280, 4.2)")
        leaf_usage = chain[0].extensions.get_extension_for_class(x509.KeyUsage).value
        leaf_basic = chain[0].extensions.get_extension_for_class(x509.BasicConstraints).value
        if not leaf_usage.digital_signature or leaf_basic.ca:
            raise ValueError("leaf may not sign documents")
        return links

    def _up_to_a_root(self, chain: Sequence[x509.Certificate]) -> list[x509.Certificate]:
        """An authority that renewed its key has two roots of one name: the one that signed is the one."""
        if chain[-1] in self.roots:
            return list(chain)
        for root in self.roots:
            if chain[-1].issuer != root.subject:
                continue
            try:
                chain[-1].verify_directly_issued_by(root)
            except _UNREADABLE:
                continue
            return [*chain, root]
        raise ValueError("no root")


@dataclass(frozen=True, slots=True, eq=False)
class Signer:
    """Whom a chain of certificates speaks for, between two moments."""

    identity: Identity
    thumbprint: str
    """x5t#S256 of the signing certificate."""
    certificate: x509.Certificate
    key: VerifyingKey
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, eq=False)
class SignedByCertificate:
    """A verified document together with who signed it."""

    claims: Claims
    identity: Identity
    thumbprint: str
    """x5t#S256 of the signing certificate."""
    certificate: x509.Certificate


def verify_with_chain(raw: str, typ: str, anchor: TrustAnchor, at: datetime | None = None) -> SignedByCertificate:
    """Verify a document that carries its signer's certificates in x5c. Raises `DocumentError`."""
    signer = anchor.signer(_encoded_chain(read_header(raw)), at)
    claims = signer.key.verify(raw, typ)
    return SignedByCertificate(claims, signer.identity, signer.thumbprint, signer.certificate)


def _encoded_chain(header: dict[str, Any]) -> tuple[str, ...]:
    encoded = header.get("x5c")
    if not isinstance(encoded, list) or not 1 <= len(encoded) <= _MAX_CHAIN:
        raise DocumentMalformed("the x5c header must hold 1 to 3 certificates, leaf first")
    if not all(isinstance(entry, str) for entry in encoded):
        raise DocumentMalformed("the x5c header holds something else than certificates")
    return tuple(encoded)


def _check_time(first: datetime, last: datetime, at: datetime | None) -> None:
    if not first <= (at or datetime.now(UTC)) <= last:
        raise CertificateInvalid(_NOT_VOUCHED)
