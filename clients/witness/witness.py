"""What a witness does: it keeps the last checkpoint it cosigned, and cosigns only what extends it.

It needs to remember nothing else, whatever the log holds, and learns nothing of anybody. Where two checkpoints of the
enclave contradict each other it keeps both as evidence, and never cosigns for that log again until somebody has looked.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xinyidai.files import write_whole
from xinyidai.identity import TrustAnchor, identity_of
from xinyidai.merkle import MAX_PATH, ProofInvalid
from xinyidai.signing import SigningKey, signed_digest
from xinyidai.transparency import (
    Checkpoint,
    Cosignature,
    LogForked,
    LogStale,
    check_forked,
    check_fresh,
    parse_hashes,
    verify_checkpoint,
    verify_extension,
)

from clients.wallet.platform import Platform

_STATE: Final = "checkpoint.jws"
_EVIDENCE: Final = "evidence.json"


@dataclass(frozen=True, slots=True)
class Observed:
    size: int
    grown: int
    """Entries since the last look."""
    sealed_at: int
    """Seconds since 1970-01-01 UTC."""


class Witness:
    """Of one enclave's log. `folder` (0700) holds its state; one process at a time."""

    def __init__(
        self,
        folder: Path,
        platform: Platform,
        enclave: str,
        enclaves: TrustAnchor,
        key: SigningKey,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`key`: with the witness's certificate chain."""
        self._folder = folder
        self._platform = platform
        self._enclave = enclave
        self._enclaves = enclaves
        self._key = key
        self._clock = clock
        self.name = identity_of(key.chain[0]).name

    def observe(self) -> Observed:
        """Look once: read the latest checkpoint, have it proven to extend the last one, keep it, cosign and publish.

        Raises `LogForked` with the evidence kept, `LogStale`, `ProofInvalid`, `DocumentError`, `WalletError`; nothing
        is cosigned then.
        """
        if (self._folder / _EVIDENCE).exists():
            raise LogForked(f"evidence against this log lies in {self._folder / _EVIDENCE}")
        raw = str(self._platform.get("/v1/log/checkpoint", enclave=self._enclave).get("checkpoint", ""))
        new = verify_checkpoint(raw, self._enclaves)
        if new.enclave != self._enclave:
            raise ProofInvalid("the checkpoint is of another log")
        check_fresh(new, int(self._clock()))
        grown = self._check(raw, new)
        # Kept before it is cosigned: a witness that crashes in between has promised nothing it forgot.
        write_whole(self._folder / _STATE, raw.encode())
        cosignature = Cosignature(
            self.name, new.enclave, new.size, new.root, signed_digest(raw), int(self._clock())
        ).sign(self._key)
        self._platform.post("/v1/log/cosignatures", cosignature=cosignature, checkpoint=raw)
        return Observed(new.size, grown, new.sealed_at)

    def _check(self, raw: str, new: Checkpoint) -> int:
        state = self._folder / _STATE
        if not state.exists():
            return new.size
        raw_old = state.read_text()
        old = verify_checkpoint(raw_old, self._enclaves)
        if new.sealed_at <= old.sealed_at and new.size < old.size:
            raise LogStale(f"the platform shows a log of {new.size} entries; {old.size} were seen before")
        try:
            check_forked(old, new)
        except LogForked:
            self._keep_evidence(raw_old, raw)
            raise
        path: tuple[bytes, ...] = ()
        if 0 < old.size < new.size:
            answer = self._platform.get("/v1/log/consistency", enclave=self._enclave, old=old.size, new=new.size)
            path = parse_hashes(answer.get("path"), MAX_PATH)
        verify_extension(old, new, path)
        return new.size - old.size

    def _keep_evidence(self, old: str, new: str) -> None:
        evidence = {"log": self._enclave, "found_at": int(self._clock()), "checkpoints": [old, new]}
        write_whole(self._folder / _EVIDENCE, json.dumps(evidence, indent=1).encode())
