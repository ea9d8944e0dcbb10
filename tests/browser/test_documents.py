"""What the browser signs, seals and shows is what the Python side signs, opens and shows, to the last byte."""

import json
import time
from dataclasses import replace
from random import Random
from typing import Any

from cryptography import x509
from joserfc.jwk import ECKey
from playwright.sync_api import Page
from xinyidai.acknowledgement import Acknowledgement
from xinyidai.authorization import Authorization, Disclosure, read_unverified_authorization, verify_authorization
from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.delegation import key_claims
from xinyidai.disputes import ObjectionKind, open_objection
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.notice import render_notice
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.proposals import Proposal, check_narrower, check_within_proposal
from xinyidai.purposes import DAY_SECONDS, PURPOSES
from xinyidai.receipt import RECEIPT_TYPE
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, SigningKey, VerifyingKey, read_header, read_unverified, signed_digest

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
        parent=random.choice([None, "ab" * 32]),
        request=random.choice([None, "cd" * 32]),
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


def test_nothing_counts_as_done_without_the_enclaves_word_for_exactly_it(page: Page) -> None:
    authority = make_authority("enclave")
    enclave, other = (authority.issue(Role.ENCLAVE, name).signing_key() for name in ("e-1", "e-2"))
    firm = SigningKey.generate("ES256")
    statement, another = (firm.sign({"sub": FIRM, "jti": text}, "statement+jwt") for text in ("a", "b"))
    grant = "ab" * 32
    word = Acknowledgement(
        enclave=parse_enclave_id("e-1"), enterprise=FIRM, kind="revoke", document=signed_digest(statement),
        authorization=grant, state="revoked", sequence=1, done_at=int(time.time()),
    )  # fmt: skip
    tried = [
        word.sign(enclave),
        "",
        word.sign(other),
        replace(word, kind="pause").sign(enclave),
        replace(word, document=signed_digest(another)).sign(enclave),
        replace(word, authorization="cd" * 32).sign(enclave),
        replace(word, enterprise=parse_uscc(uscc_number(8))).sign(enclave),
    ]
    believed = page.evaluate(
        """async ([tried, root, uscc, statement, grant]) => {
            const { requireAcknowledgement } = await load('acknowledgements.js');
            const { certificatesOf } = await load('certificates.js');
            const device = { uscc, enclaveRoots: certificatesOf(root) };
            const check = (word) => requireAcknowledgement(device, word, statement, 'revoke', grant);
            const one = (acknowledgement) => check({ acknowledgement }).then(() => true, () => false);
            return Promise.all(tried.map(one)); }""",
        [tried, authority.pem.decode(), str(FIRM), statement, grant],
    )
    assert believed == [True, False, False, False, False, False, False]


def test_an_objection_opens_for_the_enclave_and_all_are_equally_long(page: Page) -> None:
    enclave = OpeningKey.generate()
    texts = ["", '七月已补缴 <b>&"', "字" * 1000]
    sealed = page.evaluate(
        """async ([texts, key]) => {
            const { sealObjection } = await load('documents.js');
            const one = (text) => sealObjection('tax_payment', '记录-1', { kind: 'wrong_list', text }, key);
            return Promise.all(texts.map(one)); }""",
        [texts, enclave.public.claims()],
    )
    opened = [open_objection(one, enclave) for one in sealed]
    assert [one.text for one in opened] == texts and len({len(one) for one in sealed}) == 1
    assert {(one.record.record_id, one.kind) for one in opened} == {("记录-1", ObjectionKind.WRONG_LIST)}


def test_what_accepts_a_request_or_narrows_a_grant_is_never_wider_whatever_was_chosen(page: Page) -> None:
    """The enclave's own check passes what the browser drafts, also when more was typed than there is."""
    random = Random(9)
    parents = [replace(random_grant(random), term_end=None, parent=None) for _ in range(40)]
    chosen = [
        {"categories": list(one.categories[:1]), "uses": random.randint(1, 90), "days": random.randint(1, 500),
         "precision": random.randint(0, 31)}
        for one in parents
    ]  # fmt: skip
    begin = int(time.time()) - 1000
    parents = [replace(one, not_before=begin, expires_at=begin + 90 * DAY_SECONDS) for one in parents]
    proposals = [_proposal(one) for one in parents]
    accepted, narrowed = page.evaluate(
        """async ([chosen, parents, proposals, uscc]) => {
            const { acceptDraft, narrowDraft } = await load('consent.js');
            const bank = { id: 'bank-a', certificate_thumbprint: 't'.repeat(43) };
            const request = (terms) => ({ digest: 'e'.repeat(64), terms, bank });
            const entry = (terms) => ({ digest: 'f'.repeat(64), terms, assessments: 0 });
            return [chosen.map((one, at) => acceptDraft({ uscc }, request(proposals[at]), one)),
                chosen.map((one, at) => narrowDraft(entry(parents[at]), one))]; }""",
        [chosen, [one.claims() for one in parents], [_claims(one) for one in proposals], FIRM],
    )
    key = SigningKey.generate("ES256")

    def read(draft: dict[str, Any]) -> Authorization:
        return verify_authorization(key.sign({**draft, "notice_hash": "0" * 64}, "authz+jwt"), key.public)

    for parent, proposal, one, other in zip(parents, proposals, accepted, narrowed, strict=True):
        check_within_proposal(read(one), proposal, "bank-a", "t" * 43)
        check_narrower(read(other), parent, parent.max_assessments)
        assert (read(one).request, read(other).parent) == ("e" * 64, "f" * 64)


def _proposal(like: Authorization) -> Proposal:
    names = (
        "enterprise", "categories", "purpose", "purpose_version", "disclosure", "precision_points", "max_assessments",
        "catalogue", "catalogue_digest",
    )  # fmt: skip
    stamp = Stamp(like.bank, like.enclaves, "n" * 24, like.issued_at, like.issued_at + 240)
    terms: dict[str, Any] = {name: getattr(like, name) for name in names}
    return Proposal(stamp, valid_days=60, respond_by=like.issued_at + DAY_SECONDS, **terms)


def _claims(proposal: Proposal) -> dict[str, Any]:
    raw = proposal.sign(make_authority("Banks").issue(Role.BANK, "bank-a").signing_key())
    return dict(read_unverified(raw).members)


def test_a_delegates_key_is_read_as_the_enclave_reads_it_and_a_private_key_is_turned_away(page: Page) -> None:
    keys = [SigningKey.generate("ES256"), SigningKey.generate("Ed25519")]
    good = [json.dumps({**key_claims(key.public), "alg": "x", "kid": "7"}) for key in keys]
    good.append(keys[0].public.to_pem().decode())
    private = ECKey.generate_key("P-256", private=True).as_dict(private=True)
    bad = [json.dumps(private), "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"]
    bad += ["", "null", "[1]", "-----BEGIN PUBLIC KEY-----"]
    bad += ['{"kty":"EC","crv":"P-256","x":"A"}', '{"kty":"RSA","n":"x","e":"y"}']
    read, refused = page.evaluate(
        """async ([good, bad]) => {
            const { readKey } = await load('consent.js');
            return [await Promise.all(good.map(readKey)),
                await Promise.all(bad.map((text) => readKey(text).then(() => '', (error) => error.message)))]; }""",
        [good, bad],
    )
    expected = [keys[0].public, keys[1].public, keys[0].public]
    assert [one["thumbprint"] for one in read] == [key.thumbprint for key in expected]
    assert [one["key"] for one in read] == [key_claims(key) for key in expected]
    assert refused == ["private", "private", *["key"] * 6]
