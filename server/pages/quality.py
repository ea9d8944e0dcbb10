"""The page of the quality board, and the headers every page has."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Query
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from xinyidai.quality import MEASURES, Cell

from server.errors import RequestInvalid
from server.pages.charts import Chart, month_chart, month_text, percent
from server.quality.service import Board, QualityService

PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source of the chosen category."""

    name: str
    charts: tuple[Chart, ...]
    cells: tuple[Cell, ...]


def source_views(cells: Sequence[Cell]) -> tuple[SourceView, ...]:
    """Charts and tables of one category, a source each; measures that never apply have no chart."""
    months = sorted({cell.month for cell in cells})
    views = []
    for name in dict.fromkeys(cell.source for cell in cells):
        own = tuple(cell for cell in cells if cell.source == name)
        charts = [
            month_chart(title.zh, title.en, months, shares)
            for measure, title in MEASURES.items()
            if (shares := {cell.month: cell.shares[measure] for cell in own if measure in cell.shares})
        ]
        views.append(SourceView(name, tuple(charts), own))
    return tuple(views)


def _chosen(board: Board, category: str) -> str:
    """Raises `RequestInvalid` for a category that is not on the board."""
    shown = [cell.category for cell in board.totals]
    if category and category not in shown:
        raise RequestInvalid("the board has no such category")
    return category or (shown[0] if shown else "")


def page_routes(quality: QualityService) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    templates = Environment(
        loader=PackageLoader("server.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = templates.get_template("quality.html")
    style = files("server.pages").joinpath("static/style.css").read_bytes()
    icon = files("server.portal").joinpath("static/icon.svg").read_bytes()

    @router.get("/quality")
    async def board_page(category: Annotated[str, Query(max_length=64)] = "") -> HTMLResponse:
        board = await quality.board()
        catalogue = await quality.catalogue()
        chosen = _chosen(board, category)
        page = template.render(
            board=board,
            chosen=chosen,
            sources=source_views(board.of(chosen)),
            titles={found.code: found.title for found in catalogue.categories},
            measures=MEASURES,
            percent=percent,
            month_text=month_text,
        )
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @router.get("/pages/style.css")
    async def style_sheet() -> Response:
        return Response(style, media_type="text/css", headers=PAGE_HEADERS)

    @router.get("/pages/icon.svg")
    async def page_icon() -> Response:
        return Response(icon, media_type="image/svg+xml", headers=PAGE_HEADERS)

    return router
