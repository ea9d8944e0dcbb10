"""What the operator of a scheme does besides deciding claims: publish versions, book contributions, resume filings."""

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from server.db.base import insert_if_new, take_row
from server.errors import RequestInvalid
from server.risk.errors import FilingClosed, SchemeInvalid, SchemeUnknown
from server.risk.ledger import Account, balances, book
from server.risk.models import RiskPosition, RiskScheme
from server.risk.scheme import BANK, Scheme, parse_scheme


def publish_scheme(session: Session, raw: bytes, now: int) -> Scheme:
    """The first version of a scheme, or the next: it begins behind the end of the one before. Final.

    Publishing the same again changes nothing. Raises `SchemeInvalid`.
    """
    scheme = parse_scheme(raw)
    text = raw.decode()
    known = session.get(RiskScheme, (scheme.scheme_id, scheme.version))
    if known is not None:
        if known.document != text:
            raise SchemeInvalid(f"version {scheme.version} is published and stays as it is; give the next number")
        return scheme
    query = select(RiskScheme).where(RiskScheme.scheme_id == scheme.scheme_id)
    before = session.exec(query.order_by(col(RiskScheme.version).desc()).limit(1)).first()
    if scheme.version != (before.version + 1 if before else 1):
        raise SchemeInvalid(f"the next version is {before.version + 1 if before else 1}")
    if before is not None and scheme.valid_from <= before.valid_until:
        raise SchemeInvalid(f"version {before.version} is in force until {before.valid_until}; begin behind that")
    row = {
        "scheme_id": scheme.scheme_id,
        "version": scheme.version,
        "valid_from": scheme.valid_from,
        "valid_until": scheme.valid_until,
        "document": text,
        "published_at": now,
    }
    if not insert_if_new(session, RiskScheme, row):
        raise SchemeInvalid("somebody else has just published this version; look at it first")
    return scheme


def scheme_on(session: Session, scheme_id: str, day: date) -> Scheme:
    """The version for loans paid out on a day. Raises `SchemeUnknown`."""
    query = select(RiskScheme).where(RiskScheme.scheme_id == scheme_id)
    found = session.exec(query.where(col(RiskScheme.valid_from) <= day, col(RiskScheme.valid_until) >= day)).first()
    if found is None:
        raise SchemeUnknown()
    return parse_scheme(found.document.encode())


def scheme_version(session: Session, scheme_id: str, version: int) -> Scheme:
    """Raises `SchemeUnknown`."""
    found = session.get(RiskScheme, (scheme_id, version))
    if found is None:
        raise SchemeUnknown()
    return parse_scheme(found.document.encode())


@dataclass(frozen=True, slots=True)
class SchemeView:
    scheme: Scheme
    paused: bool
    """For the bank that asks."""


def schemes_on(session: Session, bank: str, day: date) -> list[SchemeView]:
    """Those in force on a day, by id."""
    query = select(RiskScheme).where(col(RiskScheme.valid_from) <= day, col(RiskScheme.valid_until) >= day)
    paused = select(RiskPosition.scheme_id).where(
        col(RiskPosition.paused_at).is_not(None), col(RiskPosition.bank).in_(("", bank))
    )
    stopped = set(session.exec(paused))
    found = session.exec(query.order_by(col(RiskScheme.scheme_id)))
    return [SchemeView(parse_scheme(s.document.encode()), s.scheme_id in stopped) for s in found]


def contribute(session: Session, scheme_id: str, party: str, amount_fen: int, reference: str, now: int) -> bool:
    """Money a party pays into its fund for a scheme; False when this reference was booked before.

    Raises `SchemeUnknown`, `RequestInvalid`.
    """
    parties: set[str] = set()
    for row in session.exec(select(RiskScheme).where(RiskScheme.scheme_id == scheme_id)):
        parties |= set(parse_scheme(row.document.encode()).tiers)
    if not parties:
        raise SchemeUnknown()
    if party not in parties - {BANK}:
        raise RequestInvalid(f"who pays into a fund: {', '.join(sorted(parties - {BANK}))}; a bank bears its own share")
    if not (0 < amount_fen <= 10**13 and 1 <= len(reference) <= 64):
        raise RequestInvalid("an amount is 1 to 10^13 fen, a reference 1 to 64 characters")
    amounts = {Account("fund", party): amount_fen, Account("given", party): -amount_fen}
    return book(session, scheme_id, "contribution", f"contribution/{scheme_id}/{party}/{reference}", amounts, now)


def resume(session: Session, scheme_id: str, bank: str) -> None:
    """Let filings go on after a fuse has paused them; the next claim may pause them again. `bank`: "" for the whole
    scheme. Raises `FilingClosed` when nothing is paused."""
    mine = (col(RiskPosition.scheme_id) == scheme_id, col(RiskPosition.bank) == bank)
    paused = col(RiskPosition.paused_at).is_not(None)
    if not take_row(session, RiskPosition, *mine, paused, paused_at=None, warned_at=None):
        raise FilingClosed("nothing of this scheme is paused")


def fund_of(session: Session, scheme_id: str, party: str) -> int:
    """In fen."""
    name = Account("fund", party).name(scheme_id)
    return next((a.balance_fen for a in balances(session, scheme_id) if a.account_id == name), 0)
