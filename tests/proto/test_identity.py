"""Certificates: one trust anchor a role, and nothing else vouches for anybody."""

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xinyidai.identity import (
    CertificateInvalid,
    Identity,
    Role,
    TrustAnchor,
    identity_of,
    load_chain,
    thumbprint,
    verify_with_chain,
)
from xinyidai.signing import DocumentError, SignatureInvalid, SigningKey

from tests.support.certificates import Authority, Leaf, make_authority

DAY = timedelta(days=1)
ROOT = make_authority("Banks CA")
ANCHOR = ROOT.anchor(Role.BANK)
BANK = ROOT.issue(Role.BANK, "bank-a")
TYP = "test+jwt"


def refused(leaf: Leaf, anchor: TrustAnchor = ANCHOR, at: datetime | None = None) -> None:
    with pytest.raises(CertificateInvalid):
        anchor.verify(leaf.chain, at)


def accepted(leaf: Leaf, anchor: TrustAnchor = ANCHOR) -> None:
    assert anchor.verify(leaf.chain).name == "bank-a"


def test_the_authority_vouches_for_its_own() -> None:
    assert ANCHOR.verify(BANK.chain) == Identity(Role.BANK, "bank-a")
    assert ANCHOR.verify([*BANK.chain, ROOT.certificate]) == Identity(Role.BANK, "bank-a"), "the root may be sent along"
    assert TrustAnchor.from_pem(Role.BANK, ROOT.pem).verify(load_chain(BANK.chain_pem)).name == "bank-a"


def test_through_an_intermediate() -> None:
    middle = make_authority("Banks CA, branch", issuer=ROOT)
    assert ANCHOR.verify(middle.issue(Role.BANK, "bank-b").chain).name == "bank-b"


def test_a_document_carries_its_signers_certificates() -> None:
    raw = BANK.signing_key().sign({"a": 1}, TYP, with_chain=True)
    signed = verify_with_chain(raw, TYP, ANCHOR)
    assert (signed.identity.name, signed.thumbprint) == ("bank-a", BANK.thumbprint)
    assert signed.claims.members == {"a": 1}


def test_ed25519_certificates_sign_as_well() -> None:
    leaf = ROOT.issue(Role.BANK, "bank-c", key=ed25519.Ed25519PrivateKey.generate())
    assert verify_with_chain(leaf.signing_key().sign({}, TYP, with_chain=True), TYP, ANCHOR).identity.name == "bank-c"


# --- Who must not pass ----------------------------------------------------------------------------------------------


def test_another_roles_authority_vouches_for_no_bank() -> None:
    platform = make_authority("Platform CA")
    refused(platform.issue(Role.BANK, "bank-a"))
    refused(ROOT.issue(Role.ENTERPRISE, "914403001922038216"))
    refused(BANK, ROOT.anchor(Role.ENTERPRISE))


def test_a_root_of_the_same_name_is_not_the_root() -> None:
    refused(make_authority("Banks CA").issue(Role.BANK, "bank-a"))
    forged = make_authority("Banks CA")
    leaf = forged.issue(Role.BANK, "bank-a")
    refused(Leaf(leaf.certificate, leaf.key, (leaf.certificate, forged.certificate)))
    refused(Leaf(leaf.certificate, leaf.key, (leaf.certificate, ROOT.certificate)))


def test_a_bank_is_no_authority() -> None:
    assert isinstance(BANK.key, ec.EllipticCurvePrivateKey)
    upstart = Authority(BANK.certificate, BANK.key)
    refused(upstart.issue(Role.BANK, "bank-z"))


def test_an_issuer_without_the_ca_flag_or_the_usage_is_none() -> None:
    for middle in (
        make_authority("Not a CA", issuer=ROOT, is_ca=False),
        make_authority("May not sign certificates", issuer=ROOT, signs_certificates=False),
    ):
        refused(middle.issue(Role.BANK, "bank-a"))


def test_the_path_length_holds() -> None:
    root = make_authority("Short CA", path_length=0)
    anchor = root.anchor(Role.BANK)
    assert anchor.verify(root.issue(Role.BANK, "bank-a").chain).name == "bank-a"
    refused(make_authority("Below", issuer=root).issue(Role.BANK, "bank-a"), anchor)


