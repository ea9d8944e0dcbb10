"""One door for every file: told apart by content, never by name."""

from typing import Any, Final

from bank_sdk.errors import UnknownFormat, UnsupportedElement
from bank_sdk.models.importers import lightgbm, pmml, scorecardpy, table, toad, xgboost
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.rows import csv_rows
from bank_sdk.models.importers.source import Item, RawFile, Readable, parse_json, read

_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MEND: Final = "give PMML, XGBoost JSON or UBJSON, LightGBM text or JSON, toad JSON, or a CSV table"


def load_any(source: Readable) -> Import:
    """Any file the readers of this package take, by path or bytes, with each reader's defaults.

    Raises `UnsafeFormat` for pickles, joblib and archives, `UnknownFormat` for what is none, else what its reader does.
    """
    file = read(source)
    head = file.raw[:4096]
    for mark in _MARKS:
        head = head.removeprefix(mark)
    head = head.replace(b"\x00", b"").lstrip() if head[:2] in (b"<\x00", b"\x00<") else head.lstrip()
    if head.startswith(b"<"):
        return pmml.read_file(file)
    if xgboost.is_ubjson(file.raw):
        return xgboost.read_file(file)
    if head.startswith((b"{", b"[")):
        return _json(file)
    if head.startswith(b"tree\n") or head.startswith(b"tree\r\n"):
        return lightgbm.read_file(file)
    return _csv(file)


def _json(file: RawFile) -> Import:
    document: Any = parse_json(file)
    if isinstance(document, dict) and "learner" in document:
        return xgboost.read_file(file)
    if lightgbm.looks_like(document):
        return lightgbm.read_file(file)
    if toad.looks_like(document):
        return toad.read_document(Item(document, file.name), file.source("toad card"), {})
    if isinstance(document, dict) and {"splits", "dtype", "n_event"} <= document.keys():
        raise UnsupportedElement(
            "this is one optbinning binning, which has no points",
            place=file.name,
            mend="pass the fitted Scorecard to from_optbinning, or export it as PMML",
        )
    raise UnknownFormat("JSON of a kind that is not known", place=file.name, mend=_MEND)


def _csv(file: RawFile) -> Import:
    if b"\x00" in file.raw[:4096] or b"," not in file.raw[:4096]:
        raise UnknownFormat("no format that is read", place=file.name, mend=_MEND)
    columns = next(iter(csv_rows(file)), {}).keys()
    if columns >= scorecardpy.COLUMNS or columns >= scorecardpy.OPTBINNING:
        return scorecardpy.read_csv(file)
    if columns >= table.COLUMNS:
        return table.read_csv(file)
    raise UnknownFormat("a CSV table with other columns", place=file.name, mend=_MEND)
