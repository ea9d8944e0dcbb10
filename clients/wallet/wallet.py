"""An enterprise's wallet: one folder with its key (encrypted), its certificate and whom it trusts.

The wallet believes the platform nothing it can check: the catalogue by its digest, the text of a grant by making it
itself, every use by the enclave's signed receipt.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from xinyidai.acknowledgement import AUTHORIZE
from xinyidai.authorization import (
    BY_CATEGORY_PRECISION,
    Authorization,
    Disclosure,
    authorization_digest,
    read_unverified_authorization,
    verify_authorization,
)
from xinyidai.catalogue import Catalogue, parse_catalogue
from xinyidai.confidential import OpeningKey
from xinyidai.demands import DemandAction, DemandDocument
from xinyidai.disputes import Objection, ObjectionKind, RecordName
from xinyidai.files import write_whole
from xinyidai.identifiers import Uscc, parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role, TrustAnchor, load_chain
from xinyidai.lineage import Lineage, LineageRecord, LineageRequest, open_lineage
from xinyidai.loans import LoanAction, LoanDocument
from xinyidai.notice import notice_hash, render_notice
from xinyidai.own_records import OwnRecord, OwnRecords, OwnRecordsRequest, open_own_records
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS, PURPOSES, check_purpose
from xinyidai.requests import Stamp
from xinyidai.signing import DocumentError, SigningKey, signed_digest
from xinyidai.statements import Access, Action, KeyRegistration, Statement
from xinyidai.transparency import Proof

from clients.wallet.consent import WalletConsent
from clients.wallet.loans import WalletLoans
from clients.wallet.log import WalletLog
from clients.wallet.market import WalletMarket
from clients.wallet.platform import Platform, WalletError
from clients.wallet.terms import GrantTerms
from clients.wallet.uses import Use, checked_uses
from clients.wallet.whitelist import WalletWhiteList

_LIFETIME_SECONDS: Final = 240
_PAGE: Final = 200
_DIGEST_DIGITS: Final = 64
_STATES: Final = {Action.REVOKE: "revoked", Action.PAUSE: "paused", Action.RESUME: "active"}
_MAX_PAGES: Final = 1000


class WalletLocked(WalletError):
    pass


class Wallet:
    """Opened with `Wallet.create` or `Wallet.open`. Not for several threads at once."""

    def __init__(
        self, folder: Path, config: dict[str, str], key: SigningKey, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        self.enterprise: Uscc = parse_uscc(config["enterprise"])
        self._platform = Platform(config["platform"], folder / "platform_ca.pem")
        self._enclaves = TrustAnchor.from_pem(Role.ENCLAVE, (folder / "enclave_ca.pem").read_bytes())
        self._known_catalogue: Catalogue | None = None
        self._log = WalletLog(folder, self._platform, self._enclaves, self.enterprise, self.access, clock)

    @classmethod
    def create(
        cls, folder: Path, enterprise: str, passphrase: str, *, platform: str, platform_ca: bytes, enclave_ca: bytes
    ) -> "Wallet":
        """A new key in a new folder (0700). Raises `WalletError` rather than overwrite a key."""
        if not passphrase:
            raise WalletLocked("请设置口令 / choose a passphrase")
        config = {"enterprise": parse_uscc(enterprise), "platform": platform}
        if not platform.startswith("https://"):
            raise WalletError("平台地址以 https:// 开头 / the platform's address begins with https://")
        for name, raw in (("--platform-ca", platform_ca), ("--enclave-ca", enclave_ca)):
            if not load_chain(raw):
                raise WalletError(f"{name} 不是PEM证书 / is no PEM certificate")
        if folder.exists():
            raise WalletError(f"钱包目录已存在,不覆盖密钥 / the folder exists; its key is not overwritten: {folder}")
        folder.mkdir(mode=0o700, parents=True)
        key = SigningKey.generate("ES256")
        write_whole(folder / "wallet.key", key.to_encrypted_pem(passphrase.encode()))
        write_whole(folder / "platform_ca.pem", platform_ca)
        write_whole(folder / "enclave_ca.pem", enclave_ca)
        write_whole(folder / "wallet.json", json.dumps(config).encode())
        return cls(folder, config, key)

    @classmethod
    def open(cls, folder: Path, passphrase: str, *, platform: str | None = None) -> "Wallet":
        """Raises `WalletLocked`. `platform` replaces the stored address."""
        if not (folder / "wallet.json").exists():
            raise WalletLocked(f"没有这个钱包,请先 xyd-wallet create / no wallet here; run xyd-wallet create: {folder}")
        try:
            config = json.loads((folder / "wallet.json").read_bytes())
            key = SigningKey.from_pem((folder / "wallet.key").read_bytes(), passphrase.encode())
        except (OSError, ValueError) as error:
            raise WalletLocked("口令或密钥文件有误 / the passphrase or the key file is wrong") from error
        certificate = folder / "certificate.pem"
        if certificate.exists():
            key = key.with_chain(load_chain(certificate.read_bytes()))
        if platform is not None:
            config["platform"] = platform
        return cls(folder, config, key)

    def certificate_request(self) -> bytes:
        """PKCS #10 in PEM, for the registrar."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.enterprise)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        return self._key.certificate_request(builder).public_bytes(serialization.Encoding.PEM)

    def register(self, certificate: bytes) -> str:
        """Register this key with the registrar's certificate (PEM chain); returns the key's thumbprint (RFC 7638)."""
        self._key = self._key.with_chain(load_chain(certificate))
        registration = KeyRegistration(self.stamp(), self.enterprise).sign(self._key)
        answer = self._platform.post("/v1/keys", registration=registration)
        write_whole(self._folder / "certificate.pem", certificate)
        return str(answer["key_thumbprint"])

    def catalogue(self) -> Catalogue:
        if self._known_catalogue is None:
            answer = self._platform.get("/v1/catalogue")
            catalogue = parse_catalogue(json.dumps(answer["document"], ensure_ascii=False).encode())
            if catalogue.digest != answer["digest"]:
                raise WalletError("平台给出的目录与其摘要不符 / the platform's catalogue does not match its digest")
            self._known_catalogue = catalogue
        return self._known_catalogue

    def banks(self) -> list[dict[str, Any]]:
        """Public directory: id, names, certificate thumbprint."""
        banks: list[dict[str, Any]] = self._platform.get("/v1/banks")["banks"]
        return banks

    @property
    def registered(self) -> bool:
        """Whether this wallet has its registrar's certificate."""
        return bool(self._key.chain)

    def draft(self, terms: GrantTerms) -> Authorization:
        """The grant that `authorize` would sign; show `notice` of it first. Raises `WalletError`, `DocumentError`."""
        catalogue, now = self.catalogue(), int(self._clock())
        bank = next((b for b in self.banks() if b["id"] == terms.bank), None)
        if bank is None:
            raise WalletError("平台上没有这家银行 / no such bank on this platform")
        purpose = PURPOSES.get(terms.purpose)
        if purpose is None:
            raise WalletError("用途只能是 / the purpose is one of: " + ", ".join(PURPOSES))
        known = {c.code for c in catalogue.categories}
        chosen = set(terms.categories) or known
        if not chosen <= known:
            raise WalletError(
                f"没有这类信息 / no such category: {'、'.join(sorted(chosen - known))};可选 / choose from: "
                + " ".join(c.code for c in catalogue.categories)
            )
        precision = terms.precision_points
        if precision is None:
            precision = BY_CATEGORY_PRECISION if terms.by_category else 0
        if not 0 <= precision <= LINEAR_4096_T1024.max_precision_points:
            most = LINEAR_4096_T1024.max_precision_points
            raise WalletError(f"精度为0至{most}分 / the precision is 0 to {most} points")
        term_end = now + terms.loan_days * DAY_SECONDS if terms.loan_days is not None else None
        expires = now + terms.days * DAY_SECONDS
        draft = Authorization(
            enterprise=self.enterprise,
            enclaves=self._enclave_ids(),
            authorization_id=secrets.token_urlsafe(24),
            issued_at=now,
            not_before=now,
            expires_at=min(expires, term_end) if term_end else expires,
            bank=parse_bank_id(terms.bank),
            bank_certificate=str(bank["certificate_thumbprint"]),
            notice_hash="",
            categories=tuple(c.code for c in catalogue.categories if c.code in chosen),
            purpose=purpose.code,
            purpose_version=purpose.version,
            disclosure=Disclosure.BY_CATEGORY if terms.by_category else Disclosure.TOTAL,
            precision_points=precision,
            max_assessments=terms.max_assessments,
            catalogue=catalogue.reference,
            catalogue_digest=catalogue.digest,
            term_end=term_end,
        )
        check_purpose(
            draft.purpose,
            draft.purpose_version,
            not_before=draft.not_before,
            expires_at=draft.expires_at,
            max_assessments=draft.max_assessments,
            term_end=draft.term_end,
        )
        return draft

    def notice(self, draft: Authorization) -> str:
        """What the bank may learn, in plain words, Chinese first."""
        return render_notice(draft, self.catalogue())

    def authorize(self, draft: Authorization) -> str:
        """Sign a draft and submit it; returns its digest, by which it is named from now on. Raises `WalletError` also
        when the enclave did not confirm it by its signature."""
        token = self.sign(draft)
        answer, digest = self._platform.post("/v1/authorizations", authorization=token), authorization_digest(token)
        # What is narrowed while it is paused stays paused.
        states = ("active",) if draft.parent is None else ("active", "paused")
        self._log.acknowledged(answer, digest, AUTHORIZE, digest, *states)
        return digest

    def sign(self, draft: Authorization) -> str:
        """The signed authorization (compact JWS), not submitted."""
        members = {name: getattr(draft, name) for name in draft.__dataclass_fields__}
        signed = Authorization(**members | {"notice_hash": notice_hash(draft, self.catalogue())})
        return signed.sign(self._key)

    def authorizations(self) -> list[dict[str, Any]]:
        """Every authorization with its digest, state, number of assessments and terms, newest first."""
        found = []
        for entry in self._platform.get("/v1/authorizations", access=self.access())["authorizations"]:
            try:
                terms = verify_authorization(entry["authorization"], self._key.public)
            except DocumentError:
                terms = read_unverified_authorization(entry["authorization"])
                if not entry["signed_by"]:
                    # Signed by a key this enterprise had before; it was revoked with it.
                    entry = {**entry, "state": "revoked"}
            found.append({**entry, "digest": authorization_digest(entry["authorization"]), "terms": terms})
        return found

    def find(self, beginning: str) -> str:
        """The digest that begins so; a whole one stands for itself. Raises `WalletError` unless exactly one does."""
        if len(beginning) == _DIGEST_DIGITS:
            return beginning
        digests = [entry["digest"] for entry in self.authorizations() if entry["digest"].startswith(beginning)]
        if len(digests) != 1:
            raise WalletError(
                "没有或有多个这样的授权,请用 xyd-wallet list 核对摘要 / none or several authorizations begin so; "
                "check the digest with xyd-wallet list"
            )
        return str(digests[0])

    def revoke(self, digest: str) -> None:
        """Final. Holds in the enclave before this returns: the enclave said so itself, or `WalletError` is raised."""
        self._state(Action.REVOKE, digest)

    def pause(self, digest: str) -> None:
        self._state(Action.PAUSE, digest)

    def resume(self, digest: str) -> None:
        self._state(Action.RESUME, digest)

    def set_budget(self, bits: float, bank: str | None = None) -> None:
        """What one bank, or (None) all banks together, may learn in 12 months.

        Raises `WalletError` for an unknown bank: a budget set for a misspelt name would limit nobody.
        """
        if not isfinite(bits):
            raise WalletError("请给出0至1000之间的比特数 / give 0 to 1000 bits")
        if bank is not None and bank not in {b["id"] for b in self.banks()}:
            _, budgets = self.usage()
            if bank not in {b["bank_id"] for b in budgets}:
                raise WalletError("平台上没有这家银行 / no such bank on this platform")
        self.submit(Statement(self.stamp(), self.enterprise, Action.SET_BUDGET, bank=bank, centibits=round(100 * bits)))

    def usage(self) -> tuple[list[Use], list[dict[str, Any]]]:
        """Every use, newest first, each checked against its receipt; and the budgets, which are the platform's word.
        Raises `WalletError`."""
        uses: dict[str, Use] = {}
        token = ""
        for _ in range(_MAX_PAGES):
            page = self._platform.get("/v1/usage", access=self.access(), page_size=_PAGE, page_token=token)
            try:
                listed = checked_uses(page, self.enterprise, self._enclaves, self._log)
                token, budgets = str(page["next_page_token"]), list(page["budgets"])
            except (KeyError, TypeError, ValueError) as error:
                raise WalletError("平台给出的不是使用记录 / the platform sent something else than uses") from error
            fresh = {use.assessment_id: use for use in listed if use.assessment_id not in uses}
            uses |= fresh
            if len(fresh) != len(listed) or (token and not listed):
                break
            if not token:
                return list(uses.values()), budgets
        raise WalletError("平台给出的使用记录有误 / the platform repeats uses, or never ends")

    def proof(self, entry: str) -> Proof:
        """The proof that an entry of this enterprise's stands in the log, to keep and to show: `entry` is an assessment
        id, or the digest of an authorization or statement. Raises `WalletError`."""
        return self._log.proof(entry)

    def lineage(self, feature: str) -> Lineage:
        """Which records made one of this enterprise's features. Nobody between wallet and enclave can read the answer.
        Raises `WalletError`, `DocumentError`."""
        reader = OpeningKey.generate()
        request = LineageRequest(self.stamp(), self.enterprise, feature, reader.public)
        answer = self._platform.post("/v1/lineage", request=request.sign(self._key))
        found = open_lineage(str(answer["answer"]), reader, self._enclaves)
        asked = (self.enterprise, request.stamp.nonce, feature)
        if (found.enterprise, found.request, found.feature) != asked:
            raise WalletError("答复与所问不符 / the answer is not to what was asked")
        return found

    def own_records(self, category: str = "", offset: int = 0) -> OwnRecords:
        """What the city holds about this enterprise, and the records of one category ("": of none). Nobody between
        wallet and enclave can read the answer. Raises `WalletError`, `DocumentError`."""
        reader = OpeningKey.generate()
        request = OwnRecordsRequest(self.stamp(), self.enterprise, category, offset, reader.public)
        answer = self._platform.post("/v1/own-records", request=request.sign(self._key))
        found = open_own_records(str(answer["answer"]), reader, self._enclaves)
        asked = (self.enterprise, request.stamp.nonce, category, offset)
        if (found.enterprise, found.request, found.category, found.offset) != asked:
            raise WalletError("答复与所问不符 / the answer is not to what was asked")
        return found

    def dispute(
        self,
        lineage: Lineage,
        record: LineageRecord,
        *,
        kind: str = ObjectionKind.ERROR,
        text: str = "",
        evidence: Sequence[str] = (),
    ) -> None:
        """Say that a record is wrong, and why. It is left out of every assessment from when this returns, until its
        department has decided. Which record it is can be read by the enclave and by its department alone.

        `kind`: error, omission, expired, wrong_list or infringement. `evidence`: hex SHA-256 of files.
        """
        named = RecordName(record.category, record.record_id)
        objection = Objection(named, ObjectionKind(kind), text, tuple(evidence))
        self._name_record(Action.DISPUTE, objection.seal(lineage.dispute_key))

    def withdraw_dispute(self, lineage: Lineage, record: LineageRecord) -> None:
        sealed = RecordName(record.category, record.record_id).seal(lineage.dispute_key)
        self._name_record(Action.WITHDRAW_DISPUTE, sealed)

    def dispute_own(
        self,
        shown: OwnRecords,
        record: OwnRecord,
        *,
        kind: str = ObjectionKind.ERROR,
        text: str = "",
        evidence: Sequence[str] = (),
    ) -> None:
        """The same as `dispute` for a record as `own_records` shows it."""
        objection = Objection(RecordName(shown.category, record.record_id), ObjectionKind(kind), text, tuple(evidence))
        self._name_record(Action.DISPUTE, objection.seal(shown.dispute_key))

    def withdraw_own(self, shown: OwnRecords, record: OwnRecord) -> None:
        """The same as `withdraw_dispute` for a record as `own_records` shows it."""
        self._name_record(Action.WITHDRAW_DISPUTE, RecordName(shown.category, record.record_id).seal(shown.dispute_key))

    def close(self) -> None:
        self._platform.close()

    @property
    def market(self) -> WalletMarket:
        """Products, demands and offers."""
        return WalletMarket(self, self._platform, self._sign_demand)

    @property
    def white_list(self) -> WalletWhiteList:
        """Opt in, opt out, and what banks were told besides scores."""
        return WalletWhiteList(self, self._platform, self._key, self._enclaves, self.stamp, self.access)

    @property
    def loans(self) -> WalletLoans:
        """What banks reported about this enterprise's loans."""
        return WalletLoans(self._platform, self._sign_loan)

    def _sign_loan(self, action: LoanAction, **members: Any) -> str:
        return LoanDocument(self.stamp(), self.enterprise, action, **members).sign(self._key)

    @property
    def consent(self) -> WalletConsent:
        """Banks' requests, narrowing, delegates, objections."""
        return WalletConsent(
            self, self._platform, self._enclaves, lambda document: document.sign(self._key), self._clock
        )

    def _sign_demand(self, action: DemandAction, **members: Any) -> str:
        return DemandDocument(self.stamp(), self.enterprise, action, **members).sign(self._key)

    def _state(self, action: Action, digest: str) -> None:
        statement = Statement(self.stamp(), self.enterprise, action, authorization=digest)
        self.submit(statement, _STATES[action], "expired")

    def _name_record(self, action: Action, sealed: str) -> None:
        self.submit(Statement(self.stamp(), self.enterprise, action, record=sealed))

    def submit(self, statement: Statement, *states: str) -> None:
        """Send a statement; it counts as done when the enclave says so. `states`: those the authorization may then be
        in. Raises `WalletError`."""
        signed = statement.sign(self._key)
        answer = self._platform.post("/v1/statements", statement=signed)
        about = statement.authorization
        self._log.acknowledged(answer, signed_digest(signed), statement.action, about, *states)

    def _enclave_ids(self) -> tuple[Any, ...]:
        return tuple(parse_enclave_id(e["id"]) for e in self._platform.get("/v1/enclaves")["enclaves"])

    def access(self) -> str:
        """A token that opens one thing to read, once."""
        return Access(self.stamp(), self.enterprise).sign(self._key)

    def stamp(self) -> Stamp:
        """For a document signed now."""
        now = int(self._clock())
        audience: Sequence[Any] = self._enclave_ids()
        return Stamp(self.enterprise, tuple(audience), secrets.token_urlsafe(24), now, now + _LIFETIME_SECONDS)
