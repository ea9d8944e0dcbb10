"""JSON Web Signatures (RFC 7515, compact) for every document the parties sign.

Algorithms: ES256, and Ed25519 under its fully specified name (RFC 9864 retires the name EdDSA). The `typ` header keeps
one kind of document from being taken for another. Verification raises; it never returns a bool.
"""

import hashlib
import json
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from xinyidai.reasons import Reason

ALGORITHMS: Final = ("ES256", "Ed25519")
MAX_DOCUMENT_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 8
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control and bidirectional characters: no text of ours has any, and databases and people stumble over them."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PRIVATE = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_PUBLIC = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class DocumentError(ValueError):
    """A signed document was refused; `reason` is one of xinyidai.reasons.

    DocumentError
     ├─ DocumentMalformed      it cannot be read as what it should be
     ├─ SignatureInvalid       one type for every cryptographic failure, so that nobody learns which check failed
     └─ DocumentOutOfTime      expired, or dated in the future
    """

    reason: Reason = Reason.DOCUMENT_MALFORMED


class DocumentMalformed(DocumentError):
    pass


class SignatureInvalid(DocumentError):
    reason = Reason.SIGNATURE_INVALID

    def __init__(self, message: str = "the signature does not verify; sign again with the registered key") -> None:
        super().__init__(message)


class DocumentOutOfTime(DocumentError):
    reason = Reason.DOCUMENT_EXPIRED


class _Registry(JWSRegistry):
    """The library's own limits are for bare headers; ours carries up to three certificates, and `read_header` bounds
    the whole document before it gets here."""

    max_header_length = MAX_DOCUMENT_BYTES
    max_payload_length = MAX_DOCUMENT_BYTES


def _jose_key(key: _PRIVATE | _PUBLIC) -> tuple[ECKey | OKPKey, JWSRegistry]:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise DocumentMalformed("only P-256 and Ed25519 keys are used here")
        return ECKey.import_key(key), _Registry(algorithms=["ES256"])
    if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return OKPKey.import_key(key), _Registry(algorithms=["Ed25519"])
    raise DocumentMalformed("only P-256 and Ed25519 keys are used here")


class VerifyingKey:
    """A public key for documents."""

    __slots__ = ("_jose", "_registry", "algorithm", "public", "thumbprint")

    def __init__(self, public: _PUBLIC) -> None:
        self.public = public
        self._jose, self._registry = _jose_key(public)
        self.algorithm = "ES256" if isinstance(self._jose, ECKey) else "Ed25519"
        self.thumbprint: str = self._jose.thumbprint()
        """RFC 7638, base64url of SHA-256."""

    @classmethod
    def of_certificate(cls, certificate: x509.Certificate) -> "VerifyingKey":
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
            raise DocumentMalformed("only P-256 and Ed25519 keys are used here")
        return cls(public)

    @classmethod
    def from_pem(cls, raw: bytes) -> "VerifyingKey":
        try:
            public = serialization.load_pem_public_key(raw)
        except ValueError as error:
            raise DocumentMalformed("not a PEM public key") from error
        if not isinstance(public, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
            raise DocumentMalformed("only P-256 and Ed25519 keys are used here")
        return cls(public)

    def to_pem(self) -> bytes:
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.public.public_bytes(serialization.Encoding.PEM, spki)

    def verify(self, raw: str, typ: str) -> "Claims":
        """The claims of a compact JWS of type `typ` signed by this key. Raises `DocumentError`."""
        header = read_header(raw)
        if header.get("typ") != typ:
            raise DocumentMalformed(f"expected a document of type {typ}")
        if header.get("alg") != self.algorithm or "crit" in header:
            raise SignatureInvalid()
        try:
            document = jws.deserialize_compact(raw, self._jose, registry=self._registry)
        except (JoseError, ValueError) as error:
            raise SignatureInvalid() from error
        return Claims(strict_json(document.payload))


class SigningKey:
    """A private key handle, with the certificate chain that names its holder. It cannot be printed or pickled."""

    __slots__ = ("_jose", "_private", "_registry", "_x5c", "chain", "public")

    def __init__(self, private: _PRIVATE, chain: Sequence[x509.Certificate] = ()) -> None:
        self._private = private
        self._jose, self._registry = _jose_key(private)
        self.chain = tuple(chain)
        self._x5c = [b64encode(c.public_bytes(serialization.Encoding.DER)).decode() for c in self.chain]
        self.public = VerifyingKey(private.public_key())

    @classmethod
    def generate(cls, algorithm: str = "Ed25519") -> "SigningKey":
        if algorithm == "ES256":
            return cls(ec.generate_private_key(ec.SECP256R1()))
        if algorithm == "Ed25519":
            return cls(ed25519.Ed25519PrivateKey.generate())
        raise DocumentMalformed("use ES256 or Ed25519")

    @classmethod
    def from_pem(
        cls, raw: bytes, passphrase: bytes | None = None, chain: Sequence[x509.Certificate] = ()
    ) -> "SigningKey":
        """PKCS #8 PEM. Raises `DocumentMalformed` for a wrong passphrase and for other kinds of key alike."""
        try:
            private = serialization.load_pem_private_key(raw, passphrase)
        except (ValueError, TypeError) as error:
            raise DocumentMalformed("the key file or its passphrase is wrong") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise DocumentMalformed("only P-256 and Ed25519 keys are used here")
        return cls(private, chain)

    def with_chain(self, chain: Sequence[x509.Certificate]) -> "SigningKey":
        return SigningKey(self._private, chain)

    def to_encrypted_pem(self, passphrase: bytes) -> bytes:
        """PKCS #8 under the library's best available encryption. The passphrase must not be empty."""
        protection = serialization.BestAvailableEncryption(passphrase)
        return self._private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)

    def certificate_request(self, builder: x509.CertificateSigningRequestBuilder) -> x509.CertificateSigningRequest:
        """Sign a PKCS #10 request: the standard proof of possession towards a certificate authority."""
        is_ec = isinstance(self._private, ec.EllipticCurvePrivateKey)
        return builder.sign(self._private, hashes.SHA256() if is_ec else None)

    def sign(self, claims: Mapping[str, Any], typ: str, *, with_chain: bool = False) -> str:
        """A compact JWS. `with_chain` puts the certificates into the x5c header (RFC 7515, 4.1.6)."""
        header: dict[str, Any] = {"alg": self.public.algorithm, "typ": typ}
        if with_chain:
            header["x5c"] = list(self._x5c)
        payload = json.dumps(claims, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return jws.serialize_compact(header, payload.encode(), self._jose, registry=self._registry)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.algorithm}, **redacted**)"

    def __reduce__(self) -> Any:
        raise TypeError("a signing key cannot be pickled; store it with to_encrypted_pem")


