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
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from xinyidai.authorization import (
    BY_CATEGORY_PRECISION,
    Authorization,
    Disclosure,
    authorization_digest,
    read_unverified_authorization,
)
from xinyidai.catalogue import Catalogue, parse_catalogue
from xinyidai.demands import DemandAction, DemandDocument
from xinyidai.identifiers import Uscc, parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role, TrustAnchor, load_chain, verify_with_chain
from xinyidai.notice import notice_hash, render_notice
from xinyidai.purposes import DAY_SECONDS, PURPOSES, check_purpose
from xinyidai.receipt import RECEIPT_TYPE, parse_receipt
from xinyidai.requests import Stamp
from xinyidai.signing import DocumentError, SigningKey
from xinyidai.statements import Access, Action, KeyRegistration, Statement

from clients.wallet.market import WalletMarket
from clients.wallet.platform import Platform, WalletError
from clients.wallet.terms import GrantTerms

_LIFETIME_SECONDS: Final = 240
_PAGE: Final = 200


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

    @classmethod
    def create(
        cls, folder: Path, enterprise: str, passphrase: str, *, platform: str, platform_ca: bytes, enclave_ca: bytes
    ) -> "Wallet":
        """A new key in a new folder (0700). Raises `FileExistsError` rather than overwrite a key."""
        if not passphrase:
            raise WalletLocked("请设置口令 / choose a passphrase")
        config = {"enterprise": parse_uscc(enterprise), "platform": platform}
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

    def draft(self, terms: GrantTerms) -> Authorization:
        """The grant that `authorize` would sign; show `notice` of it first. Raises `WalletError`, `DocumentError`."""
        catalogue, now = self.catalogue(), int(self._clock())
        bank = next((b for b in self.banks() if b["id"] == terms.bank), None)
        if bank is None:
            raise WalletError("平台上没有这家银行 / no such bank on this platform")
        purpose = PURPOSES.get(terms.purpose)
        if purpose is None:
            raise WalletError("用途只能是 / the purpose is one of: " + ", ".join(PURPOSES))
        chosen = set(terms.categories) or {c.code for c in catalogue.categories}
        for code in chosen:
            catalogue.category(code)
        precision = terms.precision_points
        if precision is None:
            precision = BY_CATEGORY_PRECISION if terms.by_category else 0
        term_end = now + terms.loan_days * DAY_SECONDS if terms.loan_days is not None else None
        expires = now + min(terms.days, purpose.max_validity_days) * DAY_SECONDS
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
        """Sign a draft and submit it; returns its digest, by which it is named from now on."""
        token = self.sign(draft)
        self._platform.post("/v1/authorizations", authorization=token)
        return authorization_digest(token)

    def sign(self, draft: Authorization) -> str:
        """The signed authorization (compact JWS), not submitted."""
        members = {name: getattr(draft, name) for name in draft.__dataclass_fields__}
        signed = Authorization(**members | {"notice_hash": notice_hash(draft, self.catalogue())})
        return signed.sign(self._key)

    def authorizations(self) -> list[dict[str, Any]]:
        """Every authorization with its digest, state, number of assessments and terms, newest first."""
        found = []
        for entry in self._platform.get("/v1/authorizations", access=self._access())["authorizations"]:
            terms = read_unverified_authorization(entry["authorization"])
            found.append({**entry, "digest": authorization_digest(entry["authorization"]), "terms": terms})
        return found

    def find(self, beginning: str) -> str:
        """The digest that begins so. Raises `WalletError` unless exactly one does."""
        digests = [entry["digest"] for entry in self.authorizations() if entry["digest"].startswith(beginning)]
        if len(digests) != 1:
            raise WalletError(
                "没有或有多个这样的授权,请核对摘要 / none or several authorizations begin so; check the digest"
            )
        return str(digests[0])

    def revoke(self, digest: str) -> None:
        """Final. Holds in the enclave before this returns."""
        self._state(Action.REVOKE, digest)

    def pause(self, digest: str) -> None:
        self._state(Action.PAUSE, digest)

    def resume(self, digest: str) -> None:
        self._state(Action.RESUME, digest)

    def set_budget(self, bits: float, bank: str | None = None) -> None:
        """What one bank, or (None) all banks together, may learn in 12 months."""
        statement = Statement(self._stamp(), self.enterprise, Action.SET_BUDGET, bank=bank, centibits=round(100 * bits))
        self._platform.post("/v1/statements", statement=statement.sign(self._key))

    def usage(self) -> tuple[list[Use], list[dict[str, Any]]]:
        """Every use, newest first, each checked against its receipt; and the budgets. Raises `WalletError`."""
        uses: list[Use] = []
        token = ""
        while True:
            page = self._platform.get("/v1/usage", access=self._access(), page_size=_PAGE, page_token=token)
            uses += [self._checked(entry) for entry in page["usages"]]
            token = page["next_page_token"]
            if not token:
                return uses, page["budgets"]

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
        self._platform.post("/v1/statements", statement=statement.sign(self._key))

    def _checked(self, entry: dict[str, Any]) -> Use:
        if entry["receipt"]:
            try:
                receipt = parse_receipt(verify_with_chain(entry["receipt"], RECEIPT_TYPE, self._enclaves).claims)
            except DocumentError as error:
                raise WalletError("使用记录的回执无效 / the receipt of a use is not valid") from error
            shown = (entry["assessment_id"], entry["bank_id"], int(entry["centibits"]), entry["authorization_digest"])
            signed = (receipt.assessment_id, receipt.bank, receipt.centibits, receipt.authorization)
            if shown != signed or receipt.enterprise != self.enterprise:
                raise WalletError("使用记录与回执不符 / a use does not match its receipt")
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
        )

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