def test_a_chain_is_three_certificates_at_most() -> None:
    low = make_authority("Low", issuer=make_authority("Middle", issuer=ROOT))
    assert ANCHOR.verify(low.issue(Role.BANK, "bank-a").chain).name == "bank-a"
    refused(make_authority("Lower", issuer=low).issue(Role.BANK, "bank-a"))
    with pytest.raises(CertificateInvalid):
        ANCHOR.verify(())


def test_times_are_checked_of_every_certificate() -> None:
    now = datetime.now(UTC)
    refused(ROOT.issue(Role.BANK, "bank-a", start=now - 3 * DAY, lifetime=2 * DAY))
    refused(ROOT.issue(Role.BANK, "bank-a", start=now + DAY))
    refused(BANK, at=now - 2 * DAY)
    refused(BANK, at=now + 400 * DAY)
    old = make_authority("Old branch", issuer=ROOT, start=now - 3 * DAY, lifetime=2 * DAY)
    refused(old.issue(Role.BANK, "bank-a"))
    expired = make_authority("Old root", start=now - 3 * DAY, lifetime=2 * DAY)
    refused(expired.issue(Role.BANK, "bank-a"), expired.anchor(Role.BANK))


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
NAMES = x509.NameConstraints([x509.DNSName("bank-a.example")], None)


@pytest.mark.parametrize(
    "extension", [UNKNOWN, NAMES, x509.PolicyConstraints(0, 0)], ids=lambda one: type(one).__name__
)
def test_a_critical_extension_nobody_here_knows_is_refused_in_every_certificate(extension: x509.ExtensionType) -> None:
    """RFC 5280, 4.2. Whoever wrote it limits what the certificate is good for, in a way that is not checked here."""
    for critical, verdict in ((False, accepted), (True, refused)):
        extensions = [(extension, critical)]
        verdict(ROOT.issue(Role.BANK, "bank-a", extensions=extensions))
        branch = make_authority("Limited branch", issuer=ROOT, extensions=extensions)
        verdict(branch.issue(Role.BANK, "bank-a"))
        root = make_authority("Limited root", extensions=extensions)
        verdict(root.issue(Role.BANK, "bank-a"), root.anchor(Role.BANK))


def test_a_critical_extension_is_refused_in_a_signed_document_too() -> None:
    limited = ROOT.issue(Role.BANK, "bank-a", extensions=[(UNKNOWN, True)])
    with pytest.raises(CertificateInvalid):
        verify_with_chain(limited.signing_key().sign({}, TYP, with_chain=True), TYP, ANCHOR)


def test_a_leaf_signs_documents_and_nothing_else() -> None:
    refused(ROOT.issue(Role.BANK, "bank-a", is_ca=True))
    refused(ROOT.issue(Role.BANK, "bank-a", signs_documents=False))
    root_itself = Leaf(ROOT.certificate, ROOT.key, (ROOT.certificate,))
    refused(root_itself)


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["urn:xinyidai:bank:a", "urn:xinyidai:bank:b"],
        ["urn:xinyidai:bank"],
        ["urn:xinyidai:bank:a:b"],
        ["urn:xinyidai:king:a"],
        ["https://bank-a.example"],
        ["URN:XINYIDAI:bank:a"],
    ],
)
def test_a_certificate_names_exactly_one_identity(uris: list[str]) -> None:
    leaf = ROOT.issue(Role.BANK, "bank-a", uris=uris)
    with pytest.raises(CertificateInvalid):
        identity_of(leaf.certificate)
    refused(leaf)


def test_other_names_beside_the_identity_do_no_harm() -> None:
    leaf = ROOT.issue(Role.ENCLAVE, "enclave-a", localhost=True)
    assert identity_of(leaf.certificate) == Identity(Role.ENCLAVE, "enclave-a")


def test_an_authority_renews_its_key_under_its_name() -> None:
    """Both roots stand in the anchor for a while; leaves of either must verify."""
    renewed = make_authority("Banks CA")
    for roots in ([ROOT.certificate, renewed.certificate], [renewed.certificate, ROOT.certificate]):
        anchor = TrustAnchor(Role.BANK, roots)
        for authority in (ROOT, renewed):
            assert anchor.verify(authority.issue(Role.BANK, "bank-a").chain).name == "bank-a"


