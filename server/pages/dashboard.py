"""The page of the dashboard: tables and columns by month, which need no script, and one chart that does."""

import gzip
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from xinyidai.catalogue import Text

from server.dashboard.board import LEAST_ENTERPRISES, SHARES, Board, Cell
from server.dashboard.service import DashboardService
from server.errors import RequestInvalid
from server.pages.charts import Chart, month_chart, month_text, percent
from server.pages.quality import PAGE_HEADERS

_HEADERS: Final = {
    **PAGE_HEADERS,
    "Content-Security-Policy": f"{PAGE_HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'",
}
_ALL: Final = "全部 / all"
_NOTHING: Final = "—"
_SHARES: Final[Mapping[str, Text]] = {
    "pick_up": Text("抢单率", "Picked up"),
    "credited": Text("授信率", "Credited"),
    "first": Text("首贷占比", "First loans"),
    "credit": Text("信用贷占比", "Pure credit loans"),
    "overdue": Text("逾期占比", "Overdue"),
    "revoked": Text("撤销占比", "Revoked"),
}
_COLUMNS: Final[Mapping[str, Text]] = {
    "firms": Text("注册企业", "Firms"),
    "demands": Text("融资需求", "Demands"),
    **{name: _SHARES[name] for name in ("pick_up", "credited")},
    "days": Text("授信用时(天,中位/平均)", "Days to credit, median/mean"),
    "rate": Text("平均年利率", "Mean rate"),
    "loans": Text("放款笔数", "Loans"),
    **{name: _SHARES[name] for name in ("first", "credit", "overdue")},
    "queries": Text("评估次数", "Assessments"),
    "authorizations": Text("授权", "Authorizations"),
    "revoked": _SHARES["revoked"],
}


def show(cell: Cell, column: str) -> str:
    """One figure as text."""
    if column in SHARES:
        return percent(cell.shares[column]) if column in cell.shares else _NOTHING
    if column == "rate":
        return _NOTHING if cell.mean_rate_bp is None else f"{cell.mean_rate_bp / 100:.2f} %"
    if column == "days":
        found = (cell.days_to_credit_median, cell.days_to_credit_mean)
        return _NOTHING if None in found else " / ".join(f"{value:.1f}" for value in found if value is not None)
    return str(cell.counts[column]) if column in cell.counts else _NOTHING


def share_charts(cells: tuple[Cell, ...]) -> tuple[Chart, ...]:
    """One for each share that is known in some month."""
    months = [cell.month for cell in cells]
    return tuple(
        month_chart(title.zh, title.en, months, shares)
        for name, title in _SHARES.items()
        if (shares := {cell.month: cell.shares[name] for cell in cells if name in cell.shares})
    )


def dashboard_page_routes(dashboard: DashboardService) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    templates = Environment(
        loader=PackageLoader("server.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = templates.get_template("dashboard.html")

    @router.get("/dashboard")
    async def dashboard_page(county: Annotated[str, Query(max_length=6)] = "") -> HTMLResponse:
        page = render(template.render, await dashboard.board(), county)
        return HTMLResponse(page, headers=_HEADERS)

    _add_script(router, "dashboard.js", files("server.pages").joinpath("static/dashboard.js").read_bytes())
    vendor = files("server.portal").joinpath("static/vendor")
    _add_script(router, "echarts.js", vendor.joinpath("echarts.simple.min.js").read_bytes())
    return router


def _add_script(router: APIRouter, name: str, content: bytes) -> None:
    zipped = gzip.compress(content, mtime=0)

    @router.get(f"/pages/{name}")
    async def script(request: Request) -> Response:
        fits = "gzip" in request.headers.get("accept-encoding", "")
        headers = {**_HEADERS, "Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if fits else {})}
        return Response(zipped if fits else content, media_type="text/javascript; charset=utf-8", headers=headers)


def render(template: Callable[..., str], board: Board, county: str) -> str:
    """Raises `RequestInvalid` for a county that is not on the board."""
    counties = [(cell.county, cell) for cell in board.counties]
    if county and county not in dict(counties):
        raise RequestInvalid("the board has no such county")
    totals = [(_ALL, board.total)] if board.total else []
    months = board.months(county)
    made = datetime.fromtimestamp(board.made_at, UTC) + timedelta(hours=8)
    return template(
        made_at=made.strftime("%Y-%m-%d %H:%M"),
        least=LEAST_ENTERPRISES,
        columns=_COLUMNS,
        counties=totals + counties,
        all_of_them=_ALL,
        county=county,
        months=[(month_text(cell.month), cell) for cell in months],
        charts=share_charts(months) if months else (),
        show=show,
        titles={name: f"{title.zh} / {title.en}" for name, title in _COLUMNS.items()},
    )
