"""批量评估 / a whole portfolio."""

import csv
import io
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Rows
from xinyidai.files import write_whole

from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import DEFAULT_PROFILE, ModelName, PolicyPath, ProfilePath, err, find_model, out
from bank_sdk.decision import Policy
from bank_sdk.errors import InputError
from bank_sdk.keys import KeyStore
from bank_sdk.portfolio import COLUMNS, Journal, PortfolioRow, assess_portfolio

_PARQUET: Final = b"PAR1"
_INTERRUPTED: Final = 130
_LATER: Final = frozenset({"ENCLAVE_UNAVAILABLE", "OVERLOADED", "Unavailable"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def portfolio(
    enterprises: Annotated[
        Path, typer.Argument(help="企业名单 / CSV or Parquet with the USCCs", exists=True, dir_okay=False)
    ],
    output: Annotated[Path, typer.Argument(help="结果 / CSV to write", dir_okay=False)],
    model: ModelName,
    profile: ProfilePath = DEFAULT_PROFILE,
    policy: PolicyPath = None,
    column: Annotated[str, typer.Option(help="信用代码所在列 / the column of the USCCs")] = "uscc",
    receipts: Annotated[Path | None, typer.Option(help="保存回执 / keep the receipts here, one a line")] = None,
) -> None:
    """批量评估,可中断续跑 / assess a portfolio; interrupt it and run the same command again to go on.

    重复提问不收费,不会重复计费 / repeats are free: nothing is charged twice.
    """
    loaded = Profile.load(profile)
    chosen = policy or loaded.policy
    rules = None if chosen is None else Policy.load(chosen)
    names = list(dict.fromkeys(read_names(enterprises, column)))
    store = loaded.store()
    stored = find_model(store, model)
    with Journal(output.with_name(f"{output.name}.journal"), stored.model_id, names) as journal:
        done = len(journal.rows)
        started = time.monotonic()
        rows = _assess(loaded, store, names, stored.model_id, journal)
        write_whole(output, render(rows, rules))
        if receipts is not None:
            write_whole(receipts, "".join(f"{receipt}\n" for receipt in journal.receipts()).encode())
        if not any(row.error in _LATER for row in rows):
            journal.remove()
    _summary(rows, done, time.monotonic() - started)


def _assess(
    profile: Profile, store: KeyStore, names: Sequence[str], model_id: str, journal: Journal
) -> list[PortfolioRow]:
    try:
        with profile.connect(store) as client, _progress() as progress:
            task = progress.add_task("评估 / assessing", total=len(names))
            return assess_portfolio(client, names, model_id, journal=journal, on_row=lambda _: progress.advance(task))
    except KeyboardInterrupt:
        err.print("已中断;再次运行同一命令即可续跑 / interrupted; run the same command again to go on", soft_wrap=True)
        raise typer.Exit(_INTERRUPTED) from None


def read_names(path: Path, column: str) -> list[str]:
    """The column's texts, in order. Raises `InputError`."""
    with path.open("rb") as file:
        is_parquet = file.read(len(_PARQUET)) == _PARQUET
    if is_parquet:
        return _read_parquet(path, column)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True)
            if column not in (reader.fieldnames or ()):
                raise InputError(f"{path.name}: has no column {column}; say which holds the USCCs with --column")
            return [(row[column] or "").strip() for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: not a readable CSV file in UTF-8") from error


def _read_parquet(path: Path, column: str) -> list[str]:
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise InputError("Parquet needs pandas: pip install 'xinyidai-bank-sdk[frames]', or give a CSV") from error
    try:
        return [str(name).strip() for name in pandas.read_parquet(path, columns=[column])[column]]
    except (ValueError, KeyError, OSError, ImportError) as error:
        raise InputError(f"{path.name}: not a readable Parquet file with a column {column}") from error


def render(rows: Sequence[PortfolioRow], policy: Policy | None) -> bytes:
    """The output CSV, in UTF-8 with a byte order mark, as spreadsheet programs want Chinese text."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        columns = row.columns(policy)
        for name in ("enterprise", "message"):
            # A spreadsheet would run what the input or the service wrote here as a formula.
            if str(columns[name]).startswith(_FORMULA):
                columns[name] = f"'{columns[name]}"
        writer.writerow(columns)
    return text.getvalue().encode("utf-8-sig")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=not err.is_terminal)


def _summary(rows: Sequence[PortfolioRow], done: int, seconds: float) -> None:
    counts = Counter(row.error or "scored" for row in rows)
    table = Rows("结果 / outcome", "企业数 / enterprises")
    for outcome, count in counts.most_common():
        table.add_row("已评分 / scored" if outcome == "scored" else outcome, str(count))
    out.print(table)
    asked = len(rows) - done
    speed = f"{asked / seconds:.0f}" if seconds > 0 else "-"
    out.print(f"本次 / this run: {asked}, 此前 / before: {done}, {speed} /s")
    if any(row.error in _LATER for row in rows):
        out.print("部分企业稍后可再试:再次运行同一命令 / some may work later: run the same command again")
