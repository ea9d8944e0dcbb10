"""The dashboard over REST: public, and about nobody in particular."""

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import Field

from server.dashboard.board import LEAST_ENTERPRISES, Cell
from server.dashboard.service import DashboardService
from server.rest.routes import PROBLEMS
from server.rest.schemas import Strict


class DashboardCell(Strict):
    county: str = Field(description="Six digits, where enterprises are registered; empty: all.")
    month: int = Field(description="yyyymm; 0: all.")
    counts: dict[str, int] = Field(description="Multiples of five; missing for under five enterprises.")
    shares: dict[str, float] = Field(description="Of the published counts, 0 to 1.")
    days_to_credit_median: float | None
    days_to_credit_mean: float | None
    mean_rate_bp: int | None = Field(description="A multiple of ten basis points a year.")


class DashboardBoard(Strict):
    made_at: int
    least_enterprises: int
    cells: tuple[DashboardCell, ...]


def dashboard_routes(dashboard: DashboardService) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["公开 / public"], responses=PROBLEMS)

    @router.get("/dashboard", summary="平台运行看板 / The platform's figures by county and month")
    async def figures() -> DashboardBoard:
        board = await dashboard.board()
        cells = tuple(_cell(cell) for cell in board.cells)
        return DashboardBoard(made_at=board.made_at, least_enterprises=LEAST_ENTERPRISES, cells=cells)

    return router


def _cell(cell: Cell) -> DashboardCell:
    return DashboardCell(**asdict(cell))
