"""Signed documents: what verifies, and everything that must not. Verification raises; there is no bool to forget."""

import base64
import hashlib
import hmac
import json
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.signing import (
    MAX_DOCUMENT_BYTES,
    Claims,
    DocumentError,
    DocumentMalformed,
    SignatureInvalid,
    SigningKey,
    VerifyingKey,
    read_header,
    read_unverified,
)

TYP = "test+jwt"
KEYS = {algorithm: SigningKey.generate(algorithm) for algorithm in ("ES256", "Ed25519")}
ED = KEYS["Ed25519"]


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token(header: object, payload: bytes, key: ed25519.Ed25519PrivateKey | None = None) -> str:
    """A compact JWS put together by hand; signed when a key is given."""
    text = header if isinstance(header, str) else json.dumps(header)
    signed = f"{encode(text.encode())}.{encode(payload)}"
    return f"{signed}.{encode(key.sign(signed.encode())) if key else ''}"


def own_key() -> tuple[ed25519.Ed25519PrivateKey, VerifyingKey]:
    key = ed25519.Ed25519PrivateKey.generate()
    return key, VerifyingKey(key.public_key())


@pytest.mark.parametrize("algorithm", KEYS)
def test_what_is_signed_verifies_and_reads_the_same(algorithm: str) -> None:
    key = KEYS[algorithm]
    claims = {"iss": "连云港", "exp": 1, "list": ["a"], "deep": {"x": True}}
    raw = key.sign(claims, TYP)
    assert key.public.verify(raw, TYP).members == claims
    assert VerifyingKey.from_pem(key.public.to_pem()).verify(raw, TYP).members == claims
    assert read_header(raw) == {"alg": algorithm, "typ": TYP}


@pytest.mark.parametrize("algorithm", KEYS)
def test_the_signature_is_the_standard_one(algorithm: str) -> None:
    """Checked with the primitives alone: RFC 7515 signing input, RFC 7518 r||s, RFC 8037."""
    head, body, tail = KEYS[algorithm].sign({"a": 1}, TYP).split(".")
    public, signature, signed = KEYS[algorithm].public.public, decode(tail), f"{head}.{body}".encode()
    assert len(signature) == 64
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, signed)
    else:
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


# --- Published vectors ----------------------------------------------------------------------------------------------

RFC8037_D, RFC8037_X = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC8037_A4 = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
RFC7515_X, RFC7515_Y = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
RFC7515_A3 = (
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)


def test_rfc_8037_key_and_thumbprint() -> None:
    key = SigningKey(ed25519.Ed25519PrivateKey.from_private_bytes(decode(RFC8037_D)))
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    assert encode(key.public.public.public_bytes(*raw)) == RFC8037_X
    assert key.public.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037, A.3"


def test_genuine_documents_of_other_profiles_are_not_ours() -> None:
    """The vectors' own signatures hold, yet they name no type, and one the retired algorithm name EdDSA."""
    ed = ed25519.Ed25519PublicKey.from_public_bytes(decode(RFC8037_X))
    p256 = ec.EllipticCurvePublicNumbers(
        int.from_bytes(decode(RFC7515_X), "big"), int.from_bytes(decode(RFC7515_Y), "big"), ec.SECP256R1()
    ).public_key()
    head, body, tail = RFC8037_A4.split(".")
    ed.verify(decode(tail), f"{head}.{body}".encode())
    head, body, tail = RFC7515_A3.split(".")
    r, s = (int.from_bytes(half, "big") for half in (decode(tail)[:32], decode(tail)[32:]))
    p256.verify(encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    for public, raw in ((ed, RFC8037_A4), (p256, RFC7515_A3)):
        with pytest.raises(DocumentMalformed, match="type"):
            VerifyingKey(public).verify(raw, TYP)


# --- Confusion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "", "HS256", "EdDSA", "ES256", "ES384", "RS256", None, 7, ["Ed25519"]]
)
def test_no_other_algorithm_is_accepted_even_with_a_right_signature(algorithm: Any) -> None:
    private, public = own_key()
    raw = token({"alg": algorithm, "typ": TYP}, b'{"a":1}', private)
    with pytest.raises(SignatureInvalid):
        public.verify(raw, TYP)


def test_an_unsigned_document_is_refused() -> None:
    _, public = own_key()
    for algorithm in ("none", "Ed25519"):
        with pytest.raises(SignatureInvalid):
            public.verify(token({"alg": algorithm, "typ": TYP}, b'{"a":1}'), TYP)


