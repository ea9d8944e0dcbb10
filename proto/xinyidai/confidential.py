"""Messages that pass the platform and that only their addressee can read: JSON Web Encryption (RFC 7516, compact), with
ECDH-ES on P-256 (RFC 7518, 4.6) and A256GCM.

Encryption says nothing of who wrote a message: what matters is signed inside, or stands in a signed document. Messages
are padded to a fixed length, so that their size tells a relay nothing.
"""

import re
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey

from xinyidai.signing import Claims, DocumentMalformed

_ALGORITHMS: Final = ("ECDH-ES", "A256GCM")
_HEADER: Final = {"alg": "ECDH-ES", "enc": "A256GCM"}
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_PAD: Final = b" "
MAX_MESSAGE_BYTES: Final = 128 * 1024


class MessageUnreadable(DocumentMalformed):
    """One type for every failure to decrypt, so that nobody learns which check failed."""

    def __init__(self) -> None:
        super().__init__("the message does not open with this key")


class _Registry(JWERegistry):
    """The library's limits are for short messages; `open` bounds the whole before it gets there."""

    max_ciphertext_length = MAX_MESSAGE_BYTES


def _registry() -> JWERegistry:
    return _Registry(algorithms=list(_ALGORITHMS))


class SealingKey:
    """A public P-256 key that messages are encrypted to."""

    __slots__ = ("_jose",)

    def __init__(self, public: ec.EllipticCurvePublicKey) -> None:
        self._jose = ECKey.import_key(public)

    @classmethod
    def from_claims(cls, claims: Claims) -> "SealingKey":
        """Of a JWK with exactly kty, crv, x and y. Raises `DocumentMalformed`, also for a point not on the curve."""
        claims.only("kty", "crv", "x", "y")
        found: dict[str, str | list[str]] = {n: claims.text(n, most=64) for n in ("kty", "crv", "x", "y")}
        if (found["kty"], found["crv"]) != ("EC", "P-256") or not all(
            _COORDINATE.fullmatch(str(found[n])) for n in "xy"
        ):
            raise DocumentMalformed("the key must be a P-256 JWK")
        try:
            return cls(ECKey.import_key(found).public_key)
        except (JoseError, ValueError) as error:
            raise DocumentMalformed("the key must be a P-256 JWK") from error

    def claims(self) -> dict[str, str]:
        """The JWK."""
        found: dict[str, Any] = self._jose.as_dict(private=False)
        return {name: str(found[name]) for name in ("kty", "crv", "x", "y")}

    def seal(self, plain: bytes, length: int) -> str:
        """Encrypt, padded with spaces to `length` bytes. Raises `ValueError` for a longer text: its size would show."""
        if len(plain) > length:
            raise ValueError(f"a message of this kind has at most {length} bytes")
        return jwe.encrypt_compact(dict(_HEADER), plain.ljust(length, _PAD), self._jose, registry=_registry())


class OpeningKey:
    """The private counterpart. It cannot be printed or pickled."""

    __slots__ = ("_jose", "_private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self._jose = ECKey.import_key(private)
        self.public = SealingKey(private.public_key())

    @classmethod
    def generate(cls) -> "OpeningKey":
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_der(cls, raw: bytes) -> "OpeningKey":
        """Raises `ValueError` unless it is what `to_der` wrote."""
        private = serialization.load_der_private_key(raw, None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise ValueError("not a P-256 key")
        return cls(private)

    def to_der(self) -> bytes:
        """PKCS #8 in the clear: for a caller that encrypts it at once."""
        no = serialization.NoEncryption()
        return self._private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, no)

    def open(self, raw: str) -> bytes:
        """The text, padding removed. Raises `MessageUnreadable`."""
        if len(raw) > MAX_MESSAGE_BYTES or not raw.isascii():
            raise MessageUnreadable()
        try:
            found = jwe.decrypt_compact(raw, self._jose, registry=_registry())
        except (JoseError, ValueError, TypeError) as error:
            raise MessageUnreadable() from error
        if found.headers().get("alg") != _HEADER["alg"] or "zip" in found.headers():
            raise MessageUnreadable()
        return bytes(found.plaintext or b"").rstrip(_PAD)

    def __repr__(self) -> str:
        return "OpeningKey(**redacted**)"

    def __reduce__(self) -> Any:
        raise TypeError("an opening key cannot be pickled")
