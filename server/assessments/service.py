"""Noting models and assessments, and listing a bank's models."""

from collections.abc import Mapping

from sqlalchemy import func, tuple_
from sqlmodel import Session, col, select
from xinyidai.identifiers import BankId
from xinyidai.receipt import ModelReceipt, parse_model_receipt
from xinyidai.signing import DocumentError, read_unverified

from server.assessments.errors import ReceiptUnreadable
from server.assessments.models import Assessment, RegisteredModel
from server.db.base import insert_or_ignore
from server.paging import Page, Position


def read_model_receipt(raw: str) -> ModelReceipt:
    """Unverified: it came from the enclave over an authenticated channel, and grants nothing. The bank verifies it.

    Raises `ReceiptUnreadable`.
    """
    try:
        return parse_model_receipt(read_unverified(raw))
    except DocumentError as error:
        raise ReceiptUnreadable("the enclave's receipt cannot be read") from error


def read_assessment_id(raw: str) -> str:
    """Unverified, likewise. Raises `ReceiptUnreadable`."""
    try:
        return read_unverified(raw).text("jti", most=64)
    except DocumentError as error:
        raise ReceiptUnreadable("the enclave's receipt cannot be read") from error


def note_model(session: Session, receipt: ModelReceipt) -> None:
    """Registering a model again changes nothing."""
    row = {
        "model_id": receipt.model,
        "bank": receipt.bank,
        "enclave": receipt.enclave,
        "parameter_set": receipt.parameter_set,
        "catalogue": receipt.catalogue,
        "registered_at": receipt.registered_at,
    }
    insert_or_ignore(session, RegisteredModel, [row])


def list_models(session: Session, bank: BankId, page: Page) -> tuple[list[RegisteredModel], Position | None]:
    """A page of a bank's models, newest first, and where the next page begins."""
    key = (col(RegisteredModel.registered_at), col(RegisteredModel.model_id))
    query = select(RegisteredModel).where(RegisteredModel.bank == bank)
    if page.after is not None:
        query = query.where(tuple_(*key) < (page.after.at, page.after.key))
    rows = list(session.exec(query.order_by(key[0].desc(), key[1].desc()).limit(page.size + 1)))
    if len(rows) <= page.size:
        return rows, None
    last = rows[page.size - 1]
    return rows[: page.size], Position(last.registered_at, last.model_id)


def note_assessments(session: Session, passed: Mapping[str, str], now: int) -> None:
    """`passed`: assessment id -> authorization digest. An answer returned again changes nothing."""
    rows = [
        {"assessment_id": assessment, "authorization": authorization, "first_passed_at": now}
        for assessment, authorization in passed.items()
    ]
    insert_or_ignore(session, Assessment, rows)


def count_assessments(session: Session, authorizations: list[str]) -> dict[str, int]:
    """Assessments that passed here, by authorization digest; the enclave's own count may be higher."""
    query = (
        select(Assessment.authorization, func.count())
        .where(col(Assessment.authorization).in_(authorizations))
        .group_by(col(Assessment.authorization))
    )
    return dict(session.exec(query).all())
