"""Every signed document: what is signed is what is read, and a member that is missing, extra or odd is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.authorization import (
    AUTHORIZATION_TYPE,
    Authorization,
    Disclosure,
    _parse,
    authorization_digest,
    read_unverified_authorization,
    verify_authorization,
)
from xinyidai.catalogue import builtin_catalogue
from xinyidai.disputes import DECISION_TYPE, Decision, Outcome, RecordName, parse_decision
from xinyidai.events import (
    EVENT_ACKNOWLEDGEMENT_TYPE,
    EVENT_TYPE,
    AuthorizationEvent,
    EventAcknowledgement,
    EventKind,
    Initiator,
    parse_event,
    parse_event_acknowledgement,
)
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.proposals import PROPOSAL_TYPE, Proposal, parse_proposal
from xinyidai.receipt import (
    MODEL_RECEIPT_TYPE,
    RECEIPT_TYPE,
    AnswerDigest,
    ModelReceipt,
    Receipt,
    parse_model_receipt,
    parse_receipt,
)
from xinyidai.requests import (
    MAX_SKEW_SECONDS,
    REGISTRATION_TYPE,
    REQUEST_TYPE,
    AssessmentItem,
    AssessmentRequest,
    ModelRegistration,
    Stamp,
    model_id,
    parse_registration,
    parse_request,
)
from xinyidai.signing import Claims, DocumentError, DocumentMalformed, DocumentOutOfTime, SigningKey
from xinyidai.statements import (
    ACCESS_TYPE,
    KEY_REGISTRATION_TYPE,
    STATEMENT_TYPE,
    Access,
    Action,
    KeyRegistration,
    Statement,
    parse_access,
    parse_key_registration,
    parse_statement,
)

KEY = SigningKey.generate("Ed25519")
CATALOGUE = builtin_catalogue()
USCC = parse_uscc("914403001922038216")
ENCLAVE, BANK = parse_enclave_id("enclave-a"), parse_bank_id("bank-a")
NOW = 1_790_000_000
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
# No control characters and none that turn the direction of writing.
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=40)
NONCE = st.text("abcdefghij0123456789-_", min_size=16, max_size=64)
NAME = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,62}", fullmatch=True)
INSTANT = st.integers(0, 4_000_000_000)


@st.composite
def stamps(draw: st.DrawFn, issuer: str | None = None) -> Stamp:
    issued = draw(INSTANT)
    audience = tuple(parse_enclave_id(n) for n in draw(st.lists(NAME, min_size=1, max_size=8, unique=True)))
    return Stamp(issuer or draw(NAME), audience, draw(NONCE), issued, issued + draw(st.integers(1, 300)))


@st.composite
def authorizations(draw: st.DrawFn) -> Authorization:
    start = draw(INSTANT)
    return Authorization(
        enterprise=USCC,
        enclaves=(parse_enclave_id(draw(NAME)),),
        authorization_id=draw(NONCE),
        issued_at=draw(INSTANT),
        not_before=start,
        expires_at=start + draw(st.integers(1, 10**8)),
        bank=parse_bank_id(draw(NAME)),
        bank_certificate=draw(st.text("abcXYZ019-_", min_size=43, max_size=43)),
        notice_hash=draw(HEX),
        categories=tuple(draw(st.lists(WORD, min_size=1, max_size=5, unique=True))),
        purpose=draw(WORD),
        purpose_version=draw(st.integers(1, 1_000_000)),
        disclosure=draw(st.sampled_from(Disclosure)),
        precision_points=draw(st.integers(0, 255)),
        max_assessments=draw(st.integers(1, 10_000)),
        catalogue=draw(WORD),
        catalogue_digest=draw(HEX),
        term_end=draw(st.none() | INSTANT),
        demand=draw(st.none() | WORD),
        parent=draw(st.none() | HEX),
        request=draw(st.none() | HEX),
    )


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    # Disputes have a member of their own, and tests of their own.
    actions = (
        Action.REVOKE, Action.PAUSE, Action.RESUME, Action.RECONFIRM, Action.SET_BUDGET, Action.REJECT_REQUEST,
        Action.END_DELEGATION,
    )  # fmt: skip
    action, stamp = draw(st.sampled_from(actions)), draw(stamps(USCC))
    if action is Action.REJECT_REQUEST:
        return Statement(stamp, USCC, action, request=draw(HEX))
    if action is Action.END_DELEGATION:
        return Statement(stamp, USCC, action, delegate=draw(st.text("abcXYZ019-_", min_size=43, max_size=43)))
    if action is Action.SET_BUDGET:
        return Statement(stamp, USCC, action, None, draw(st.none() | NAME), draw(st.integers(0, 100_000)))
    return Statement(stamp, USCC, action, draw(HEX))


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    stamp = draw(stamps())
    return Proposal(
        stamp=stamp,
        enterprise=USCC,
        categories=tuple(draw(st.lists(WORD, min_size=1, max_size=5, unique=True))),
        purpose=draw(WORD),
        purpose_version=draw(st.integers(1, 1_000_000)),
        disclosure=draw(st.sampled_from(Disclosure)),
        precision_points=draw(st.integers(0, 255)),
        max_assessments=draw(st.integers(1, 10_000)),
        valid_days=draw(st.integers(1, 3_660)),
        catalogue=draw(WORD),
        catalogue_digest=draw(HEX),
        respond_by=stamp.issued_at + draw(st.integers(1, 30 * 86_400)),
        term_end=draw(st.none() | INSTANT),
    )


EVENTS = st.builds(
    AuthorizationEvent,
    enclave=NAME,
    event_id=NONCE,
    bank=NAME,
    sequence=st.integers(1, 1 << 53),
    kind=st.sampled_from(EventKind),
    enterprise=st.just(USCC),
    effective_at=INSTANT,
    initiator=st.sampled_from(Initiator),
    authorization=st.none() | HEX,
    request=st.none() | HEX,
    parent=st.none() | HEX,
)
TEXT = st.just("") | WORD
RECORDS = st.builds(RecordName, WORD, WORD)
DECISIONS = st.builds(Decision, stamps(), st.just(USCC), RECORDS, st.sampled_from(Outcome), TEXT)
ITEMS = st.lists(st.builds(AssessmentItem, st.just(USCC), HEX), min_size=1, max_size=4, unique=True).map(tuple)
ANSWERS = st.lists(st.builds(AnswerDigest, st.just("") | WORD, HEX), min_size=1, max_size=3).map(tuple)
DISCLOSURE = st.sampled_from(Disclosure)
PRECISION = st.integers(0, 255)


@dataclass(frozen=True)
class Kind:
    """One kind of document: how to make any, how to read it back."""

    typ: str
    documents: st.SearchStrategy[Any]
    parse: Callable[[Claims], Any]
    optional: tuple[str, ...] = ()
    tolerant: bool = False
    """Whether unknown members are tolerated (a receipt grants nothing)."""


KINDS = {
    "authorization": Kind(AUTHORIZATION_TYPE, authorizations(), _parse),
    "registration": Kind(
        REGISTRATION_TYPE,
        st.builds(ModelRegistration, stamps(), WORD, WORD, HEX, HEX, HEX),
        parse_registration,
    ),
    "request": Kind(
        REQUEST_TYPE,
        st.builds(AssessmentRequest, stamps(), HEX, DISCLOSURE, PRECISION, st.booleans(), ITEMS),
        parse_request,
        optional=("fresh",),
    ),
    "statement": Kind(STATEMENT_TYPE, statements(), parse_statement, optional=("client_id",)),
    "proposal": Kind(PROPOSAL_TYPE, proposals(), parse_proposal, optional=("term_end",)),
    "event": Kind(
        EVENT_TYPE, EVENTS, parse_event, optional=("authorization", "request", "parent", "delete_by"), tolerant=True
    ),
    "event acknowledgement": Kind(
        EVENT_ACKNOWLEDGEMENT_TYPE,
        st.builds(EventAcknowledgement, stamps(), st.integers(1, 1 << 53), NONCE),
        parse_event_acknowledgement,
    ),
    "decision": Kind(DECISION_TYPE, DECISIONS, parse_decision, optional=("reply",)),
    "access": Kind(ACCESS_TYPE, st.builds(Access, stamps(USCC), st.just(USCC)), parse_access),
    "key registration": Kind(
        KEY_REGISTRATION_TYPE, st.builds(KeyRegistration, stamps(USCC), st.just(USCC)), parse_key_registration
    ),
    "receipt": Kind(
        RECEIPT_TYPE,
        st.builds(
            Receipt,
            enclave=NAME,
            assessment_id=NONCE,
            charged_at=INSTANT,
            enterprise=st.just(USCC),
            bank=NAME,
            model=HEX,
            parameter_set=WORD,
            authorization=HEX,
            catalogue=WORD,
            catalogue_digest=HEX,
            snapshot=NONCE,
            as_of=st.dates().map(str),
            disclosure=DISCLOSURE,
            precision_points=PRECISION,
            centibits=st.integers(0, 100_000),
            request=HEX,
            answers=ANSWERS,
        ),
        parse_receipt,
        tolerant=True,
    ),
    "model receipt": Kind(
        MODEL_RECEIPT_TYPE,
        st.builds(ModelReceipt, NAME, HEX, NAME, WORD, WORD, HEX, INSTANT),
        parse_model_receipt,
        tolerant=True,
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e400,
        10**30,
        "",
        "x",
        "x" * 5000,
        [],
        [1],
        [None],
        {},
        {"a": 1},
        [{}],
        [[]],
    ]
)


@every_kind
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_what_is_signed_is_what_is_read(kind: Kind, data: st.DataObject) -> None:
    document = data.draw(kind.documents)
    raw = document.sign(KEY)
    assert kind.parse(KEY.public.verify(raw, kind.typ)) == document
    for other in KINDS.values():
        if other.typ != kind.typ:
            with pytest.raises(DocumentMalformed):
                KEY.public.verify(raw, other.typ)


def members(kind: Kind, data: st.DataObject) -> dict[str, Any]:
    document = data.draw(kind.documents)
    return KEY.public.verify(document.sign(KEY), kind.typ).members


@every_kind
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_missing_member_is_refused(kind: Kind, data: st.DataObject) -> None:
    claims = members(kind, data)
    name = data.draw(st.sampled_from(sorted(claims)))
    kept = {n: v for n, v in claims.items() if n != name}
    try:
        kind.parse(Claims(kept))
    except DocumentMalformed:
        return
    assert name in kind.optional


@every_kind
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_an_extra_member_is_refused_where_it_could_restrict(kind: Kind, data: st.DataObject) -> None:
    claims = Claims({**members(kind, data), "only_on_sundays": True})
    if kind.tolerant:
        kind.parse(claims)
    else:
        with pytest.raises(DocumentMalformed, match="unknown"):
            kind.parse(claims)


@every_kind
@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_an_odd_member_is_refused_by_type(kind: Kind, data: st.DataObject) -> None:
    claims = members(kind, data)
    odd = data.draw(ODD)
    place = data.draw(st.sampled_from(sorted(claims)))
    inner = claims[place]
    if isinstance(inner, list) and isinstance(inner[0], dict) and data.draw(st.booleans()):
        inner[0][data.draw(st.sampled_from(sorted(inner[0])))] = odd
    else:
        claims[place] = odd
    try:
        parsed = kind.parse(Claims(claims))
    except DocumentError:
        return
    # Whatever was accepted can be signed again: no infinity got in, nothing was coerced.
    assert kind.parse(KEY.public.verify(parsed.sign(KEY), kind.typ)) == parsed


# --- Times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "holds"), [(-61, False), (-60, True), (0, True), (360, True), (361, False)])
def test_a_stamp_holds_for_its_time_and_a_little_skew(at: int, holds: bool) -> None:
    stamp = Stamp("bank-a", (ENCLAVE,), "n" * 16, NOW, NOW + 300)
    assert MAX_SKEW_SECONDS == 60
    if holds:
        stamp.check_time(NOW + at)
    else:
        with pytest.raises(DocumentOutOfTime):
            stamp.check_time(NOW + at)


@pytest.mark.parametrize("lifetime", [-1, 0, 301])
def test_a_request_lives_five_minutes_at_most(lifetime: int) -> None:
    document = Access(Stamp(USCC, (ENCLAVE,), "n" * 16, NOW, NOW + lifetime), USCC)
    with pytest.raises(DocumentMalformed):
        parse_access(KEY.public.verify(document.sign(KEY), ACCESS_TYPE))


# --- Rules across members -------------------------------------------------------------------------------------------


def changed(claims: dict[str, Any], **changes: Any) -> Claims:
    return Claims({name: value for name, value in {**claims, **changes}.items() if value is not ...})


def test_a_statement_names_what_its_action_needs_and_nothing_else() -> None:
    stamp = Stamp(USCC, (ENCLAVE,), "n" * 16, NOW, NOW + 300)
    revoke = KEY.public.verify(Statement(stamp, USCC, Action.REVOKE, "0" * 64).sign(KEY), STATEMENT_TYPE).members
    for wrong in ({"centibits": 5}, {"client_id": "bank-a"}, {"authorization": ...}, {"action": "set_budget"}):
        with pytest.raises(DocumentMalformed):
            parse_statement(changed(revoke, **wrong))


@pytest.mark.parametrize("name", ["access", "key registration", "statement", "authorization"])
@given(data=st.data())
@settings(deadline=None, max_examples=10)
def test_an_enterprise_speaks_for_itself_alone(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    with pytest.raises(DocumentMalformed, match="same enterprise"):
        kind.parse(changed(members(kind, data), iss="91440300192317458F"))


@given(authorizations())
@settings(deadline=None, max_examples=20)
def test_an_authorization_ends_after_it_begins(grant: Authorization) -> None:
    claims = KEY.public.verify(grant.sign(KEY), AUTHORIZATION_TYPE).members
    with pytest.raises(DocumentMalformed, match="after nbf"):
        _parse(changed(claims, exp=grant.not_before))


@given(authorizations())
@settings(deadline=None, max_examples=20)
def test_reading_an_authorization_without_its_key_reads_the_same(grant: Authorization) -> None:
    raw = grant.sign(KEY)
    assert read_unverified_authorization(raw) == verify_authorization(raw, KEY.public) == grant
    assert len(authorization_digest(raw)) == 64


def test_a_model_id_names_everything_it_is_made_of() -> None:
    base = ("linear-4096-t1024", "0" * 64, b"W", b"P", BANK)
    others = [
        ("x", *base[1:]),
        (base[0], "1" * 64, *base[2:]),
        (*base[:2], b"P", b"W", BANK),
        (*base[:2], b"WP", b"", BANK),
    ]
    ids = {model_id(*fields) for fields in (base, *others, (*base[:4], parse_bank_id("bank-b")))}
    assert len(ids) == 6
