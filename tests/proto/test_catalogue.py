"""The catalogue is data with a strict loader: the built-in one keeps every rule, and nothing odd gets in."""

import copy
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.catalogue import (
    CatalogueError,
    CellKind,
    FeatureKind,
    UnknownCategory,
    UnknownFeature,
    UnknownFigure,
    builtin_catalogue,
    load_catalogue,
    parse_catalogue,
)

CATALOGUE = builtin_catalogue()
DOCUMENT: dict[str, Any] = json.loads(CATALOGUE.canonical)
SMALL: dict[str, Any] = {
    **{k: v for k, v in DOCUMENT.items() if k not in ("profile", "categories", "rules", "figures")},
    "categories": DOCUMENT["categories"][:1],
}


def parse(document: Any) -> Any:
    return parse_catalogue(json.dumps(document, ensure_ascii=False).encode())


# --- The 21 categories ----------------------------------------------------------------------------------------------


def test_there_are_exactly_21_categories_with_the_five_of_the_plan() -> None:
    codes = [category.code for category in CATALOGUE.categories]
    assert len(codes) == len(set(codes)) == 21
    assert {"social_insurance", "housing_fund", "water_usage", "electricity_usage", "gas_usage"} <= set(codes)
    assert [category.number for category in CATALOGUE.categories] == list(range(1, 22))


@pytest.mark.parametrize("category", CATALOGUE.categories, ids=lambda c: c.code)
def test_every_category_is_complete(category: Any) -> None:
    assert category.holders and category.cadence and category.lag_months >= 0
    assert category.sensitivity in ("S1", "S2", "S3", "S4")
    assert category.sharing in ("collect", "interface", "verify", "compute")
    assert re.search(r"[一-鿿]", category.title.zh) and category.title.en.isascii()
    assert category.fields and category.features
    for field in category.fields:
        assert field.type in ("str", "int", "dec", "date", "datetime", "enum", "bool", "yyyymm")
        assert field.unit or field.type not in ("int", "dec")
        assert re.fullmatch(r"[SRP](\+[SRP])*", field.evidence)


@pytest.mark.parametrize("feature", CATALOGUE.features, ids=lambda f: f.code)
def test_every_feature_is_complete(feature: Any) -> None:
    assert feature.unit and feature.direction and feature.window and feature.definition
    assert all(a < b for a, b in pairwise(feature.grid)) and all(a < b for a, b in pairwise(feature.edges))
    assert set(feature.anchored) <= set(feature.edges) | set(feature.grid)
    assert set(feature.edges) <= set(feature.grid)
    if feature.kind is FeatureKind.CONTINUOUS:
        assert 7 <= len(feature.edges) <= 15
    kinds = [cell.kind for cell in feature.cells]
    assert kinds[-3:] == [CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED]
    assert kinds[:-3] == [CellKind.VALUE] * (len(feature.grid) + 1)


def test_features_that_need_two_holders_say_so() -> None:
    both = {feature.code for feature in CATALOGUE.features if len(feature.sources) > 1}
    assert {"hf_coverage", "plg_guarantee_to_equity", "tec_rd_intensity", "hon_support_dependency"} <= both


def test_no_field_names_a_natural_person() -> None:
    names = {field.name for category in CATALOGUE.categories for field in category.fields}
    assert not [name for name in names if re.search(r"id_card|phone|mobile|person_name|legal_rep_name|home_", name)]


