"""How much one party may have open on the market at a time."""

from sqlmodel import Session, col, func, select
from xinyidai.market import DemandState

from server.db.base import insert_or_ignore, take_row
from server.market.errors import TooManyDemands, TooManyProducts
from server.market.models import Demand, Party, Product, ProductState
from server.market.states import OPEN


def hold_party(session: Session, party: str) -> None:
    """Call first in a transaction that counts what a party has: its row stays locked to the end, so of two that come
    at once the second counts what the first has done."""
    insert_or_ignore(session, Party, [{"party": party}])
    take_row(session, Party, col(Party.party) == party)


def check_demands(session: Session, enterprise: str, most: int) -> None:
    """Raises `TooManyDemands` when more are open, or accepted and not yet fulfilled."""
    states = (*OPEN, DemandState.ACCEPTED)
    query = select(func.count()).select_from(Demand).where(Demand.enterprise == enterprise)
    if session.exec(query.where(col(Demand.state).in_(states))).one() > most:
        raise TooManyDemands(f"an enterprise has at most {most} open demands; withdraw one first")


def check_products(session: Session, bank: str, most: int) -> None:
    """Raises `TooManyProducts` when more are open."""
    query = select(func.count()).select_from(Product).where(Product.bank == bank)
    if session.exec(query.where(Product.state == ProductState.OPEN)).one() > most:
        raise TooManyProducts(f"a bank has at most {most} open products; withdraw one first")
