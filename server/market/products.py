"""Publishing, changing and withdrawing loan products, and their quota."""

import json
import re
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select
from xinyidai.identifiers import BankId
from xinyidai.market import ProductTerms, parse_product_terms
from xinyidai.signing import Claims

from server.banks.models import Bank
from server.db.base import insert_or_ignore
from server.errors import RequestInvalid
from server.market.errors import ProductChanged, ProductUnknown, QuotaExhausted
from server.market.matching import Listed
from server.market.models import Product, ProductState, ProductVersion

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def publish_product(session: Session, bank: BankId, code: str, replaces: int, terms: ProductTerms, now: int) -> Product:
    """A new product (`replaces` 0), or a new version in place of version `replaces`; demands keep what they saw.

    Raises `RequestInvalid`, `ProductChanged` when another version is in force, `ProductUnknown` for one withdrawn.
    """
    if not _CODE.fullmatch(code):
        raise RequestInvalid("a product's code is 1 to 32 characters of a-z, 0-9 and hyphen")
    if terms.valid_until <= now:
        raise RequestInvalid("valid_until lies in the past")
    product_id = f"{bank}:{code}"
    text = json.dumps(terms.claims(), ensure_ascii=False)
    row = {"terms": text, "quota_fen": terms.quota_fen, "valid_until": terms.valid_until, "changed_at": now}
    if replaces == 0:
        first = {"product_id": product_id, "bank": bank, "version": 1, "state": str(ProductState.OPEN)}
        insert_or_ignore(session, Product, [{**row, **first, "quota_used_fen": 0}])
    else:
        session.execute(
            update(Product)
            .where(
                col(Product.product_id) == product_id,
                col(Product.version) == replaces,
                col(Product.state).in_((ProductState.OPEN, ProductState.ENDED)),
            )
            .values(**row, version=replaces + 1, state=str(ProductState.OPEN))
            .execution_options(synchronize_session=False)
        )
    product = find_product(session, bank, product_id)
    if (product.version, product.terms, product.state) != (replaces + 1, text, ProductState.OPEN):
        raise ProductChanged(f"version {product.version} is {product.state}; look at it before replacing it")
    version = {"product_id": product_id, "version": product.version, "terms": text, "published_at": now}
    # Publishing the same version again, after an answer that got lost, changes nothing.
    insert_or_ignore(session, ProductVersion, [version])
    return product


def withdraw_product(session: Session, bank: BankId, product_id: str, now: int) -> Product:
    """Final; offers that stand may still be accepted. Raises `ProductUnknown`."""
    session.execute(
        update(Product)
        .where(
            col(Product.product_id) == product_id,
            col(Product.bank) == bank,
            col(Product.state).in_((ProductState.OPEN, ProductState.ENDED)),
        )
        .values(state=str(ProductState.WITHDRAWN), changed_at=now)
        .execution_options(synchronize_session=False)
    )
    return find_product(session, bank, product_id)


def end_products(session: Session, now: int) -> None:
    """Products whose validity is over."""
    session.execute(
        update(Product)
        .where(col(Product.state) == ProductState.OPEN, col(Product.valid_until) <= now)
        .values(state=str(ProductState.ENDED), changed_at=now)
        .execution_options(synchronize_session=False)
    )


def find_product(session: Session, bank: str, product_id: str) -> Product:
    """Raises `ProductUnknown`."""
    found = session.get(Product, product_id, populate_existing=True)
    if found is None or found.bank != bank:
        raise ProductUnknown()
    return found


def list_products(session: Session, bank: BankId) -> list[Product]:
    """All of a bank's products, withdrawn ones too, by id."""
    return list(session.exec(select(Product).where(Product.bank == bank).order_by(col(Product.product_id))))


def open_products(session: Session, now: int) -> list[Listed]:
    """What can be had today: nothing of a bank that was removed."""
    removed = select(Bank.bank_id).where(col(Bank.enabled).is_(False))
    query = select(Product).where(Product.state == ProductState.OPEN, col(Product.valid_until) > now)
    query = query.where(col(Product.bank).not_in(removed))
    return [listed(product) for product in session.exec(query.order_by(col(Product.product_id)))]


def listed(product: Product) -> Listed:
    left = max(0, product.quota_fen - product.quota_used_fen)
    return Listed(product.product_id, product.bank, product.version, read_terms(product.terms), left)


def terms_of_version(session: Session, product_id: str, version: int) -> ProductTerms:
    """Raises `ProductUnknown`."""
    found = session.get(ProductVersion, (product_id, version))
    if found is None:
        raise ProductUnknown()
    return read_terms(found.terms)


def read_terms(text: str) -> ProductTerms:
    return parse_product_terms(Claims(json.loads(text)))


def use_quota(session: Session, product_id: str, amount_fen: int, now: int) -> None:
    """Take a loan out of the quota. Raises `QuotaExhausted`."""
    used = session.execute(
        update(Product)
        .where(
            col(Product.product_id) == product_id,
            col(Product.quota_used_fen) + amount_fen <= col(Product.quota_fen),
        )
        .values(quota_used_fen=col(Product.quota_used_fen) + amount_fen, changed_at=now)
        .returning(col(Product.product_id))
        .execution_options(synchronize_session=False)
    )
    if used.first() is None:
        raise QuotaExhausted()


def return_quota(session: Session, product_id: str, amount_fen: int, now: int) -> None:
    session.execute(
        update(Product)
        .where(col(Product.product_id) == product_id)
        .values(quota_used_fen=col(Product.quota_used_fen) - amount_fen, changed_at=now)
        .execution_options(synchronize_session=False)
    )