@pytest.mark.parametrize("algorithm", KEYS)
def test_the_public_key_is_no_shared_secret(algorithm: str) -> None:
    """The classic confusion: an HMAC under the public key's bytes."""
    public = KEYS[algorithm].public
    signed = f"{encode(json.dumps({'alg': 'HS256', 'typ': TYP}).encode())}.{encode(b'{}')}"
    tag = hmac.new(public.to_pem(), signed.encode(), hashlib.sha256).digest()
    with pytest.raises(SignatureInvalid):
        public.verify(f"{signed}.{encode(tag)}", TYP)


def test_one_keys_document_is_not_anothers() -> None:
    for key in (SigningKey.generate("ES256"), SigningKey.generate("Ed25519")):
        with pytest.raises(SignatureInvalid):
            key.public.verify(ED.sign({"a": 1}, TYP), TYP)


@pytest.mark.parametrize("typ", ["other+jwt", "TEST+jwt", "test+jwt ", ""])
def test_one_kind_of_document_is_not_another(typ: str) -> None:
    with pytest.raises(DocumentMalformed, match="type"):
        ED.public.verify(ED.sign({"a": 1}, TYP), typ)


def test_critical_headers_are_refused() -> None:
    private, public = own_key()
    header = {"alg": "Ed25519", "typ": TYP, "crit": ["b64"], "b64": False}
    with pytest.raises(SignatureInvalid):
        public.verify(token(header, b'{"a":1}', private), TYP)


def test_a_key_inside_the_header_is_not_used() -> None:
    private, _ = own_key()
    raw_public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(raw_public)}
    with pytest.raises(SignatureInvalid):
        ED.public.verify(token({"alg": "Ed25519", "typ": TYP, "jwk": jwk}, b'{"a":1}', private), TYP)


HEADER_NAMES = ("alg", "typ", "kid", "jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "cty", "crit", "b64", "enc", "zip")
ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.text(max_size=3), max_size=2)


@given(st.dictionaries(st.sampled_from(HEADER_NAMES) | st.text(max_size=3), ODD, max_size=4))
@settings(deadline=None)
def test_any_header_verifies_or_is_refused_by_type(extra: dict[str, Any]) -> None:
    private, public = own_key()
    try:
        claims = public.verify(token({"alg": "Ed25519", "typ": TYP, **extra}, b'{"a":1}', private), TYP)
    except DocumentError:
        return
    assert claims.members == {"a": 1}
    assert {"alg": "Ed25519", "typ": TYP, **extra}["alg"] == "Ed25519"


# --- Strict JSON ----------------------------------------------------------------------------------------------------

