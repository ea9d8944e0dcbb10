"""Noting what an enclave confirmed about an enterprise's key."""

from sqlmodel import Session
from xinyidai.identifiers import IdentifierError, Uscc, parse_uscc

from server.db.base import insert_or_update
from server.enterprises.errors import EnterpriseInvalid
from server.enterprises.models import Enterprise


def note_key(session: Session, enterprise: Uscc, key_thumbprint: str, now: int) -> None:
    """Call only after the enclave pinned the key. A key the data holder reset replaces the one before."""
    row = {"uscc": enterprise, "key_thumbprint": key_thumbprint, "registered_at": now}
    insert_or_update(session, Enterprise, row, "uscc", ("key_thumbprint",))


def parse_enterprise(raw: str) -> Uscc:
    """Raises `EnterpriseInvalid`."""
    try:
        return parse_uscc(raw)
    except IdentifierError as error:
        raise EnterpriseInvalid(str(error)) from error


def key_thumbprint_of(session: Session, enterprise: Uscc) -> str | None:
    """RFC 7638 thumbprint of the key an enclave confirmed last; None for an enterprise without one."""
    found = session.get(Enterprise, enterprise)
    return found.key_thumbprint if found else None
