"""Caps and fuses: how much of a scheme is used, by loan, firm, bank and year, and when too much of it has gone bad."""

from sqlalchemy import ColumnElement
from sqlmodel import Session, col

from server.db.base import insert_or_ignore, take_row
from server.risk.errors import CapReached, FusePaused
from server.risk.models import ALL_BANKS, RiskPosition, RiskUsage
from server.risk.money import BASIS
from server.risk.scheme import Scheme


def use_caps(session: Session, scheme: Scheme, bank: str, enterprise: str, year: int, amount_fen: int) -> None:
    """Raises `CapReached` naming the first cap that does not hold, `FusePaused`."""
    if amount_fen > scheme.caps.loan_fen:
        raise CapReached(f"one loan is covered up to {scheme.caps.loan_fen} fen")
    for holder in (ALL_BANKS, bank):
        _file(session, scheme.scheme_id, holder, amount_fen)
    for kind, who, when, most in (
        ("bank", bank, year, scheme.caps.bank_year_fen),
        ("firm", enterprise, 0, scheme.caps.firm_fen),
        ("year", "", year, scheme.caps.year_fen),
    ):
        _use(session, scheme.scheme_id, (kind, who, when), amount_fen, most)


def release_firm(session: Session, scheme_id: str, enterprise: str, amount_fen: int) -> None:
    """The principal is not outstanding any more."""
    mine = _usage(scheme_id, ("firm", enterprise, 0))
    take_row(session, RiskUsage, *mine, used_fen=col(RiskUsage.used_fen) - amount_fen)


def note_claim(session: Session, scheme: Scheme, bank: str, amount_fen: int, now: int) -> None:
    """Add a claim, or take it back (below 0), and see whether a fuse warns or pauses."""
    for holder in (ALL_BANKS, bank):
        mine = (col(RiskPosition.scheme_id) == scheme.scheme_id, col(RiskPosition.bank) == holder)
        take_row(session, RiskPosition, *mine, claimed_fen=col(RiskPosition.claimed_fen) + amount_fen)
        position = session.get_one(RiskPosition, (scheme.scheme_id, holder), populate_existing=True)
        share = _share_bp(position)
        if amount_fen < 0 or position.filed_fen < scheme.fuse.least_filed_fen:
            continue
        if share >= scheme.fuse.warn_bp and position.warned_at is None:
            take_row(session, RiskPosition, *mine, warned_at=now)
        if share >= scheme.fuse.pause_bp and position.paused_at is None:
            take_row(session, RiskPosition, *mine, paused_at=now)


def _share_bp(position: RiskPosition) -> int:
    return position.claimed_fen * BASIS // position.filed_fen if position.filed_fen else 0


def _file(session: Session, scheme_id: str, bank: str, amount_fen: int) -> None:
    insert_or_ignore(session, RiskPosition, [{"scheme_id": scheme_id, "bank": bank, "filed_fen": 0, "claimed_fen": 0}])
    mine = (col(RiskPosition.scheme_id) == scheme_id, col(RiskPosition.bank) == bank)
    running = col(RiskPosition.paused_at).is_(None)
    if not take_row(session, RiskPosition, *mine, running, filed_fen=col(RiskPosition.filed_fen) + amount_fen):
        raise FusePaused()


def _use(session: Session, scheme_id: str, key: tuple[str, str, int], amount_fen: int, most: int) -> None:
    kind, holder, year = key
    row = {"scheme_id": scheme_id, "kind": kind, "holder": holder, "year": year, "used_fen": 0}
    insert_or_ignore(session, RiskUsage, [row])
    room = col(RiskUsage.used_fen) + amount_fen <= most
    more = col(RiskUsage.used_fen) + amount_fen
    if not take_row(session, RiskUsage, *_usage(scheme_id, key), room, used_fen=more):
        raise CapReached(f"the limit by {kind} is {most} fen")


def _usage(scheme_id: str, key: tuple[str, str, int]) -> tuple[ColumnElement[bool], ...]:
    kind, holder, year = key
    return (col(RiskUsage.scheme_id) == scheme_id, col(RiskUsage.kind) == kind, col(RiskUsage.holder) == holder,
            col(RiskUsage.year) == year)  # fmt: skip
