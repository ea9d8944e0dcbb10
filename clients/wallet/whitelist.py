"""The white list from an enterprise's side: a consent of its own, its end, and what banks were told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from xinyidai.disclosures import DISCLOSURE_TYPE, Disclosure, parse_disclosure
from xinyidai.identifiers import parse_bank_id
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.purposes import DAY_SECONDS
from xinyidai.requests import Stamp
from xinyidai.signing import DocumentError, SigningKey, read_unverified, signed_digest
from xinyidai.whitelist.scorecard import PublicScorecard, public_scorecard
from xinyidai.whitelist.statements import (
    CONFIRMATION_TYPE,
    MAX_VALIDITY_DAYS,
    Confirmation,
    OptIn,
    OptOut,
    notice_hash,
    parse_confirmation,
    render_notice,
)

from clients.wallet.platform import Platform, WalletError

if TYPE_CHECKING:
    from clients.wallet.wallet import Wallet

_PAGE: Final = 200
_MAX_PAGES: Final = 1000


class WalletWhiteList:
    """Made by `Wallet.white_list`. Every method raises `WalletError`, `DocumentError`, `CatalogueError`."""

    def __init__(
        self,
        wallet: "Wallet",
        platform: Platform,
        key: SigningKey,
        enclaves: TrustAnchor,
        stamp: Callable[[], Stamp],
        access: Callable[[], str],
    ) -> None:
        self._wallet = wallet
        self._platform = platform
        self._key = key
        self._enclaves = enclaves
        self._stamp = stamp
        self._access = access

    def draft(self, banks: Sequence[str] = (), days: int = MAX_VALIDITY_DAYS) -> OptIn:
        """What `join` would sign; show `notice` of it first. No bank named: every one that subscribes."""
        if not 1 <= days <= MAX_VALIDITY_DAYS:
            raise WalletError(f"有效期为1至{MAX_VALIDITY_DAYS}天 / valid for 1 to {MAX_VALIDITY_DAYS} days")
        known = {bank["id"] for bank in self._wallet.banks()}
        if not set(banks) <= known:
            raise WalletError("平台上没有这家银行 / no such bank on this platform")
        stamp, scorecard = self._stamp(), self._scorecard()
        return OptIn(
            stamp=stamp,
            enterprise=self._wallet.enterprise,
            banks=tuple(parse_bank_id(bank) for bank in dict.fromkeys(banks)),
            not_after=stamp.issued_at + days * DAY_SECONDS,
            scorecard=scorecard.reference,
            scorecard_digest=scorecard.digest,
            notice_hash="",
        )

    def notice(self, draft: OptIn) -> str:
        """What it means, in plain words, Chinese first."""
        return render_notice(draft, self._scorecard(), self._wallet.catalogue())

    def join(self, draft: OptIn) -> Confirmation:
        """Sign and submit a draft; the enclave's word that it holds."""
        # A signature lives a few minutes, and reading the notice takes as long as it takes.
        now = replace(draft, stamp=self._stamp())
        if now.stamp.audience != draft.stamp.audience:
            raise WalletError("数据域有变化,请重新阅读告知书 / the enclaves have changed; read the notice again")
        signed = replace(now, notice_hash=notice_hash(now, self._scorecard(), self._wallet.catalogue()))
        return self._submit(signed.sign(self._key), listed=True)

    def leave(self) -> Confirmation:
        """The enclave's word: no list made from now on has this enterprise. Without it, nothing is known to hold."""
        return self._submit(OptOut(self._stamp(), self._wallet.enterprise).sign(self._key), listed=False)

    def told(self) -> list[Disclosure]:
        """What banks were told besides scores, newest first, each by the enclave's signed receipt."""
        found: list[Disclosure] = []
        token = ""
        for _ in range(_MAX_PAGES):
            page = self._platform.get("/v1/disclosures", access=self._access(), page_size=_PAGE, page_token=token)
            found += [self._receipt(raw) for raw in page["receipts"]]
            token = page["next_page_token"]
            if len({entry.disclosure_id for entry in found}) != len(found):
                break
            if not token:
                return found
        raise WalletError("平台给出的记录有误 / the platform repeats entries, or never ends")

    def _submit(self, raw: str, *, listed: bool) -> Confirmation:
        answer = self._platform.post("/v1/white-list", statement=raw)
        found = parse_confirmation(self._proven(str(answer["confirmation"]), CONFIRMATION_TYPE))
        said = (found.enterprise, found.listed, found.statement)
        if said != (self._wallet.enterprise, listed, signed_digest(raw)):
            raise WalletError("数据域确认的不是这份声明 / the enclave confirmed something else")
        return found

    def _receipt(self, raw: str) -> Disclosure:
        found = parse_disclosure(self._proven(raw, DISCLOSURE_TYPE))
        if found.enterprise != self._wallet.enterprise:
            raise WalletError("回执属于另一家企业 / a receipt is about another enterprise")
        return found

    def _proven(self, raw: str, typ: str) -> Any:
        """Claims of what an enclave signed, with a certificate that was good when it did."""
        try:
            signed_at = datetime.fromtimestamp(read_unverified(raw).instant("iat"), UTC)
            signed = verify_with_chain(raw, typ, self._enclaves, signed_at)
        except DocumentError as error:
            raise WalletError("数据域的签名无效 / the enclave's signature is not valid") from error
        if signed.identity.name != signed.claims.text("iss"):
            raise WalletError("由另一数据域签发 / signed by another enclave than it names")
        return signed.claims

    def _scorecard(self) -> PublicScorecard:
        return public_scorecard(self._wallet.catalogue())
