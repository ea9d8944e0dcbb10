"""Keeping and showing cosignatures. The platform vouches for none of them: whoever reads one verifies it."""

from collections.abc import Sequence

from sqlalchemy import and_, or_, update
from sqlmodel import Session, col, select
from xinyidai.identity import TrustAnchor
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.transparency import Cosignature, verify_checkpoint, verify_cosignature

from server.db.base import insert_or_ignore
from server.transparency.errors import CosignatureRefused
from server.transparency.models import StoredCosignature


def check_cosignature(
    raw: str, raw_checkpoint: str, enclaves: TrustAnchor, witnesses: TrustAnchor, now: int
) -> Cosignature:
    """Only what is really signed, by an enclave and by a witness, takes up room. Raises `DocumentError`,
    `CosignatureRefused`."""
    checkpoint = verify_checkpoint(raw_checkpoint, enclaves)
    found = verify_cosignature(raw, raw_checkpoint, checkpoint, witnesses)
    if max(found.signed_at, checkpoint.sealed_at) > now + MAX_SKEW_SECONDS:
        raise CosignatureRefused("the cosignature is dated in the future; check the witness's clock")
    return found


def keep_cosignature(session: Session, found: Cosignature, raw: str, raw_checkpoint: str) -> None:
    """The newest of a witness stays, in whatever order they arrive."""
    row = {
        "enclave": found.enclave,
        "witness": found.witness,
        "size": found.size,
        "signed_at": found.signed_at,
        "checkpoint": raw_checkpoint,
        "token": raw,
    }
    insert_or_ignore(session, StoredCosignature, [row])
    size, signed_at = col(StoredCosignature.size), col(StoredCosignature.signed_at)
    session.execute(
        update(StoredCosignature)
        .where(
            col(StoredCosignature.enclave) == found.enclave,
            col(StoredCosignature.witness) == found.witness,
            or_(size < found.size, and_(size == found.size, signed_at < found.signed_at)),
        )
        .values(size=found.size, signed_at=found.signed_at, checkpoint=raw_checkpoint, token=raw)
    )


def cosignatures_of(session: Session, enclave: str) -> Sequence[StoredCosignature]:
    """Of every witness, the largest log first."""
    query = select(StoredCosignature).where(StoredCosignature.enclave == enclave)
    return list(session.exec(query.order_by(col(StoredCosignature.size).desc(), col(StoredCosignature.witness))))
