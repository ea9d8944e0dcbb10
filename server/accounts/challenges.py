"""Challenges: sent once, spent once."""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, insert
from sqlmodel import Session, col

from server.accounts.errors import SignInFailed
from server.accounts.models import Challenge
from server.accounts.rules import digest_of


class ChallengeKind(StrEnum):
    SIGN_IN = "sign_in"
    ADD_PASSKEY = "add_passkey"
    ENROL = "enrol"


@dataclass(frozen=True, slots=True)
class MadeFor:
    """The account a challenge is for; empty when that is not known yet."""

    role: str = ""
    holder: str = ""


def make_challenge(session: Session, kind: ChallengeKind, made_for: MadeFor, now: int, seconds: int) -> str:
    """base64url, 32 random bytes. Old ones are removed."""
    text = secrets.token_urlsafe(32)
    session.execute(delete(Challenge).where(col(Challenge.until) <= now))
    row = {"kind": str(kind), "role": made_for.role, "holder": made_for.holder, "until": now + seconds}
    session.execute(insert(Challenge).values(digest=digest_of(text), **row))
    return text


def spend_challenge(session: Session, kind: ChallengeKind, made_for: MadeFor, text: str, now: int) -> None:
    """One atomic removal. Raises `SignInFailed`, also when it was made for something or somebody else."""
    spent = session.execute(
        delete(Challenge)
        .where(
            col(Challenge.digest) == digest_of(text),
            col(Challenge.kind) == str(kind),
            col(Challenge.role) == made_for.role,
            col(Challenge.holder) == made_for.holder,
            col(Challenge.until) > now,
        )
        .returning(col(Challenge.digest))
    )
    if spent.first() is None:
        raise SignInFailed
