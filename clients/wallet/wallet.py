"""An enterprise's wallet: one folder with its key (encrypted), its certificate and whom it trusts.

The wallet believes the platform nothing it can check: the catalogue by its digest, the text of a grant by making it
itself, every use by the enclave's signed receipt.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from xinyidai.disputes import RecordName
from xinyidai.identifiers import Uscc, parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role, TrustAnchor, load_chain, verify_with_chain
from xinyidai.lineage import Lineage, LineageRecord, LineageRequest, open_lineage
from xinyidai.notice import notice_hash, render_notice
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS, PURPOSES, check_purpose
from xinyidai.receipt import RECEIPT_TYPE, Receipt, parse_receipt
from xinyidai.requests import Stamp
from xinyidai.signing import DocumentError, SigningKey, read_unverified, signed_digest
from xinyidai.statements import Access, Action, KeyRegistration, Statement
from xinyidai.transparency import Checkpoint, Proof

from clients.wallet.log import WalletLog
from clients.wallet.market import WalletMarket
from clients.wallet.platform import Platform, WalletError
from clients.wallet.terms import GrantTerms

_LIFETIME_SECONDS: Final = 240
_PAGE: Final = 200
_DIGEST_DIGITS: Final = 64
_STATES: Final = {Action.REVOKE: "revoked", Action.PAUSE: "paused", Action.RESUME: "active"}
_MAX_PAGES: Final = 1000


class WalletLocked(WalletError):
    pass


@dataclass(frozen=True, slots=True)
class Use:
    """One assessment made with this enterprise's data."""

    assessment_id: str
    bank: str
    purpose: str
    authorization: str
    model: str
    charged_at: int
    bits: float
    """The most the bank could have learned from it."""
    repeats: int
    proven: bool
    """The enclave's signed receipt says the same; False while the answer is still being computed."""
    logged: bool
    """The receipt is proven to stand in the enclave's log; False for some seconds, until it is sealed."""


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
        self._log = WalletLog(folder, self._platform, self._enclaves, self.enterprise, self._access, clock)

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
        _write(folder / "wallet.key", key.to_encrypted_pem(passphrase.encode()))
        _write(folder / "platform_ca.pem", platform_ca)
        _write(folder / "enclave_ca.pem", enclave_ca)
        _write(folder / "wallet.json", json.dumps(config).encode())
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
        registration = KeyRegistration(self._stamp(), self.enterprise).sign(self._key)
        answer = self._platform.post("/v1/keys", registration=registration)
        _write(self._folder / "certificate.pem", certificate)
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
        self._log.acknowledged(answer, digest, AUTHORIZE, digest, "active")
        return digest

    def sign(self, draft: Authorization) -> str:
        """The signed authorization (compact JWS), not submitted."""
        members = {name: getattr(draft, name) for name in draft.__dataclass_fields__}
        signed = Authorization(**members | {"notice_hash": notice_hash(draft, self.catalogue())})
        return signed.sign(self._key)

    def authorizations(self) -> list[dict[str, Any]]:
        """Every authorization with its digest, state, number of assessments and terms, newest first."""
        found = []
        for entry in self._platform.get("/v1/authorizations", access=self._access())["authorizations"]:
            try:
                terms = verify_authorization(entry["authorization"], self._key.public)
            except DocumentError:
                # Signed by a key this enterprise had before; it was revoked with it.
                terms = read_unverified_authorization(entry["authorization"])
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
        statement = Statement(self._stamp(), self.enterprise, Action.SET_BUDGET, bank=bank, centibits=round(100 * bits))
        self._submit(statement)

    def usage(self) -> tuple[list[Use], list[dict[str, Any]]]:
        """Every use, newest first, each checked against its receipt; and the budgets. Raises `WalletError`."""
        uses: list[Use] = []
        token = ""
        for _ in range(_MAX_PAGES):
            page = self._platform.get("/v1/usage", access=self._access(), page_size=_PAGE, page_token=token)
            checkpoint = self._log.checkpoint(page["checkpoint"]) if page["checkpoint"] else None
            uses += [self._checked(entry, checkpoint) for entry in page["usages"]]
            token = page["next_page_token"]
            if len({use.assessment_id for use in uses}) != len(uses):
                break
            if not token:
                return uses, page["budgets"]
        raise WalletError("平台给出的使用记录有误 / the platform repeats uses, or never ends")

    def proof(self, entry: str) -> Proof:
        """The proof that an entry of this enterprise's stands in the log, to keep and to show: `entry` is an assessment
        id, or the digest of an authorization or statement. Raises `WalletError`."""
        return self._log.proof(entry)

    def lineage(self, feature: str) -> Lineage:
        """Which records made one of this enterprise's features. Nobody between wallet and enclave can read the answer.
        Raises `WalletError`, `DocumentError`."""
        reader = OpeningKey.generate()
        request = LineageRequest(self._stamp(), self.enterprise, feature, reader.public)
        answer = self._platform.post("/v1/lineage", request=request.sign(self._key))
        found = open_lineage(str(answer["answer"]), reader, self._enclaves)
        asked = (self.enterprise, request.stamp.nonce, feature)
        if (found.enterprise, found.request, found.feature) != asked:
            raise WalletError("答复与所问不符 / the answer is not to what was asked")
        return found

    def dispute(self, lineage: Lineage, record: LineageRecord) -> None:
        """Say that a record is wrong. It is left out from the enclave's next snapshot on, until its department has
        decided. Which record it is can be read by the enclave alone."""
        self._name_record(Action.DISPUTE, lineage, record)

    def withdraw_dispute(self, lineage: Lineage, record: LineageRecord) -> None:
        self._name_record(Action.WITHDRAW_DISPUTE, lineage, record)

    def close(self) -> None:
        self._platform.close()

    @property
    def market(self) -> WalletMarket:
        """Products, demands and offers."""
        return WalletMarket(self, self._platform, self._sign_demand)

    def _sign_demand(self, action: DemandAction, **members: Any) -> str:
        return DemandDocument(self._stamp(), self.enterprise, action, **members).sign(self._key)

    def _state(self, action: Action, digest: str) -> None:
        statement = Statement(self._stamp(), self.enterprise, action, authorization=digest)
        self._submit(statement, _STATES[action], "expired")

    def _submit(self, statement: Statement, *states: str) -> None:
        """Send a statement; it counts as done when the enclave says so. `states`: those the authorization may then be
        in."""
        signed = statement.sign(self._key)
        answer = self._platform.post("/v1/statements", statement=signed)
        about = statement.authorization
        self._log.acknowledged(answer, signed_digest(signed), statement.action, about, *states)

    def _name_record(self, action: Action, lineage: Lineage, record: LineageRecord) -> None:
        sealed = RecordName(record.category, record.record_id).seal(lineage.dispute_key)
        self._submit(Statement(self._stamp(), self.enterprise, action, record=sealed))

    def _checked(self, entry: dict[str, Any], checkpoint: Checkpoint | None) -> Use:
        logged = False
        if entry["receipt"]:
            receipt = self._proven(entry["receipt"])
            shown = {name: entry[name] for name in ("assessment_id", "bank_id", "authorization_digest", "model_id")}
            signed = {
                "assessment_id": receipt.assessment_id,
                "bank_id": receipt.bank,
                "authorization_digest": receipt.authorization,
                "model_id": receipt.model,
            }
            numbers = (int(entry["centibits"]), int(entry["charged_at"]))
            if shown != signed or numbers != (receipt.centibits, receipt.charged_at):
                raise WalletError("使用记录与回执不符 / a use does not match its receipt")
            if receipt.enterprise != self.enterprise:
                raise WalletError("回执属于另一家企业 / a receipt is about another enterprise")
            logged = self._log.check_use(entry, receipt, checkpoint)
        return Use(
            entry["assessment_id"],
            entry["bank_id"],
            entry["purpose"],
            entry["authorization_digest"],
            entry["model_id"],
            int(entry["charged_at"]),
            int(entry["centibits"]) / 100,
            int(entry["repeats"]),
            bool(entry["receipt"]),
            logged,
        )

    def _proven(self, raw: str) -> Receipt:
        """A receipt signed by the enclave it names, with a certificate that was good when it was signed."""
        try:
            signed_at = datetime.fromtimestamp(read_unverified(raw).instant("iat"), UTC)
            signed = verify_with_chain(raw, RECEIPT_TYPE, self._enclaves, signed_at)
            receipt = parse_receipt(signed.claims)
        except DocumentError as error:
            raise WalletError("使用记录的回执无效 / the receipt of a use is not valid") from error
        if signed.identity.name != receipt.enclave:
            raise WalletError("回执由另一数据域签发 / a receipt is signed by another enclave than it names")
        return receipt

    def _enclave_ids(self) -> tuple[Any, ...]:
        return tuple(parse_enclave_id(e["id"]) for e in self._platform.get("/v1/enclaves")["enclaves"])

    def _access(self) -> str:
        return Access(self._stamp(), self.enterprise).sign(self._key)

    def _stamp(self) -> Stamp:
        now = int(self._clock())
        audience: Sequence[Any] = self._enclave_ids()
        return Stamp(self.enterprise, tuple(audience), secrets.token_urlsafe(24), now, now + _LIFETIME_SECONDS)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
