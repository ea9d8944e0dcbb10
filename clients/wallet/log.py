"""The wallet and the enclave's transparency log: acknowledgements, proofs, and a log that may only grow.

The platform relays all of it and is believed nothing: what is shown is signed by the enclave, and every checkpoint has
to extend the last one this wallet saw.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from xinyidai.acknowledgement import ACKNOWLEDGEMENT_TYPE, Acknowledgement, verify_acknowledgement
from xinyidai.files import write_whole
from xinyidai.identifiers import Uscc
from xinyidai.identity import TrustAnchor
from xinyidai.merkle import MAX_PATH, ProofInvalid
from xinyidai.reasons import Reason
from xinyidai.receipt import RECEIPT_TYPE, Receipt
from xinyidai.signing import DocumentError, DocumentMalformed
from xinyidai.transparency import (
    Checkpoint,
    Inclusion,
    Proof,
    check_fresh,
    parse_hashes,
    verify_checkpoint,
    verify_extension,
    verify_proof,
)

from clients.wallet.platform import Platform, PlatformRefused, WalletError

PROVABLE: Final = (RECEIPT_TYPE, ACKNOWLEDGEMENT_TYPE)
_SETTLED_SECONDS: Final = 2 * 86_400
"""A charge is answered within a day, and an answer is in the log when it leaves."""


class WalletLog:
    """`access`: makes a new access token."""

    def __init__(
        self,
        folder: Path,
        platform: Platform,
        enclaves: TrustAnchor,
        enterprise: Uscc,
        access: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._platform = platform
        self._enclaves = enclaves
        self._enterprise = enterprise
        self._access = access
        self._clock = clock

    def acknowledged(
        self, answer: dict[str, Any], document: str, kind: str, authorization: str | None, *states: str
    ) -> Acknowledgement:
        """The enclave's word that it carried out the document of this digest. Raises `WalletError`: then nothing may be
        taken as done, whatever the platform says."""
        raw = str(answer.get("acknowledgement", ""))
        try:
            found = verify_acknowledgement(raw, document, self._enclaves)
        except DocumentError as error:
            raise WalletError(
                "数据域没有签名确认,不能视为已执行;请重试,并告知数据持有方 / the enclave did not confirm it by its "
                f"signature, so it may not have been carried out; try again and tell the data holder ({error})"
            ) from error
        if (found.enterprise, found.kind, found.authorization) != (self._enterprise, kind, authorization):
            raise WalletError("数据域确认的是另一件事 / the enclave confirmed something else")
        if states and found.state not in states:
            raise WalletError(f"数据域确认的状态为 {found.state} / the enclave confirmed another state: {found.state}")
        return found

    def checkpoint(self, raw: str) -> Checkpoint:
        """A checkpoint that extends the last one this wallet saw, which it then is. Raises `WalletError`."""
        try:
            new = verify_checkpoint(raw, self._enclaves)
            check_fresh(new, int(self._clock()))
            kept = self._folder / f"log-{new.enclave}.jws"
            if kept.exists():
                old = verify_checkpoint(kept.read_text(), self._enclaves)
                if new.sealed_at <= old.sealed_at and new.size < old.size:
                    raise WalletError("平台给出的是旧的日志 / the platform shows an old state of the log; try again")
                verify_extension(old, new, self._path(old, new))
        except (DocumentError, ProofInvalid) as error:
            raise WalletError(
                f"日志有误,请告知数据持有方 / the log does not check; tell the data holder: {error}"
            ) from error
        write_whole(kept, raw.encode())
        return new

    def check_use(self, entry: Mapping[str, Any], receipt: Receipt, checkpoint: Checkpoint | None) -> bool:
        """Whether a use's receipt is proven to be in the log; False while it is too new to be. Raises `WalletError`."""
        if checkpoint is None:
            return False
        if entry["proof"] is None:
            if checkpoint.sealed_at - receipt.charged_at > _SETTLED_SECONDS:
                raise WalletError("一次使用不在日志中 / a use is missing from the log; tell the data holder")
            return False
        try:
            _inclusion(entry["proof"]).verify(str(entry["receipt"]), checkpoint)
        except (DocumentError, ProofInvalid) as error:
            raise WalletError(f"一次使用的日志证明无效 / the proof of a use does not check: {error}") from error
        return True

    def proof(self, entry: str) -> Proof:
        """Of one entry of this enterprise's own: an assessment id, or the digest of what it signed. Under a checkpoint
        that witnesses cosigned, if one covers it. Raises `WalletError`."""
        view = self._platform.get("/v1/log/checkpoint")
        latest = self.checkpoint(view["checkpoint"])
        for cosigned in (*view["cosigned"], None):
            raw = view["checkpoint"] if cosigned is None else cosigned["checkpoint"]
            try:
                size = verify_checkpoint(raw, self._enclaves).size
                if not 0 < size <= latest.size:
                    continue
                answer = self._platform.get("/v1/log/inclusion", access=self._access(), entry=entry, tree_size=size)
                signed = tuple(one["cosignature"] for one in view["cosigned"] if one["checkpoint"] == raw)
                proof = Proof(answer["document"], _inclusion(answer["proof"]), raw, signed)
                verify_proof(proof, PROVABLE, self._enclaves)
            except PlatformRefused as refusal:
                if refusal.reason != Reason.ENTRY_PENDING or cosigned is None:
                    raise
            except (DocumentError, ProofInvalid) as error:
                raise WalletError(f"证明无效 / the proof does not check: {error}") from error
            else:
                return proof
        raise WalletError("尚未封存,请稍后再试 / the entry is not sealed yet; try again in some seconds")

    def _path(self, old: Checkpoint, new: Checkpoint) -> tuple[bytes, ...]:
        if not 0 < old.size < new.size:
            return ()
        answer = self._platform.get("/v1/log/consistency", enclave=new.enclave, old=old.size, new=new.size)
        return parse_hashes(answer.get("path"), MAX_PATH)


def _inclusion(raw: Any) -> Inclusion:
    """Raises `DocumentMalformed`."""
    if not isinstance(raw, dict):
        raise DocumentMalformed("a proof is an object")
    index = raw.get("index")
    if not isinstance(index, int):
        raise DocumentMalformed("index is a number")
    (salt,) = parse_hashes([raw.get("salt")], 1)
    return Inclusion(salt, index, parse_hashes(raw.get("path"), MAX_PATH))
