"""Tables for people: nothing is cut off, however narrow the terminal."""

from typing import Any

from rich.table import Table


def folding_table(*headers: str, **options: Any) -> Table:
    """A table whose cells wrap, inside words if need be: a shortened digest or code would be of no use."""
    table = Table(**options)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table
