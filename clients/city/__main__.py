"""`python -m clients.city`: writes a synthetic city."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from clients.city.errors import CityError
from clients.city.generator import generate_city

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="记录文件夹 folder for the records, one file a category")],
    as_of: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="月末日期 last day of a month")],
    enterprises: Annotated[int, typer.Option(help="企业数 number of enterprises")] = 2000,
    seed: Annotated[int, typer.Option(help="随机种子 seed; the same seed gives the same city")] = 0,
    months: Annotated[int, typer.Option(help="月数 months of history")] = 48,
    truth: Annotated[
        Path | None, typer.Option(help="隐藏真值文件,须在记录文件夹之外 file for the hidden truth, outside the folder")
    ] = None,
) -> None:
    """生成合成城市:21类虚构涉企信用记录。Generate a synthetic city: invented records in 21 categories."""
    try:
        summary = generate_city(enterprises, seed, as_of.date(), out, months, truth)
    except CityError as error:
        typer.echo(f"参数有误 wrong argument: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"无法写入 cannot write: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    typer.echo(summary.text())


if __name__ == "__main__":
    app()
