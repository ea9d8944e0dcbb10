"""The dashboard's figures: counted right, nothing about few, nothing that moves with one."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlmodel import Session

from server.audit.models import Kind
from server.audit.service import OK, Event, append
from server.dashboard.board import COUNTS, LEAST_ENTERPRISES, Board, build_board, stepped
from server.dashboard.facts import Fact, read_facts
from server.dashboard.service import DashboardService
from server.db import Database
from server.enterprises.service import note_key
from server.errors import RequestInvalid
from server.pages.dashboard import render
from tests.server.test_quality import Page
from tests.support.lending import Lending
from tests.support.market import DAY, Market
from tests.support.parties import uscc_number

FACTS = st.builds(
    Fact,
    st.sampled_from([*COUNTS, "credit_hours", "rate_bp"]),
    st.integers(0, 30).map(uscc_number),
    st.sampled_from([202610, 202611]),
    st.integers(1, 40),
)


def of(figure: str, firms: int, amount: int = 1, month: int = 202611) -> list[Fact]:
    return [Fact(figure, uscc_number(number), month, amount) for number in range(firms)]


def test_under_five_enterprises_there_is_no_figure_however_much_they_did() -> None:
    assert build_board(of("queries", 4, 1000), 1).cells == ()
    board = build_board(of("queries", 5, 1000) + of("demands", 4) + of("rate_bp", 4, 400), 1)
    assert board.total is not None and board.total.counts == {"queries": 5000}
    assert board.total.mean_rate_bp is None


@given(st.lists(FACTS, max_size=80))
def test_every_cell_is_stepped_and_about_enough(facts: list[Fact]) -> None:
    for cell in build_board(facts, 1).cells:
        mine = [f for f in facts if cell.county in ("", f.enterprise[2:8]) and cell.month in (0, f.month)]
        for figure, count in cell.counts.items():
            found = [fact for fact in mine if fact.figure == figure]
            assert len({fact.enterprise for fact in found}) >= LEAST_ENTERPRISES
            assert count % 5 == 0 and abs(count - sum(fact.amount for fact in found)) <= 2.5
        assert all(0 <= share <= 1 for share in cell.shares.values())
        assert cell.mean_rate_bp is None or cell.mean_rate_bp % 10 == 0


@given(st.integers(0, 10**9), st.sampled_from([5, 10]))
def test_steps_are_the_nearest(number: int, step: int) -> None:
    assert stepped(number, step) % step == 0 and abs(stepped(number, step) - number) <= step / 2


def market_of_a_day(lending: Lending) -> None:
    """Twelve enterprises: ten demands picked up, nine credited, eight paid out, five of them late."""
    market = lending.market
    with market.database.transaction("before") as session:
        for number in range(12):
            note_key(session, uscc_number(number), "k" * 43, market.now)
        append(
            session, [Event(Kind.ASSESS, OK, enterprise=uscc_number(n)) for n in range(6) for _ in range(3)], market.now
        )
        append(session, [Event(Kind.ASSESS, "OVERLOADED", enterprise=uscc_number(n)) for n in range(6)], market.now)
    won = [lending.won(number) for number in range(9)]
    market.grab(1, market.post(9, places=2))
    market.post(10)
    paid = [lending.register(demand, first=number < 5) for number, demand in enumerate(won[:8])]
    for loan in paid:
        lending.report(loan.loan_id, "disbursement")  # type: ignore[arg-type]
    lending.market.now += 40 * DAY
    for loan in paid[5:]:
        lending.repay(loan.loan_id, loan.amount_fen)
    lending.pass_days(0)


def test_the_figures_are_those_of_the_tables(database: Database) -> None:
    lending = Lending(Market(database))
    market_of_a_day(lending)
    with database.reading() as session:
        board = build_board(read_facts(session), 1)
    total = board.total
    assert total is not None
    assert total.counts == {
        "firms": 10, "demands": 10, "picked": 10, "credited": 10, "loans": 10, "first_loans": 5, "credit_loans": 10,
        "overdue_loans": 5, "queries": 20,
    }  # fmt: skip
    assert total.shares == {"pick_up": 1.0, "credited": 1.0, "first": 0.5, "credit": 1.0, "overdue": 0.5}
    assert (total.mean_rate_bp, total.days_to_credit_median) == (420, 0.0)
    assert [cell.county for cell in board.counties] == ["320703"]
    assert [cell.month for cell in board.months("320703")] == [202609]


async def test_the_board_is_made_anew_when_it_is_old_and_holds_more_figures(database: Database) -> None:
    now, made = 1_790_000_000, 0

    def objections(_: Session) -> list[Fact]:
        nonlocal made
        made += 1
        return of("objections_in_time", 7)

    service = DashboardService(database, lambda: now, 60, [objections])
    boards = await asyncio.gather(*(service.board() for _ in range(5)))
    assert made == 1 and boards[0].total is not None and boards[0].total.counts == {"objections_in_time": 5}
    now += 60
    await service.board()
    assert made == 2


def page(board: Board, county: str = "") -> Page:
    templates = Environment(loader=PackageLoader("server.pages"), autoescape=True, undefined=StrictUndefined,
                            trim_blocks=True)  # fmt: skip
    return Page(render(templates.get_template("dashboard.html").render, board, county))


def test_the_page_shows_totals_counties_and_months() -> None:
    facts = [fact for month in (202610, 202611) for name in ("demands", "picked") for fact in of(name, 10, 1, month)]
    found = page(build_board(facts, 1_790_000_000), "320703")
    assert found.open == []
    assert [row[0] for row in found.rows if row[0][:1].isdigit() or "all" in row[0]] == [
        "全部 / all", "320703", "2026-10", "2026-11"
    ]  # fmt: skip
    assert found.rows[1][2:4] == ["20", "100.0 %"]
    assert [chart["aria-label"] for chart in found.all("svg")] == ["抢单率 / Picked up: 100.0 % – 100.0 %"]
    assert "empty" in str(page(Board(1, ())).seen)
    with pytest.raises(RequestInvalid):
        page(Board(1, ()), "320703")
