"""One bank, one enterprise and one enclave's authority on a clock of their own; every document is really signed."""

import hashlib
import itertools
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from xinyidai.authorization import Authorization, Disclosure, authorization_digest
from xinyidai.catalogue import Catalogue, builtin_catalogue
from xinyidai.confidential import OpeningKey
from xinyidai.framing import FrameKind, encode_seeded
from xinyidai.identifiers import EnclaveId, Uscc, parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.notice import notice_hash
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_ITEMS, AssessmentItem, AssessmentRequest, ModelRegistration, Stamp
from xinyidai.seal import SecretKey
from xinyidai.signing import DocumentError, SigningKey
from xinyidai.statements import Access, Action, KeyRegistration, Statement

from enclave.authority import grants, ledger, models
from enclave.authority.ledger import Charged, Present, Stored
from enclave.authority.trust import Trust
from enclave.environment import SoftwareEnvironment
from enclave.errors import Refused
from enclave.transparency import log
from tests.support.certificates import Leaf, make_authority

ENCLAVE = parse_enclave_id("enclave-a")
USCC = parse_uscc("914403001922038216")
BANKS_CA = make_authority("Banks CA")
REGISTRAR = make_authority("Registrar CA")
ENCLAVES_CA = make_authority("Enclaves CA")
FIRST_SNAPSHOT = Present("snapshot-1", "2026-10-31", 1)
ANSWER = LINEAR_4096_T1024.centibits(0)
"""Centibits of one exact answer."""
_NONCES = itertools.count()


def nonce() -> str:
    return f"nonce-{next(_NONCES):020d}"


def stamp(issuer: str, now: int, *, audience: Sequence[EnclaveId] = (ENCLAVE,), lifetime: int = 240) -> Stamp:
    return Stamp(issuer, tuple(audience), nonce(), now, now + lifetime)


def make_trust(
    *,
    catalogue: Catalogue | None = None,
    bank_bits: int = 32,
    total_bits: int = 128,
    most_models: int = 1_000,
    most_trees: int = 20,
) -> Trust:
    return Trust(
        enclave_id=ENCLAVE,
        banks=BANKS_CA.anchor(Role.BANK),
        registrar=REGISTRAR.anchor(Role.ENTERPRISE),
        catalogue=catalogue or builtin_catalogue(),
        receipt_key=ENCLAVES_CA.issue(Role.ENCLAVE, ENCLAVE).signing_key(),
        budget_bank_centibits=100 * bank_bits,
        budget_total_centibits=100 * total_bits,
        most_models=most_models,
        most_trees=most_trees,
    )


class Bank:
    def __init__(self, name: str = "bank-a", leaf: Leaf | None = None) -> None:
        self.bank_id = parse_bank_id(name)
        self.leaf = leaf or BANKS_CA.issue(Role.BANK, name)
        self.key = self.leaf.signing_key()

    def frames(self) -> tuple[bytes, bytes]:
        """W and P of a fresh key; the points do not matter here."""
        key = SecretKey.generate(LINEAR_4096_T1024)
        return encode_seeded(key.encrypt_zero(), FrameKind.WEIGHTS), encode_seeded(key.encrypt_zero(), FrameKind.ZERO)

    def registration(self, frames: tuple[bytes, bytes], now: int, **changes: Any) -> str:
        catalogue = builtin_catalogue()
        digests = [hashlib.sha256(frame).hexdigest() for frame in frames]
        document = ModelRegistration(
            stamp(self.bank_id, now), LINEAR_4096_T1024.name, catalogue.reference, catalogue.digest, *digests
        )
        return replace(document, **changes).sign(self.key)

    def request(self, model: str, authorization: str, now: int, **changes: Any) -> str:
        document = AssessmentRequest(
            stamp=stamp(self.bank_id, now),
            model=model,
            disclosure=Disclosure.TOTAL,
            precision_points=0,
            fresh=False,
            items=(AssessmentItem(USCC, authorization),),
        )
        return replace(document, **changes).sign(self.key)


class Enterprise:
    def __init__(
        self, uscc: str = USCC, key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | None = None
    ) -> None:
        self.uscc = Uscc(uscc)
        self.leaf = REGISTRAR.issue(Role.ENTERPRISE, uscc, key=key or ed25519.Ed25519PrivateKey.generate())
        self.key: SigningKey = self.leaf.signing_key()

    def key_registration(self, now: int) -> str:
        return KeyRegistration(stamp(self.uscc, now), self.uscc).sign(self.key)

    def terms(self, bank: Bank, now: int, **changes: Any) -> Authorization:
        """Within every limit, changed as asked; the notice is that of the changed terms."""
        catalogue = builtin_catalogue()
        grant = Authorization(
            enterprise=self.uscc,
            enclaves=(ENCLAVE,),
            authorization_id=nonce(),
            issued_at=now,
            not_before=now,
            expires_at=now + 30 * DAY_SECONDS,
            bank=bank.bank_id,
            bank_certificate=bank.leaf.thumbprint,
            notice_hash="",
            categories=tuple(c.code for c in catalogue.categories),
            purpose="loan_origination",
            purpose_version=1,
            disclosure=Disclosure.TOTAL,
            precision_points=0,
            max_assessments=10,
            catalogue=catalogue.reference,
            catalogue_digest=catalogue.digest,
        )
        grant = replace(grant, **changes)
        return grant if "notice_hash" in changes else replace(grant, notice_hash=notice_hash(grant, catalogue))

    def statement(self, action: Action, now: int, authorization: str | None = None, **rest: Any) -> str:
        return Statement(stamp(self.uscc, now), self.uscc, action, authorization, **rest).sign(self.key)

    def access(self, now: int) -> str:
        return Access(stamp(self.uscc, now), self.uscc).sign(self.key)


