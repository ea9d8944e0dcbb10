"""The verifications themselves: a proof file, a whole log, two checkpoints."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xinyidai.acknowledgement import ACKNOWLEDGEMENT_TYPE, parse_acknowledgement
from xinyidai.identity import TrustAnchor
from xinyidai.merkle import HASH_BYTES, MAX_PATH, Frontier, ProofInvalid
from xinyidai.receipt import RECEIPT_TYPE, parse_receipt
from xinyidai.signing import Claims, strict_json
from xinyidai.transparency import (
    Checkpoint,
    VerifiedProof,
    parse_hashes,
    parse_proof,
    verify_checkpoint,
    verify_extension,
    verify_proof,
)

from clients.wallet.platform import Platform

_PARSERS: Final = {RECEIPT_TYPE: parse_receipt, ACKNOWLEDGEMENT_TYPE: parse_acknowledgement}
_PAGE: Final = 4_096
_MAX_FILE: Final = 1 << 20


class TooFewWitnesses(ProofInvalid):
    pass


@dataclass(frozen=True, slots=True)
class CheckedLog:
    checkpoint: Checkpoint
    leaves: int


def check_proof(
    raw: bytes, enclaves: TrustAnchor, witnesses: TrustAnchor | None = None, least_witnesses: int = 0
) -> VerifiedProof:
    """Raises `DocumentError`, `ProofInvalid`, `TooFewWitnesses`."""
    found = verify_proof(parse_proof(raw), tuple(_PARSERS), enclaves, witnesses)
    _PARSERS[found.kind](found.claims)
    if len(found.witnesses) < least_witnesses:
        raise TooFewWitnesses(f"{len(found.witnesses)} witness(es) cosigned, {least_witnesses} are wanted")
    return found


def check_log(leaves: Path, raw_checkpoint: str, enclaves: TrustAnchor) -> CheckedLog:
    """A file of leaf hashes, one in hex a line, against a checkpoint: every entry, none left out, added or changed.
    Raises `DocumentError`, `ProofInvalid`."""
    checkpoint = verify_checkpoint(raw_checkpoint.strip(), enclaves)
    frontier = Frontier()
    for leaf in _lines(leaves):
        if frontier.size == checkpoint.size:
            raise ProofInvalid(f"the file has more entries than the checkpoint's {checkpoint.size}")
        frontier.append(leaf)
    if frontier.size != checkpoint.size:
        raise ProofInvalid(f"the file has {frontier.size} entries, the checkpoint {checkpoint.size}")
    if frontier.root() != checkpoint.root:
        raise ProofInvalid("the entries do not lead to the root of the checkpoint")
    return CheckedLog(checkpoint, frontier.size)


def check_checkpoints(
    raw_old: str, raw_new: str, raw_path: bytes, enclaves: TrustAnchor
) -> tuple[Checkpoint, Checkpoint]:
    """That the newer one extends the older one. `raw_path`: the JSON the platform answers for /v1/log/consistency.
    Raises `DocumentError`, `ProofInvalid`; `LogForked` where the checkpoints alone prove that the enclave cheated."""
    old, new = (verify_checkpoint(raw.strip(), enclaves) for raw in (raw_old, raw_new))
    claims = Claims(strict_json(raw_path)).only("path")
    verify_extension(old, new, parse_hashes(claims.members.get("path"), MAX_PATH))
    return old, new


def download_log(platform: Platform, enclave: str, enclaves: TrustAnchor, folder: Path) -> CheckedLog:
    """Fetch the latest checkpoint and every leaf hash into `folder`, and check them. Raises as `check_log`, and
    `WalletError`."""
    raw = str(platform.get("/v1/log/checkpoint", enclave=enclave).get("checkpoint", ""))
    size = verify_checkpoint(raw, enclaves).size
    folder.mkdir(parents=True, exist_ok=True)
    leaves = folder / "leaves.txt"
    with leaves.open("w") as file:
        first = 0
        while first < size:
            count = min(_PAGE, size - first)
            page = platform.get("/v1/log/leaves", enclave=enclave, first=first, count=count).get("leaf_hashes")
            hashes = parse_hashes(page, count)
            if not hashes:
                raise ProofInvalid(f"the platform gives only {first} of {size} entries")
            file.writelines(f"{leaf.hex()}\n" for leaf in hashes)
            first += len(hashes)
    (folder / "checkpoint.jws").write_text(raw + "\n")
    return check_log(leaves, raw, enclaves)


def read_small(path: Path) -> bytes:
    """Raises `ProofInvalid` for a file larger than any of ours."""
    if path.stat().st_size > _MAX_FILE:
        raise ProofInvalid(f"{path.name} is larger than any file of this kind")
    return path.read_bytes()


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(2 * HASH_BYTES + 2), b""), 1):
            try:
                leaf = bytes.fromhex(line.decode("ascii").strip())
            except ValueError as error:
                raise ProofInvalid(f"line {number} is no hash") from error
            if len(leaf) != HASH_BYTES:
                raise ProofInvalid(f"line {number} is no hash")
            yield leaf
