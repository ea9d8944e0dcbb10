"""The quality board as the platform serves it to anybody, in one table."""

from typing import Any, Final

from rich.table import Table

from clients.dev.system import System
from clients.tables import folding_table
from clients.wallet.platform import Platform

_MEASURES: Final = {
    "compliance": "合规性",
    "timeliness": "及时性",
    "standardization": "规范性",
    "completeness": "完整性",
    "continuity": "连续性",
    "coverage": "覆盖面",
    "linkage": "关联性",
}


def fetch_board(system: System) -> dict[str, Any]:
    """`GET /v1/quality`. Raises `WalletError`."""
    with Platform(system.rest_url, system.deployment.anchor("platform")) as platform:
        board: dict[str, Any] = platform.get("/v1/quality")
    return board


def categories_of(board: dict[str, Any]) -> set[str]:
    return {cell["category"] for cell in board["cells"]}


def board_table(board: dict[str, Any]) -> Table:
    """Each measure: where it is lowest and where highest, over all sources and months of a category."""
    totals = [cell for cell in board["cells"] if not cell["source"] and not cell["month"]]
    table = folding_table("指标 / measure", "最低 / lowest", "最高 / highest", "类别数 / categories")
    for measure, zh in _MEASURES.items():
        shares = sorted((c["shares"][measure], c["category"]) for c in totals if measure in c["shares"])
        if shares:
            ends = (f"{100 * share:.1f} %  {category}" for share, category in (shares[0], shares[-1]))
            table.add_row(f"{zh} / {measure}", *ends, str(len(shares)))
    return table
