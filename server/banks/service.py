"""Registering, removing and recognizing banks."""

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from xinyidai.identifiers import BankId

from server.banks.errors import BankNotRegistered, CertificateInUse
from server.banks.models import Bank
from server.db.base import insert_or_update


@dataclass(frozen=True, slots=True)
class Registration:
    bank: BankId
    name_zh: str
    name_en: str
    certificate_thumbprint: str
    """Of a certificate whose chain and identity the caller has checked."""


def register_bank(session: Session, registration: Registration, now: int) -> None:
    """Register a bank, or give a registered one new names or a new certificate. Raises `CertificateInUse`.

    Authorizations name the certificate: after a change of certificate, enterprises must grant anew.
    """
    row = {
        "bank_id": registration.bank,
        "name_zh": registration.name_zh,
        "name_en": registration.name_en,
        "certificate_thumbprint": registration.certificate_thumbprint,
        "enabled": True,
        "registered_at": now,
    }
    try:
        insert_or_update(session, Bank, row, "bank_id", ("name_zh", "name_en", "certificate_thumbprint", "enabled"))
    except IntegrityError as error:
        raise CertificateInUse("this certificate is registered for another bank") from error


def remove_bank(session: Session, bank: BankId) -> None:
    """The bank can no longer call; its history stays. Raises `BankNotRegistered`."""
    removed = session.execute(
        update(Bank)
        .where(col(Bank.bank_id) == bank, col(Bank.enabled))
        .values(enabled=False)
        .returning(col(Bank.bank_id))
    )
    if removed.first() is None:
        raise BankNotRegistered("no such bank is registered")


def recognize_bank(session: Session, bank: str, certificate_thumbprint: str) -> BankId:
    """The bank that may call under this certificate at this moment. Raises `BankNotRegistered`."""
    found = session.get(Bank, bank)
    if found is None or not found.enabled or found.certificate_thumbprint != certificate_thumbprint:
        raise BankNotRegistered()
    return BankId(found.bank_id)


def list_banks(session: Session) -> list[Bank]:
    """The public directory: enabled banks by id."""
    return list(session.exec(select(Bank).where(Bank.enabled).order_by(col(Bank.bank_id))))
