"""模型文件 / model files: a points table with options, or any format that is read, with a conversion file."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from xinyidai.catalogue import Catalogue, CellKind

from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import DEFAULT_PROFILE, ModelFile, ProfilePath, err, out
from bank_sdk.errors import InputError, NotAdditive
from bank_sdk.models.importers.load import load_any
from bank_sdk.models.importers.report import Report
from bank_sdk.models.importers.tree_imports import load_trees
from bank_sdk.models.scale import Scale
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.tables import Policy
from bank_sdk.models.trees import TreeModel

_ADDITIVE: Final = frozenset(
    "positive points edges missing not_applicable not_authorized unknown features categories specials steps".split()
)
_TREES: Final = frozenset("positive points edges not_applicable not_authorized features steps".split())
_TABLES: Final = ("features", "categories", "specials", "steps", "scale")
_MAX_BYTES: Final = 1024 * 1024
_SAYS: Final = typer.Option(
    "--conversion", "-c", help="转换说明 / what the file does not say (TOML)", exists=True, dir_okay=False
)
Conversion = Annotated[Path | None, _SAYS]
TablePolicies = tuple[int | None, int | None, int | None]


def read_model(
    file: Path,
    catalogue: Catalogue,
    name: str,
    base_points: int,
    cells: TablePolicies,
    nearest: bool,
    conversion: Path | None,
) -> Scorecard | TreeModel:
    """A points table by its own options, or with `conversion` any file `load_any` and `load_trees` read.

    `cells`: points of the missing, not-applicable and not-authorized cells, None to require a row of the table.
    """
    if conversion is not None:
        if base_points or nearest or any(points is not None for points in cells):
            raise InputError("everything stands in the file of --conversion; leave out the options of a points table")
        report, make = planned(file, catalogue, conversion)
        show(report, err)
        return make(name)
    _refuse_other_formats(file)
    missing, not_applicable, not_authorized = (_policy(points) for points in cells)
    return Scorecard.from_table(
        file,
        catalogue,
        name=name,
        base_points=base_points,
        missing=missing,
        not_applicable=not_applicable,
        not_authorized=not_authorized,
        rounding="nearest" if nearest else "refuse",
    )


def plan(
    file: ModelFile,
    conversion: Annotated[Path, _SAYS],
    profile: ProfilePath = DEFAULT_PROFILE,
) -> None:
    """试算转换,列出每一处近似 / a dry run of a conversion: every approximation, and what forbids it."""
    with Profile.load(profile).connect() as client:
        report, _ = planned(file, client.catalogue(), conversion)
    show(report, out)
    if report.blocked:
        raise report.blocked[0]


def planned(
    file: Path, catalogue: Catalogue, conversion: Path
) -> tuple[Report, Callable[[str], Scorecard | TreeModel]]:
    """The report, and what makes the model of a name. Raises a `ScorecardError` or `InputError`."""
    said = read_conversion(conversion)
    try:
        imported = load_any(file)
    except NotAdditive:
        trees = load_trees(file)
        report = trees.plan(catalogue, **_only(said, _TREES, "a tree ensemble"))
        return report, lambda name: trees.to_trees(report, name=name)
    found = imported.plan(catalogue, **_only(said, _ADDITIVE, "a scorecard"))
    return found, lambda name: imported.to_scorecard(found, name=name)


def read_conversion(path: Path) -> dict[str, Any]:
    """Arguments of `Import.plan` from a TOML file; unknown members are refused. Raises `InputError`."""
    try:
        with path.open("rb") as file:
            said = tomllib.loads(file.read(_MAX_BYTES).decode())
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a readable TOML file: {error}") from error
    for name, value in said.items():
        if name not in _ADDITIVE | {"scale"}:
            raise InputError(f"{path.name}: knows no {name}; it has {', '.join(sorted(_ADDITIVE | {'scale'}))}")
        if isinstance(value, Mapping) != (name in _TABLES):
            raise InputError(f"{path.name}: {name} is {'a table' if name in _TABLES else 'no table'}")
    try:
        if "scale" in said:
            said["scale"] = Scale(**said["scale"])
        for name in ("categories", "specials"):
            if name in said:
                said[name] = {variable: _targets(labels) for variable, labels in said[name].items()}
    except (TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path.name}: {error}") from error
    return said


def show(report: Report, console: Console) -> None:
    for line in report.lines():
        console.print(line, markup=False, soft_wrap=True)


def _targets(labels: Mapping[str, Any]) -> dict[str, float | CellKind]:
    """Numbers of the catalogue, or cells by name."""
    return {label: CellKind(value) if isinstance(value, str) else value for label, value in labels.items()}


def _only(said: Mapping[str, Any], known: frozenset[str], kind: str) -> dict[str, Any]:
    if unknown := sorted(said.keys() - known - {"scale"}):
        raise InputError(f"{kind} takes no {unknown[0]}; leave it out of the conversion file")
    return dict(said)


def _refuse_other_formats(file: Path) -> None:
    with file.open("rb") as stream:
        head = stream.read(16).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith((b"<", b"{", b"[", b"tree\n", b"tree\r\n")):
        raise InputError(f"{file.name} is no points table; say with --conversion how it becomes one")


def _policy(points: int | None) -> Policy:
    return "require" if points is None else points
