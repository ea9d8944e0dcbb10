"""Operators and departments' staff: added by an administrator at the machine, enrolled once with a code."""

import hmac
import secrets

from sqlalchemy import update
from sqlmodel import Session, col

from server.accounts.errors import SignInFailed
from server.accounts.models import AccountRole, Staff
from server.accounts.rules import AccountRules, digest_of
from server.db.base import insert_or_update

_CODE_BYTES = 20
_NO_CODE = digest_of("no code at all")


def add_staff(session: Session, role: AccountRole, staff_id: str, name: str, now: int, rules: AccountRules) -> str:
    """The enrolment code, shown once. Adding somebody again gives a new code; the one before is worth nothing."""
    code = secrets.token_hex(_CODE_BYTES)
    row = {
        "role": str(role),
        "staff_id": staff_id,
        "name": name,
        "enabled": True,
        "enrolment_digest": digest_of(code),
        "enrolment_until": now + rules.enrolment,
        "added_at": now,
    }
    changed = ("name", "enabled", "enrolment_digest", "enrolment_until")
    insert_or_update(session, Staff, row, ("role", "staff_id"), changed)
    return code


def disable_staff(session: Session, role: AccountRole, staff_id: str) -> bool:
    """Whether there was such an account in use."""
    found = session.execute(
        update(Staff)
        .where(col(Staff.role) == role, col(Staff.staff_id) == staff_id, col(Staff.enabled))
        .values(enabled=False, enrolment_digest="")
        .returning(col(Staff.staff_id))
    )
    return found.first() is not None


def staff_enabled(session: Session, role: AccountRole, staff_id: str) -> bool:
    found = session.get(Staff, (str(role), staff_id))
    return found is not None and found.enabled


def check_code(session: Session, role: AccountRole, staff_id: str, code: str, now: int) -> None:
    """Does not spend it. Raises `SignInFailed`, alike for an unknown id, a wrong code and one past its time."""
    found = session.get(Staff, (str(role), staff_id))
    known = found.enrolment_digest if found and found.enrolment_digest else _NO_CODE
    good = hmac.compare_digest(known, digest_of(code))
    if found is None or not good or not found.enabled or found.enrolment_until <= now:
        raise SignInFailed


def spend_code(session: Session, role: AccountRole, staff_id: str, code: str, now: int) -> None:
    """One atomic update. Raises `SignInFailed`."""
    spent = session.execute(
        update(Staff)
        .where(
            col(Staff.role) == role,
            col(Staff.staff_id) == staff_id,
            col(Staff.enrolment_digest) == digest_of(code),
            col(Staff.enrolment_until) > now,
            col(Staff.enabled),
        )
        .values(enrolment_digest="")
        .returning(col(Staff.staff_id))
    )
    if spent.first() is None:
        raise SignInFailed
