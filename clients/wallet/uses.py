"""What a wallet believes of the uses a platform lists: what the enclave's signed receipts say, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from xinyidai.authorization import authorization_digest, read_unverified_authorization
from xinyidai.identifiers import Uscc
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.receipt import RECEIPT_TYPE, Receipt, parse_receipt
from xinyidai.signing import DocumentError, read_unverified

from clients.wallet.log import WalletLog
from clients.wallet.platform import WalletError


@dataclass(frozen=True, slots=True)
class Use:
    """One assessment made with this enterprise's data."""

    assessment_id: str
    bank: str
    purpose: str
    """Of a proven use, what its authorization says; empty when that is not among those listed."""
    authorization: str
    model: str
    charged_at: int
    bits: float
    """The most the bank could have learned from it."""
    repeats: int
    """The platform's word alone."""
    proven: bool
    """The enclave's signed receipt says the same. False while the answer is still being computed: all of the use is the
    platform's word alone."""
    logged: bool
    """The receipt is proven to stand in the enclave's log; False for some seconds, until it is sealed."""


def _purposes(untrusted_entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Digest of each authorization listed to its purpose. The digest binds the text, so no signature is needed. Raises
    `WalletError`."""
    try:
        tokens = [str(entry["authorization"]) for entry in untrusted_entries]
        return {authorization_digest(token): read_unverified_authorization(token).purpose for token in tokens}
    except DocumentError as error:
        raise WalletError("平台给出的授权有误 / the platform lists something else than authorizations") from error


def checked_uses(
    untrusted_page: Mapping[str, Any], enterprise: Uscc, enclaves: TrustAnchor, log: WalletLog
) -> list[Use]:
    """The uses of one page of the platform's answer. Raises `WalletError` for a receipt that is not valid, or not of
    its use of this enterprise's data, or not in the log, and for a log that does not extend the one seen before;
    `KeyError`, `TypeError` or `ValueError` for what is no such page."""
    purposes = _purposes(untrusted_page["authorizations"])
    raw = untrusted_page["checkpoint"]
    checkpoint = log.checkpoint(str(raw)) if raw else None
    found = []
    for entry in untrusted_page["usages"]:
        receipt = _receipt(entry, enterprise, enclaves)
        logged = receipt is not None and log.check_use(entry, receipt, checkpoint)
        found.append(_use(entry, receipt, purposes, logged))
    return found


def _receipt(untrusted_entry: Mapping[str, Any], enterprise: Uscc, enclaves: TrustAnchor) -> Receipt | None:
    """None of a use that is still being computed."""
    if not untrusted_entry["receipt"]:
        return None
    receipt = _proven(str(untrusted_entry["receipt"]), enclaves)
    _compare(untrusted_entry, receipt)
    if receipt.enterprise != enterprise:
        raise WalletError("回执属于另一家企业 / a receipt is about another enterprise")
    return receipt


def _use(untrusted_entry: Mapping[str, Any], receipt: Receipt | None, purposes: Mapping[str, str], logged: bool) -> Use:
    purpose = str(untrusted_entry["purpose"]) if receipt is None else purposes.get(receipt.authorization, "")
    return Use(
        str(untrusted_entry["assessment_id"]),
        str(untrusted_entry["bank_id"]),
        purpose,
        str(untrusted_entry["authorization_digest"]),
        str(untrusted_entry["model_id"]),
        int(untrusted_entry["charged_at"]),
        int(untrusted_entry["centibits"]) / 100,
        int(untrusted_entry["repeats"]),
        receipt is not None,
        logged,
    )


def _compare(entry: Mapping[str, Any], receipt: Receipt) -> None:
    signed = {
        "assessment_id": receipt.assessment_id,
        "bank_id": receipt.bank,
        "authorization_digest": receipt.authorization,
        "model_id": receipt.model,
        "centibits": receipt.centibits,
        "charged_at": receipt.charged_at,
    }
    if {name: entry[name] for name in signed} != signed:
        raise WalletError("使用记录与回执不符 / a use does not match its receipt")


def _proven(raw: str, enclaves: TrustAnchor) -> Receipt:
    """A receipt signed by the enclave it names, with a certificate that was good when it was signed."""
    try:
        signed_at = datetime.fromtimestamp(read_unverified(raw).instant("iat"), UTC)
        signed = verify_with_chain(raw, RECEIPT_TYPE, enclaves, signed_at)
        receipt = parse_receipt(signed.claims)
    except DocumentError as error:
        raise WalletError("使用记录的回执无效 / the receipt of a use is not valid") from error
    if signed.identity.name != receipt.enclave:
        raise WalletError("回执由另一数据域签发 / a receipt is signed by another enclave than it names")
    return receipt