BANK, OTHER_BANK, ENTERPRISE = Bank("bank-a"), Bank("bank-b"), Enterprise()


@cache
def _machine() -> tuple[SoftwareEnvironment, OpeningKey]:
    """Sealing, and the key that opens the names of disputed records."""
    sealing = Path(mkdtemp()) / "sealing.key"
    sealing.touch(mode=0o600)
    sealing.write_bytes(bytes(range(32)))
    return SoftwareEnvironment(sealing), OpeningKey.generate()


@dataclass
class Desk:
    """The authority on one database connection, at a time the test sets."""

    connection: sqlite3.Connection
    trust: Trust = field(default_factory=make_trust)
    now: int = 1_790_000_000
    present: Present = FIRST_SNAPSHOT
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def enrol(self, enterprise: Enterprise) -> None:
        grants.register_key(self.connection, self.trust, enterprise.key_registration(self.now), self.now)

    def register(self, bank: Bank, frames: tuple[bytes, bytes] | None = None, **changes: Any) -> str:
        """The model id."""
        frames = frames or bank.frames()
        raw = bank.registration(frames, self.now, **changes)
        upload = models.check_upload(self.trust, raw, *frames, self.now)
        return models.register_model(self.connection, self.trust, upload, self.now).model_id

    def grant(self, enterprise: Enterprise, bank: Bank, **changes: Any) -> str:
        """Sign and submit terms; the digest."""
        return self.submit(enterprise, enterprise.terms(bank, self.now, **changes))

    def submit(self, enterprise: Enterprise, grant: Authorization) -> str:
        token = grant.sign(enterprise.key)
        self.submit_token(token)
        return authorization_digest(token)

    def submit_token(self, token: str) -> grants.CarriedOut:
        """A signed authorization, as the enclave takes it when it arrives."""
        environment, _ = _machine()
        return grants.submit_authorization(self.connection, self.trust, environment, token, self.now)

    def state(
        self, enterprise: Enterprise, action: Action, authorization: str | None = None, **rest: Any
    ) -> grants.GrantState | None:
        return self.carry_out(enterprise.statement(action, self.now, authorization, **rest))

    def carry_out(self, raw: str) -> grants.GrantState | None:
        """A signed statement, as the enclave does when it arrives."""
        return self.carry_out_whole(raw).grant

    def carry_out_whole(self, raw: str) -> grants.CarriedOut:
        environment, key = _machine()
        return grants.submit_statement(self.connection, self.trust, environment, key, raw, self.now)

    @property
    def environment(self) -> SoftwareEnvironment:
        return _machine()[0]

    def charge(self, raw: str) -> list[Charged | Stored | Refused]:
        asked = ledger.verify_request(self.trust, raw, self.now, MAX_ITEMS)
        self.seal()
        return ledger.charge(
            self.connection, self.trust, asked, self.present, self.now, lambda: f"assessment-{next(self._ids)}"
        )

    def seal(self) -> log.Seal:
        """As the enclave does by itself every few seconds."""
        return log.seal(self.connection, self.trust, self.now)

    def ask(self, bank: Bank, model: str, authorization: str, **changes: Any) -> Charged | Stored | Refused:
        """One item's outcome."""
        (outcome,) = self.charge(bank.request(model, authorization, self.now, **changes))
        return outcome

    def answer(self, charged: Charged, frame: bytes = b"frame", receipt: str = "") -> Stored:
        """Store an answer for a charge."""
        parts = tuple((category, frame) for category in self._parts(charged))
        text = receipt or f"receipt of {charged.assessment_id}"
        answered = [(charged.assessment_id, text, parts)]
        (stored,) = ledger.store_answers(self.connection, answered, _machine()[0].random_bytes)
        return stored

    def _parts(self, charged: Charged) -> tuple[str, ...]:
        return charged.categories if charged.disclosure is Disclosure.BY_CATEGORY else ("",)

    def spent(self, enterprise: Enterprise, bank: Bank | None = None) -> int:
        """Centibits charged in the window: to one bank, or over all."""
        name = bank.bank_id if bank else ""
        ((_, _, spent),) = ledger.budgets(self.connection, self.trust, enterprise.uscc, (name,), self.now)
        return spent


def refused(call: Callable[..., Any], *arguments: Any, **rest: Any) -> Reason:
    """The reason a call is refused for."""
    with pytest.raises((Refused, DocumentError)) as caught:
        call(*arguments, **rest)
    reason: Reason = caught.value.reason  # type: ignore[attr-defined]
    return reason


def granted(done: grants.CarriedOut) -> grants.GrantState:
    """What was carried out must be about an authorization."""
    assert done.grant is not None
    return done.grant


def charged(outcome: object) -> Charged:
    """An outcome that must be a charge."""
    assert isinstance(outcome, Charged), outcome
    return outcome