def signed_digest(raw: str) -> str:
    """Hex SHA-256 of what is signed (the JWS signing input, RFC 7515 section 2): how documents name each other.

    The signature is left out because it is not unique: for ECDSA, (r, s) and (r, n - s) are equally valid, and whoever
    relays a document could give it a second name.
    """
    return hashlib.sha256(raw.rpartition(".")[0].encode()).hexdigest()


def read_header(raw: str) -> dict[str, Any]:
    """The protected header of an untrusted compact JWS. Raises `DocumentMalformed`."""
    if len(raw) > MAX_DOCUMENT_BYTES or not raw.isascii() or raw.count(".") != 2:
        raise DocumentMalformed("not a compact JWS of acceptable size")
    return strict_json(_decode_part(raw, 0))


def read_unverified(raw: str) -> "Claims":
    """Claims of a document nobody has verified: to find the key to verify with, or to show.

    Raises `DocumentMalformed`.
    """
    read_header(raw)
    return Claims(strict_json(_decode_part(raw, 1)))


def _decode_part(raw: str, index: int) -> bytes:
    part = raw.split(".")[index]
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise DocumentMalformed("not a compact JWS") from error


def strict_json(raw: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8: no member twice, no NaN, not too deep. Raises `DocumentMalformed`."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise DocumentMalformed("a JSON member occurs twice")
        return found

    def constant(_: str) -> Any:
        raise DocumentMalformed("NaN and Infinity are not JSON")

    try:
        value = json.loads(raw.decode(), object_pairs_hook=pairs, parse_constant=constant)
        # Surrogates cannot be stored or hashed as UTF-8 later on.
        json.dumps(value, ensure_ascii=False).encode()
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise DocumentMalformed("the document is not JSON") from error
    if not isinstance(value, dict) or _deeper_than(value, MAX_DEPTH):
        raise DocumentMalformed(f"the document must be a JSON object, at most {MAX_DEPTH} levels deep")
    return value


def _deeper_than(value: Any, most: int) -> bool:
    """Level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(outer, dict | list) for outer in level)


class Claims:
    """Typed, bounded access to the members of a JSON object. Every getter raises `DocumentMalformed`."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members

    def only(self, *names: str) -> "Claims":
        """Refuse members this version does not know: a reader must not skip over a restriction."""
        unknown = set(self.members) - set(names)
        if unknown:
            raise DocumentMalformed(f"unknown member; this version knows: {', '.join(sorted(names))}")
        return self

    def text(self, name: str, *, most: int = 256) -> str:
        value = self.members.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= most or _CONTROL.search(value):
            raise DocumentMalformed(f"member {name} must be a text of 1 to {most} characters, none a control character")
        return value

    def digest(self, name: str) -> str:
        """64 lower-case hexadecimal digits."""
        value = self.text(name, most=64)
        if not _DIGEST.fullmatch(value):
            raise DocumentMalformed(f"member {name} must be 64 hexadecimal digits")
        return value

    def optional_text(self, name: str, *, most: int = 256) -> str | None:
        return self.text(name, most=most) if name in self.members else None

    def integer(self, name: str, least: int, most: int) -> int:
        value = self.members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise DocumentMalformed(f"member {name} must be an integer from {least} to {most}")
        return value

    def flag(self, name: str) -> bool:
        value = self.members.get(name, False)
        if not isinstance(value, bool):
            raise DocumentMalformed(f"member {name} must be true or false")
        return value

    def texts(self, name: str, *, most: int, each: int = 256) -> tuple[str, ...]:
        """1 to `most` distinct texts."""
        value = self.members.get(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise DocumentMalformed(f"member {name} must be a list of 1 to {most} texts")
        if any(not isinstance(v, str) or not 1 <= len(v) <= each for v in value) or len(set(value)) != len(value):
            raise DocumentMalformed(f"member {name} must hold distinct texts of at most {each} characters")
        return tuple(value)

    def objects(self, name: str, *, most: int) -> tuple["Claims", ...]:
        value = self.members.get(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most or any(not isinstance(v, dict) for v in value):
            raise DocumentMalformed(f"member {name} must be a list of 1 to {most} objects")
        return tuple(Claims(v) for v in value)

    def instant(self, name: str) -> int:
        """Seconds since 1970-01-01 UTC, up to the year 9999."""
        return self.integer(name, 0, 253_402_300_799)