# --- Documents with chains ------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_first_certificate() -> None:
    other = ROOT.issue(Role.BANK, "bank-b")
    raw = BANK.signing_key().with_chain(other.chain).sign({}, TYP, with_chain=True)
    with pytest.raises(SignatureInvalid):
        verify_with_chain(raw, TYP, ANCHOR)


@pytest.mark.parametrize("x5c", [None, [], "text", [1], ["not base64!"], ["AAAA"], [{}], ["A"] * 4, [None]])
def test_a_header_without_certificates_is_refused_by_type(x5c: object) -> None:
    header = urlsafe_b64encode(json.dumps({"alg": "ES256", "typ": TYP, "x5c": x5c}).encode()).decode().rstrip("=")
    with pytest.raises(DocumentError):
        verify_with_chain(f"{header}.e30.AAAA", TYP, ANCHOR)


def test_a_certificate_with_another_kind_of_key_is_refused_by_type() -> None:
    leaf = ROOT.issue(Role.BANK, "bank-a", key=rsa.generate_private_key(65537, 2048))  # type: ignore[arg-type]
    raw = SigningKey.generate("ES256").with_chain(leaf.chain).sign({}, TYP, with_chain=True)
    with pytest.raises(DocumentError):
        verify_with_chain(raw, TYP, ANCHOR)


MIDDLE = make_authority("Banks CA, branch", issuer=ROOT)
BELOW = MIDDLE.issue(Role.BANK, "bank-a")
DER = [certificate.public_bytes(Encoding.DER) for certificate in BELOW.chain]


def refused_in_a_header(certificates: list[bytes]) -> None:
    """Met in the header of a document nobody has verified; the signature is worthless on purpose."""
    x5c = [b64encode(raw).decode() for raw in certificates]
    header = urlsafe_b64encode(json.dumps({"alg": "ES256", "typ": TYP, "x5c": x5c}).encode()).decode().rstrip("=")
    with pytest.raises(DocumentError):
        verify_with_chain(f"{header}.e30.AAAA", TYP, ANCHOR)


@example(1, [(357, 128)])  # a negative serial number
@given(
    st.integers(0, 1),
    st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=3),
)
@settings(deadline=None, max_examples=300)
def test_a_damaged_certificate_is_refused_by_type(which: int, edits: list[tuple[int, int]]) -> None:
    damaged = [bytearray(raw) for raw in DER]
    for at, value in edits:
        damaged[which][at % len(damaged[which])] = value
    refused_in_a_header([bytes(raw) for raw in damaged])


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a003020102", "a003020101"),  # version 3 becomes 2
        ("a003020102", "a003020107"),  # ... or 8
        ("2a8648ce3d030107", "2a8648ce3d030199"),  # P-256 becomes a curve nobody knows
        ("2a8648ce3d0201", "2a8648ce3d0209"),  # an elliptic key becomes a key of a kind nobody knows
        ("2a8648ce3d040302", "2a8648ce3d040309"),  # ECDSA with SHA-256 becomes a signature nobody knows
        ("0603551d0f", "0603551d13"),  # keyUsage becomes a second basicConstraints
    ],
    ids=["version 2", "version 8", "unknown curve", "unknown key", "unknown signature", "repeated extension"],
)
def test_a_certificate_of_unknown_make_is_refused_by_type(which: int, old: str, new: str) -> None:
    damaged = list(DER)
    damaged[which] = DER[which].replace(bytes.fromhex(old), bytes.fromhex(new))
    assert damaged[which] != DER[which]
    refused_in_a_header(damaged)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_chain(raw: bytes) -> None:
    with pytest.raises(CertificateInvalid):
        load_chain(raw)
    with pytest.raises(CertificateInvalid):
        load_chain(b"-----BEGIN CERTIFICATE-----\n" + raw + b"\n-----END CERTIFICATE-----\n")


def test_a_thumbprint_is_that_of_rfc_8705() -> None:
    der = BANK.certificate.public_bytes(Encoding.DER)
    assert thumbprint(BANK.certificate) == urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    assert len(thumbprint(BANK.certificate)) == 43
