"""What the transparency log of an enclave consists of on the wire: commitments, checkpoints, cosignatures, proofs.

An entry commits to a signed document (a receipt or an acknowledgement) under a random salt, so that the log itself says
nothing about anybody, and a dropped salt leaves nothing to be found. A checkpoint is the enclave's signed word on the
whole log; a witness cosigns the checkpoints it saw to extend one another.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from xinyidai.identifiers import EnclaveId, IdentifierError, parse_enclave_id
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.merkle import (
    HASH_BYTES,
    MAX_PATH,
    MAX_SIZE,
    ProofInvalid,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from xinyidai.signing import (
    Claims,
    DocumentMalformed,
    SigningKey,
    read_header,
    read_unverified,
    signed_digest,
    strict_json,
)

CHECKPOINT_TYPE: Final = "checkpoint+jwt"
COSIGNATURE_TYPE: Final = "cosignature+jwt"
PROOF_FORMAT: Final = "xinyidai-proof/1"
SALT_BYTES: Final = 32
MAX_COSIGNATURES: Final = 16
FRESH_SECONDS: Final = 3_600
"""How old the latest checkpoint may be."""
MAX_PROOF_BYTES: Final = 512 * 1024
_LABEL: Final = b"xinyidai/log-entry/v1"
_HEX: Final = re.compile(r"[0-9a-f]{64}")


class LogForked(ProofInvalid):
    """Two checkpoints, both signed by the enclave, that cannot be of one growing log: evidence against the enclave."""


class LogStale(ProofInvalid):
    """A checkpoint that was signed, but is not the newest there must be."""


def origin_of(enclave: EnclaveId) -> str:
    """The name of an enclave's log."""
    return f"{enclave}:log"


def commitment(document: str, salt: bytes) -> bytes:
    """The entry of a signed document: SHA-256 over a label, the salt and the digest of what is signed. Raises
    `ProofInvalid` for a salt of another length, by which one entry could stand for two documents."""
    if len(salt) != SALT_BYTES:
        raise ProofInvalid(f"a salt has {SALT_BYTES} bytes")
    return hashlib.sha256(_LABEL + salt + bytes.fromhex(signed_digest(document))).digest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    enclave: EnclaveId
    size: int
    root: bytes
    sealed_at: int
    """Seconds since 1970-01-01 UTC."""

    def sign(self, key: SigningKey) -> str:
        members = {
            "iss": self.enclave,
            "origin": origin_of(self.enclave),
            "size": self.size,
            "root": self.root.hex(),
            "iat": self.sealed_at,
        }
        return key.sign(members, CHECKPOINT_TYPE, with_chain=True)


def verify_checkpoint(raw: str, anchor: TrustAnchor) -> Checkpoint:
    """A checkpoint signed by the enclave it names, with a certificate that was good when it was signed. Raises
    `DocumentError`. Not guaranteed: that it is the newest."""
    signed_at = datetime.fromtimestamp(read_unverified(raw).instant("iat"), UTC)
    signed = verify_with_chain(raw, CHECKPOINT_TYPE, anchor, signed_at)
    claims = signed.claims.only("iss", "origin", "size", "root", "iat")
    found = Checkpoint(_enclave(claims), _size(claims), bytes.fromhex(claims.digest("root")), claims.instant("iat"))
    if (signed.identity.name, claims.text("origin")) != (found.enclave, origin_of(found.enclave)):
        raise DocumentMalformed("a checkpoint is signed by the enclave whose log it is of")
    return found


def check_fresh(checkpoint: Checkpoint, now: int) -> None:
    """Raises `LogStale`: an enclave seals its log anew at least every 40 minutes, so whoever shows an older checkpoint
    hides something, or the enclave seals no more."""
    if now - checkpoint.sealed_at > FRESH_SECONDS:
        raise LogStale(f"the log was last sealed {(now - checkpoint.sealed_at) // 60} minutes ago")


def check_forked(old: Checkpoint, new: Checkpoint) -> None:
    """Whether the two checkpoints contradict each other by themselves. `new` is the one sealed later. Raises
    `LogForked`."""
    if old.enclave != new.enclave:
        raise ProofInvalid("the checkpoints are of two logs")
    if new.size < old.size:
        raise LogForked(f"the log was cut from {old.size} to {new.size} entries")
    if new.size == old.size and new.root != old.root:
        raise LogForked(f"the log shows two different histories of {old.size} entries")


