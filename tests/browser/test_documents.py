"""What the browser signs, seals and shows is what the Python side signs, opens and shows, to the last byte."""

import json
import time
from random import Random

from cryptography import x509
from playwright.sync_api import Page
from xinyidai.authorization import Authorization, Disclosure, read_unverified_authorization, verify_authorization
from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.disputes import open_objection
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.notice import render_notice
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import PURPOSES
from xinyidai.receipt import RECEIPT_TYPE
from xinyidai.signing import Claims, SigningKey, VerifyingKey, read_header, signed_digest

from tests.support.certificates import Authority, make_authority
from tests.support.parties import uscc_number

FIRM = parse_uscc(uscc_number(7))
CATALOGUE = builtin_catalogue()


def random_grant(random: Random) -> Authorization:
    purpose = random.choice(list(PURPOSES.values()))
    chosen = random.sample(CATALOGUE.categories, random.randint(1, len(CATALOGUE.categories)))
    begin = random.randrange(1 << 31)
    return Authorization(
        enterprise=FIRM,
        enclaves=tuple(parse_enclave_id(f"e-{n}") for n in range(random.randint(1, 3))),
        authorization_id="n" * 24,
        issued_at=begin,
        not_before=begin,
        expires_at=begin + random.randrange(1, 1 << 30),
        bank=parse_bank_id("bank-a"),
        bank_certificate="t" * 43,
        notice_hash="0" * 64,
        categories=tuple(c.code for c in CATALOGUE.categories if c in chosen),
        purpose=purpose.code,
        purpose_version=purpose.version,
        disclosure=random.choice(list(Disclosure)),
        precision_points=random.randint(0, LINEAR_4096_T1024.max_precision_points),
        max_assessments=random.randint(1, 60),
        catalogue=CATALOGUE.reference,
        catalogue_digest=CATALOGUE.digest,
    )


def test_the_notice_is_the_same_text_in_both_languages_of_programming(page: Page) -> None:
    random = Random(5)
    grants = [random_grant(random) for _ in range(200)]
    shown = page.evaluate(
        """async ([claims, document]) => {
            const { renderNotice } = await load('notice.js');
            const terms = await (await fetch('/portal/api/terms')).json();
            return claims.map((one) => renderNotice(one, document, terms)); }""",
        [[grant.claims() for grant in grants], json.loads(CATALOGUE.canonical)],
    )
    assert shown == [render_notice(grant, CATALOGUE) for grant in grants]


def test_a_grant_signed_in_the_browser_verifies_and_names_itself_alike(page: Page) -> None:
    grant = random_grant(Random(6))
    raw, digest, jwk = page.evaluate(
        """async (claims) => {
            const { sign, signedDigest } = await load('jws.js');
            const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
            const raw = await sign(pair.privateKey, claims, 'authz+jwt');
            const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
            const { toPem } = await load('certificates.js');
            return [raw, await signedDigest(raw), toPem('PUBLIC KEY', spki)]; }""",
        grant.claims(),
    )
    assert verify_authorization(raw, VerifyingKey.from_pem(jwk.encode())) == grant
    assert signed_digest(raw) == digest and read_header(raw) == {"alg": "ES256", "typ": "authz+jwt"}
    # The same claims are the same bytes, whoever writes them.
    ours = grant.sign(SigningKey.generate("ES256"))
    assert raw.split(".")[1] == ours.split(".")[1]
    assert read_unverified_authorization(ours) == grant


def test_claims_with_any_text_are_the_same_bytes(page: Page) -> None:
    claims = {"b": '中文 "\\ / é \u2028 🙂', "a": [1, {"z": True, "y": None}], "ü": -5}
    theirs = page.evaluate("async (claims) => (await load('encoding.js')).canonical(claims)", claims)
    assert theirs == json.dumps(claims, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_the_device_key_cannot_leave_the_browser_and_its_request_is_good(page: Page) -> None:
    pem, extractable, failed = page.evaluate(
        """async (uscc) => {
            const { makeDevice, findDevice } = await load('device.js');
            await makeDevice(uscc);
            const { pair } = await findDevice(uscc);
            const { certificateRequest } = await load('certificates.js');
            let failed = '';
            try { await crypto.subtle.exportKey('pkcs8', pair.privateKey); } catch (error) { failed = error.name; }
            return [await certificateRequest(pair, uscc), pair.privateKey.extractable, failed]; }""",
        FIRM,
    )
    request = x509.load_pem_x509_csr(pem.encode())
    assert request.is_signature_valid and request.subject.rfc4514_string() == f"CN={FIRM}"
    assert (extractable, failed) == (False, "InvalidAccessError")


def test_messages_open_on_the_other_side_both_ways(page: Page) -> None:
    enclave = OpeningKey.generate()
    sealed, jwk = page.evaluate(
        """async (key) => {
            const { newReader, publicJwk, seal } = await load('jwe.js');
            globalThis.reader = await newReader();
            const name = JSON.stringify({ category: 'tax_payment', record_id: '记录-1' });
            return [await seal(name, 2048, key), await publicJwk(reader.publicKey)]; }""",
        enclave.public.claims(),
    )
    assert open_objection(sealed, enclave).record.record_id == "记录-1"
    reader = SealingKey.from_claims(Claims(jwk))
    messages = [reader.seal("得分 712".encode(), 64), OpeningKey.generate().public.seal(b"x", 64)]
    messages.append(messages[0][:-4] + "AAAA")
    opened = page.evaluate(
        """async (messages) => {
            const { open } = await load('jwe.js');
            const one = (raw) => open(raw, reader.privateKey).catch(() => null);
            return Promise.all(messages.map(one)); }""",
        messages,
    )
    assert opened == ["得分 712", None, None]


def test_only_an_enclaves_certificate_from_a_trusted_root_is_believed(page: Page) -> None:
    authority, other = make_authority("Enclaves"), make_authority("Enclaves")
    members = {"iat": int(time.time()), "jti": "n" * 24}

    def signed(issuer: Authority, role: Role, name: str, iss: str = "e-1") -> str:
        key = issuer.issue(role, name).signing_key()
        return key.sign({**members, "iss": iss}, RECEIPT_TYPE, with_chain=True)

    tried = [
        signed(authority, Role.ENCLAVE, "e-1"),
        signed(other, Role.ENCLAVE, "e-1"),
        signed(authority, Role.BANK, "e-1"),
        signed(authority, Role.ENCLAVE, "e-2"),
    ]
    believed = page.evaluate(
        """async ([tried, root]) => {
            const { verifyEnclave } = await load('jws.js');
            const { certificatesOf } = await load('certificates.js');
            const one = (raw) => verifyEnclave(raw, 'receipt+jwt', certificatesOf(root)).then(() => true, () => false);
            return Promise.all(tried.map(one)); }""",
        [tried, authority.pem.decode()],
    )
    assert believed == [True, False, False, False]