MALFORMED = {
    "a repeated member": b'{"a":1,"a":2}',
    "a repeated member deep down": b'{"x":{"a":1,"a":1}}',
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "a list": b"[1]",
    "a text": b'"a"',
    "nothing": b"",
    "a comma too many": b'{"a":1,}',
    "bytes that are no UTF-8": b'{"a":"\xff"}',
    "nine levels": b'{"a":' * 8 + b"{}" + b"}" * 8,
    "two hundred levels": b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
    "a thousand levels": b'{"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "ten thousand levels": b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a number of 5,000 digits": b'{"a":' + b"1" * 5_000 + b"}",
    "half a surrogate pair": b'{"a":"\\ud800"}',
}


@pytest.mark.parametrize("levels", [100, 400, 500, 700, 900])
def test_depth_is_refused_by_type_at_every_depth(levels: int) -> None:
    private, public = own_key()
    payload = b'{"a":' + b"[" * levels + b"]" * levels + b"}"
    with pytest.raises(DocumentMalformed):
        public.verify(token({"alg": "Ed25519", "typ": TYP}, payload, private), TYP)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_signature_does_not_make_nonsense_acceptable(name: str) -> None:
    private, public = own_key()
    raw = token({"alg": "Ed25519", "typ": TYP}, MALFORMED[name], private)
    with pytest.raises(DocumentMalformed):
        public.verify(raw, TYP)
    with pytest.raises(DocumentMalformed):
        read_unverified(raw)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_header_is_read_as_strictly(name: str) -> None:
    raw = f"{encode(MALFORMED[name])}.{encode(b'{}')}.AA"
    with pytest.raises(DocumentMalformed):
        read_header(raw)


def test_eight_levels_are_enough_for_anything_of_ours() -> None:
    deep: dict[str, Any] = {}
    for _ in range(7):
        deep = {"a": deep}
    assert ED.public.verify(ED.sign(deep, TYP), TYP).members == deep


def test_nan_is_not_signed_either() -> None:
    with pytest.raises(ValueError, match="JSON"):
        ED.sign({"a": float("nan")}, TYP)


def test_a_document_too_large_is_refused_unread() -> None:
    raw = ED.sign({"a": "x" * MAX_DOCUMENT_BYTES}, TYP)
    with pytest.raises(DocumentMalformed, match="size"):
        ED.public.verify(raw, TYP)


@pytest.mark.parametrize("raw", ["", ".", "..", "a.b", "a.b.c.d", "é.b.c", "e30.e30.", "!!.e30.AA", "e3.e30.AA"])
def test_what_is_no_compact_jws_is_refused(raw: str) -> None:
    with pytest.raises(DocumentError):
        ED.public.verify(raw, TYP)


@given(st.text(max_size=200))
def test_any_text_is_refused_by_type(raw: str) -> None:
    with pytest.raises(DocumentError):
        ED.public.verify(raw, TYP)
    for read in (read_header, read_unverified):
        try:
            read(raw)
        except DocumentError:
            pass


SIGNED = ED.sign({"iss": "bank-a", "n": 12}, TYP)


@given(st.integers(0, len(SIGNED) - 1), st.sampled_from("ABCabc019-_.=+/ \n"))
@settings(max_examples=300)
def test_no_changed_character_verifies_as_something_else(at: int, character: str) -> None:
    changed = SIGNED[:at] + character + SIGNED[at + 1 :]
    try:
        assert ED.public.verify(changed, TYP).members == {"iss": "bank-a", "n": 12}
    except DocumentError:
        return
    assert changed.rsplit(".", 1)[0] == SIGNED.rsplit(".", 1)[0], "only the unused bits of the last character may vary"


# --- Typed access ---------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_every_getter_returns_its_type_or_raises(value: Any) -> None:
    claims = Claims({"m": value})
    getters: dict[str, tuple[Any, type]] = {
        "text": (lambda: claims.text("m", most=4), str),
        "integer": (lambda: claims.integer("m", 0, 10), int),
        "flag": (lambda: claims.flag("m"), bool),
        "texts": (lambda: claims.texts("m", most=2), tuple),
        "objects": (lambda: claims.objects("m", most=2), tuple),
        "instant": (lambda: claims.instant("m"), int),
    }
    for get, kind in getters.values():
        try:
            assert type(get()) is kind
        except DocumentMalformed:
            pass


def test_true_is_no_number_and_one_is_no_truth() -> None:
    with pytest.raises(DocumentMalformed):
        Claims({"m": True}).integer("m", 0, 1)
    with pytest.raises(DocumentMalformed):
        Claims({"m": 1}).flag("m")
    with pytest.raises(DocumentMalformed):
        Claims({"m": 1.0}).integer("m", 0, 1)


def test_an_unknown_member_may_be_a_restriction() -> None:
    with pytest.raises(DocumentMalformed, match="unknown"):
        Claims({"a": 1, "only_on_sundays": True}).only("a")


# --- Keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_neither_prints_nor_pickles_and_is_stored_encrypted(algorithm: str) -> None:
    key = KEYS[algorithm]
    assert "redacted" in repr(key) and not hasattr(key, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(key)
    pem = key.to_encrypted_pem(b"correct horse")
    assert b"ENCRYPTED" in pem
    assert SigningKey.from_pem(pem, b"correct horse").public.thumbprint == key.public.thumbprint
    for passphrase in (b"wrong", None):
        with pytest.raises(DocumentMalformed, match="passphrase"):
            SigningKey.from_pem(pem, passphrase)


def test_other_kinds_of_key_are_refused() -> None:
    others: list[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey] = [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed448.Ed448PrivateKey.generate(),
    ]
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    for private in others:
        with pytest.raises(DocumentMalformed, match="P-256"):
            SigningKey.from_pem(private.private_bytes(serialization.Encoding.PEM, *plain))
        with pytest.raises(DocumentMalformed, match="P-256"):
            VerifyingKey.from_pem(private.public_key().public_bytes(serialization.Encoding.PEM, spki))
    with pytest.raises(DocumentMalformed):
        SigningKey.generate("RS256")
    with pytest.raises(DocumentMalformed):
        VerifyingKey.from_pem(b"no key at all")


def test_the_signature_input_is_not_the_decoded_content() -> None:
    """The same claims in other bytes are another document."""
    private, public = own_key()
    raw = token({"alg": "Ed25519", "typ": TYP}, b'{"a":1}', private)
    (head, _, tail), spaced = raw.split("."), b'{ "a":1}'
    with pytest.raises(SignatureInvalid):
        public.verify(f"{head}.{encode(spaced)}.{tail}", TYP)