def verify_extension(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Raises `LogForked`, or `ProofInvalid` when the path does not prove that `new` extends `old`: then the log was
    changed, or whoever brought the path lies."""
    check_forked(old, new)
    verify_consistency(old.size, new.size, path, old.root, new.root)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's word that this checkpoint extends every one it cosigned before."""

    witness: str
    enclave: EnclaveId
    size: int
    root: bytes
    checkpoint: str
    """Digest of the checkpoint's signing input."""
    signed_at: int

    def sign(self, key: SigningKey) -> str:
        members = {
            "iss": self.witness,
            "origin": origin_of(self.enclave),
            "size": self.size,
            "root": self.root.hex(),
            "checkpoint": self.checkpoint,
            "iat": self.signed_at,
        }
        return key.sign(members, COSIGNATURE_TYPE, with_chain=True)


def verify_cosignature(raw: str, raw_checkpoint: str, checkpoint: Checkpoint, anchor: TrustAnchor) -> Cosignature:
    """A witness's signature on exactly this checkpoint, itself verified before. Raises `DocumentError`."""
    signed_at = datetime.fromtimestamp(read_unverified(raw).instant("iat"), UTC)
    signed = verify_with_chain(raw, COSIGNATURE_TYPE, anchor, signed_at)
    claims = signed.claims.only("iss", "origin", "size", "root", "checkpoint", "iat")
    named = (claims.text("origin"), _size(claims), claims.digest("root"), claims.digest("checkpoint"))
    wanted = (origin_of(checkpoint.enclave), checkpoint.size, checkpoint.root.hex(), signed_digest(raw_checkpoint))
    if named != wanted:
        raise DocumentMalformed("the cosignature is of another checkpoint")
    if claims.text("iss") != signed.identity.name:
        raise DocumentMalformed("the cosignature names another witness than its certificate")
    return Cosignature(
        signed.identity.name, checkpoint.enclave, checkpoint.size, checkpoint.root, named[3], claims.instant("iat")
    )


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a document stands in the log, for who holds the document."""

    salt: bytes
    index: int
    path: tuple[bytes, ...]

    def verify(self, document: str, checkpoint: Checkpoint) -> None:
        """Raises `ProofInvalid` unless the log of this checkpoint holds the document."""
        leaf = leaf_hash(commitment(document, self.salt))
        verify_inclusion(self.index, checkpoint.size, leaf, self.path, checkpoint.root)


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that proves a document's place in the log, in one file that is verified offline."""

    document: str
    """Compact JWS: a receipt or an acknowledgement."""
    inclusion: Inclusion
    checkpoint: str
    cosignatures: tuple[str, ...] = ()

    def to_json(self) -> str:
        members = {
            "format": PROOF_FORMAT,
            "document": self.document,
            "salt": self.inclusion.salt.hex(),
            "index": self.inclusion.index,
            "path": [step.hex() for step in self.inclusion.path],
            "checkpoint": self.checkpoint,
            "cosignatures": list(self.cosignatures),
        }
        return json.dumps(members, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    kind: str
    """The type of the document, `typ` of its header."""
    claims: Claims
    checkpoint: Checkpoint
    witnesses: tuple[str, ...]
    """Names of the distinct witnesses that cosigned."""


def parse_proof(raw: bytes) -> Proof:
    """Raises `DocumentMalformed`. Nothing is verified yet."""
    if len(raw) > MAX_PROOF_BYTES:
        raise DocumentMalformed("the file is larger than any proof")
    claims = Claims(strict_json(raw)).only("format", "document", "salt", "index", "path", "checkpoint", "cosignatures")
    if claims.text("format") != PROOF_FORMAT:
        raise DocumentMalformed(f"this version reads {PROOF_FORMAT}")
    inclusion = Inclusion(
        bytes.fromhex(claims.digest("salt")),
        claims.integer("index", 0, MAX_SIZE),
        parse_hashes(claims.members.get("path"), MAX_PATH),
    )
    cosignatures = claims.members.get("cosignatures")
    if not isinstance(cosignatures, list) or len(cosignatures) > MAX_COSIGNATURES:
        raise DocumentMalformed(f"cosignatures is a list of at most {MAX_COSIGNATURES}")
    if not all(isinstance(one, str) for one in cosignatures):
        raise DocumentMalformed("a cosignature is a text")
    long = MAX_PROOF_BYTES
    return Proof(
        claims.text("document", most=long), inclusion, claims.text("checkpoint", most=long), tuple(cosignatures)
    )


def verify_proof(
    proof: Proof, kinds: Sequence[str], enclaves: TrustAnchor, witnesses: TrustAnchor | None = None
) -> VerifiedProof:
    """Check every signature and the path. `kinds`: the types of documents that are accepted. Cosignatures count where
    `witnesses` is given. Raises `DocumentError`, `ProofInvalid`."""
    checkpoint = verify_checkpoint(proof.checkpoint, enclaves)
    signed_at = datetime.fromtimestamp(read_unverified(proof.document).instant("iat"), UTC)
    kind = str(read_header(proof.document).get("typ"))
    if kind not in kinds:
        raise DocumentMalformed(f"a proof is about one of: {', '.join(kinds)}")
    signed = verify_with_chain(proof.document, kind, enclaves, signed_at)
    if signed.identity.name != checkpoint.enclave or signed.claims.text("iss") != checkpoint.enclave:
        raise DocumentMalformed("document and checkpoint are of two enclaves")
    proof.inclusion.verify(proof.document, checkpoint)
    seen = []
    if witnesses is not None:
        for raw in proof.cosignatures:
            seen.append(verify_cosignature(raw, proof.checkpoint, checkpoint, witnesses).witness)
    return VerifiedProof(kind, signed.claims, checkpoint, tuple(dict.fromkeys(seen)))


def parse_hashes(value: object, most: int) -> tuple[bytes, ...]:
    """A list of hexadecimal hashes. Raises `DocumentMalformed`."""
    if not isinstance(value, list) or len(value) > most:
        raise DocumentMalformed(f"expected a list of at most {most} hashes")
    if not all(isinstance(one, str) and _HEX.fullmatch(one) for one in value):
        raise DocumentMalformed(f"a hash is {2 * HASH_BYTES} hexadecimal digits")
    return tuple(bytes.fromhex(one) for one in value)


def _size(claims: Claims) -> int:
    return claims.integer("size", 0, MAX_SIZE)


def _enclave(claims: Claims) -> EnclaveId:
    try:
        return parse_enclave_id(claims.text("iss"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