def test_the_layout_numbers_every_cell_once() -> None:
    layout = CATALOGUE.layout
    indices = [layout.index(f.code, cell.index) for f in CATALOGUE.features for cell in f.cells]
    assert indices == list(range(layout.size))
    assert layout.size <= 4096
    for index in (0, 1, layout.size // 2, layout.size - 1):
        feature, cell = layout.locate(index)
        assert layout.index(feature.code, cell.index) == index
    for wrong in (-1, layout.size):
        with pytest.raises(CatalogueError):
            layout.locate(wrong)
    with pytest.raises(CatalogueError):
        layout.index(CATALOGUE.features[0].code, len(CATALOGUE.features[0].cells))
    with pytest.raises(UnknownFeature):
        layout.index("horoscope", 0)
    with pytest.raises(UnknownCategory):
        CATALOGUE.category("horoscope")


def test_a_figure_holds_from_its_month_on_and_the_first_one_before_too() -> None:
    figure = CATALOGUE.figure("si_base_lower_limit")
    values = [figure.at(month) for month in (201001, 202401, 202412, 202501, 209912)]
    assert values == [4879, 4879, 4879, 4952, 4952]
    with pytest.raises(UnknownFigure):
        CATALOGUE.figure("horoscope")


def test_what_was_written_down_from_memory_says_so() -> None:
    """A source that was not read, and a mark that says so, always come together."""
    assert [(one.code, one.recalled) for one in CATALOGUE.figures] == [("si_base_lower_limit", True)]
    for figure in CATALOGUE.figures:
        assert figure.recalled == ("not read" in figure.source)
    for category in CATALOGUE.categories:
        assert ("R" in category.evidence) == ("recalled" in category.provenance), category.code


@given(st.sampled_from(CATALOGUE.features), st.floats(allow_nan=False))
def test_a_value_falls_into_the_cell_whose_bounds_hold_it(feature: Any, value: float) -> None:
    cell = feature.cells[feature.cell_of(value)]
    assert cell.kind is CellKind.VALUE
    assert cell.lower is None or cell.lower <= value
    assert cell.upper is None or value < cell.upper


def test_missing_is_said_and_never_inferred() -> None:
    with pytest.raises(CatalogueError, match="missing"):
        CATALOGUE.features[0].cell_of(float("nan"))


def test_the_digest_is_of_the_content_and_not_of_its_spelling() -> None:
    assert parse(DOCUMENT).digest == CATALOGUE.digest
    assert parse_catalogue(yaml.safe_dump(DOCUMENT, allow_unicode=True).encode()).digest == CATALOGUE.digest
    other = copy.deepcopy(DOCUMENT)
    other["categories"][0]["features"][0]["grid"][0] = 5.5
    other["categories"][0]["features"][0]["edges"] = [12, 24, 36, 60, 84, 120, 180]
    assert parse(other).digest != CATALOGUE.digest


# --- Rules ----------------------------------------------------------------------------------------------------------


def feature0(document: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = document["categories"][0]["features"][0]
    return first


def field0(document: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = document["categories"][0]["fields"][0]
    return first


def step0(document: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = document["figures"][0]["steps"][0]
    return first


BROKEN: dict[str, Any] = {
    "20 categories": lambda d: d["categories"].pop(),
    "a plan category missing": lambda d: d["categories"][8].update(code="gas_use"),
    "a category twice": lambda d: d["categories"].append(copy.deepcopy(d["categories"][0])),
    "a feature twice": lambda d: d["categories"][0]["features"].append(copy.deepcopy(feature0(d))),
    "no holder": lambda d: d["categories"][0].update(holders=[]),
    "unknown sharing": lambda d: d["categories"][0].update(sharing="sell"),
    "unknown sensitivity": lambda d: d["categories"][0].update(sensitivity="S9"),
    "unknown evidence": lambda d: d["categories"][0].update(evidence="X"),
    "coverage attested of no hits": lambda d: d["categories"][0].update(attests_coverage=True),
    "a field twice": lambda d: d["categories"][0]["fields"].append(field0(d)),
    "a number without unit": lambda d: field0(d).update(type="int"),
    "an enum without values": lambda d: field0(d).update(type="enum"),
    "values without an enum": lambda d: field0(d).update(values=["a"]),
    "an unknown type": lambda d: field0(d).update(type="blob"),
    "a natural person": lambda d: field0(d).update(name="legal_rep_phone"),
    "edges that fall": lambda d: feature0(d).update(edges=feature0(d)["edges"][::-1]),
    "a grid that stands still": lambda d: feature0(d)["grid"].append(feature0(d)["grid"][-1]),
    "an edge beside the grid": lambda d: feature0(d)["edges"].append(1e9),
    "an anchor beside the grid": lambda d: feature0(d).update(anchored=[1.25]),
    "too few edges": lambda d: feature0(d).update(edges=feature0(d)["edges"][:6], anchored=[]),
    "an unknown source": lambda d: feature0(d).update(sources=["horoscope"]),
    "its own source twice": lambda d: feature0(d).update(sources=["enterprise_registration"]),
    "an unknown direction": lambda d: feature0(d).update(direction="sideways"),
    "a field that is not there": lambda d: feature0(d).update(field="horoscope"),
    "an unknown key": lambda d: feature0(d).update(weight=3),
    "NaN in the grid": lambda d: feature0(d).update(grid=[float("nan")]),
    "infinity in the grid": lambda d: feature0(d).update(grid=[float("inf")]),
    "a truth as a number": lambda d: feature0(d).update(grid=[True]),
    "more cells than the ring has places": lambda d: feature0(d).update(
        grid=list(range(3_000)), edges=list(range(8)), anchored=[]
    ),
    "an unknown profile": lambda d: d.update(profile="xinyidai-22"),
    "a figure without a value": lambda d: d["figures"][0].update(steps=[]),
    "a figure of an unknown month": lambda d: step0(d).update({"from": "2024-13"}),
    "a figure whose months fall": lambda d: d["figures"][0]["steps"].reverse(),
    "a figure of nothing": lambda d: step0(d).update(value=0),
    "a figure that is a text": lambda d: step0(d).update(value="4879"),
    "a figure that is endless": lambda d: step0(d).update(value=float("inf")),
    "a figure twice": lambda d: d["figures"].append(copy.deepcopy(d["figures"][0])),
    "a figure a feature needs": lambda d: d["figures"].clear(),
    "a memory that is neither true nor false": lambda d: d["figures"][0].update(recalled="perhaps"),
    "a bad version": lambda d: d.update(version="1 / 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named(name: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    BROKEN[name](document)
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(yaml.safe_dump(document, allow_unicode=True).encode())
    assert caught.value.where and len(str(caught.value)) < 500


def test_a_second_catalogue_needs_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL, allow_unicode=True))
    assert len(load_catalogue(path).categories) == 1
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path / "nothing.yaml")


# --- Hostile files --------------------------------------------------------------------------------------------------

HOSTILE = {
    "an alias bomb": "a: &a [x, x]\n" + "\n".join(f"b{i}: &b{i} [*a, *a]" for i in range(30)),
    "an alias": "a: &a 1\nb: *a\n",
    "a merge key": "a: &a {x: 1}\nb: {<<: *a}\n",
    "deep lists": "a: " + "[" * 5_000 + "]" * 5_000,
    "deep mappings": "{a: " * 100 + "1" + "}" * 100,
    "a python object": "!!python/object/apply:os.system ['true']",
    "a tag": "code: !secret x",
    "two documents": "a: 1\n---\nb: 2\n",
    "a key twice": '{"code": "a", "code": "b"}',
    "a key that is no text": "1: 2",
    "a list as key": "? [a]\n: b",
    "a number of 5,000 digits": "code: " + "9" * 5_000,
    "a date": "code: 2026-01-01",
    "a binary": "code: !!binary aGVsbG8=",
    "a set": "code: !!set {a, b}",
    "pairs": "code: !!omap [a: 1]",
    "a list": "[1, 2]",
    "a number": "7",
    "nothing": "",
    "control characters": "code: \x07",
    "half a surrogate": '{"code": "\\ud800"}',
    "an unclosed brace": "{",
    "a time with an odd zone": "code: 2001-12-14t21:59:43.10+99:99",
    "the 31st of February": "code: 2026-02-31",
    "base 60": "code: 190:20:30",
    "infinity": "code: .inf",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_type(name: str) -> None:
    with pytest.raises(CatalogueError):
        parse_catalogue(HOSTILE[name].encode())


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(CatalogueError, match="larger"):
        parse_catalogue(b"#" * (4 * 1024 * 1024 + 1))


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode(errors="surrogatepass")))
def test_any_bytes_are_refused_by_type(raw: bytes) -> None:
    with pytest.raises(CatalogueError):
        parse_catalogue(raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.data())
@settings(deadline=None, max_examples=120)
def test_a_changed_catalogue_loads_or_is_refused_by_type(data: st.DataObject) -> None:
    document = copy.deepcopy(SMALL)
    node: Any = document
    while True:
        place = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        inner = node[place]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            break
        node = inner
    action = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if action == "replace":
        node[place] = data.draw(VALUES)
    elif action == "remove":
        del node[place]
    elif isinstance(node, dict):
        node[data.draw(st.text(max_size=5))] = data.draw(VALUES)
    else:
        node.append(data.draw(VALUES))
    try:
        loaded = parse_catalogue(yaml.safe_dump(document, allow_unicode=True).encode())
    except CatalogueError:
        return
    assert parse_catalogue(loaded.canonical).digest == loaded.digest


RAW = yaml.safe_dump(SMALL, allow_unicode=True)


@given(st.integers(0, len(RAW) - 1), st.text(max_size=3), st.integers(0, 3))
@settings(deadline=None, max_examples=80)
def test_changed_text_loads_or_is_refused_by_type(at: int, inserted: str, dropped: int) -> None:
    changed = RAW[:at] + inserted + RAW[at + dropped :]
    try:
        parse_catalogue(changed.encode(errors="surrogatepass"))
    except CatalogueError:
        pass


def test_numbers_travel_as_json_writes_them() -> None:
    """Canonical JSON says 1e-05, which YAML 1.1 by itself takes for a text."""
    document = copy.deepcopy(SMALL)
    feature = document["categories"][0]["features"][0]
    feature["grid"] = feature["edges"] = [1e-05, 1]
    feature.pop("anchored", None)
    once = parse(document)
    assert b"1e-05" in once.canonical
    assert parse_catalogue(once.canonical).digest == once.digest
