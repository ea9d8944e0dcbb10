"""明文评分 / scoring in the clear: nothing is sent but the request for the catalogue."""

import csv
from pathlib import Path
from typing import Annotated

import typer
from xinyidai.catalogue import Catalogue, CatalogueError, load_catalogue

from bank_sdk.commands.models import Conversion, read_model
from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import (
    DEFAULT_PROFILE,
    BasePoints,
    Missing,
    ModelFile,
    Nearest,
    NotApplicable,
    NotAuthorized,
    ProfilePath,
    out,
)
from bank_sdk.errors import InputError
from bank_sdk.fit.codes import codes_of, score_codes
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.trees import TreeModel


def score(
    file: ModelFile,
    values: Annotated[Path, typer.Argument(help="特征值 / feature values (CSV)", exists=True, dir_okay=False)],
    profile: ProfilePath = DEFAULT_PROFILE,
    catalogue: Annotated[
        Path | None, typer.Option(help="目录文件;默认向服务索取 / catalogue file; default: ask the service")
    ] = None,
    base_points: BasePoints = 0,
    missing: Missing = None,
    not_applicable: NotApplicable = None,
    not_authorized: NotAuthorized = None,
    nearest: Nearest = False,
    conversion: Conversion = None,
) -> None:
    """用本行自有数据明文计算得分,用于核对 / score the bank's own data in the clear, for checking.

    VALUES 每列一个特征;空为缺失,或写 not_applicable、not_authorized / a column a feature; empty is missing.
    """
    cells = (missing, not_applicable, not_authorized)
    model = read_model(file, _catalogue(catalogue, profile), "clear", base_points, cells, nearest, conversion)
    for total in _scores(model, values):
        out.print(str(total))


def _catalogue(path: Path | None, profile: Path) -> Catalogue:
    if path is None:
        with Profile.load(profile).connect() as client:
            return client.catalogue()
    try:
        return load_catalogue(path)
    except CatalogueError as error:
        raise InputError(f"{path.name}: no valid catalogue: {error}") from error


def _scores(model: Scorecard | TreeModel, values: Path) -> list[int]:
    try:
        with values.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{values.name}: not a readable CSV file in UTF-8") from error
    if not rows:
        raise InputError(f"{values.name}: has no row")
    needed = tuple(model.points) if isinstance(model, Scorecard) else model.features
    if absent := [code for code in needed if code not in rows[0]]:
        raise InputError(f"{values.name}: has no column {absent[0]}, which the model needs")
    columns = {code: [row[code] for row in rows] for code in needed}
    return [int(total) for total in score_codes(model, codes_of(columns, model.catalogue))]
