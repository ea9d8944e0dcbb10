"""PMML as JPMML writes it for real models, and the parts of the standard it does not use."""

from typing import Any

import numpy as np
import pytest

from bank_sdk import (
    BinGap,
    FileMalformed,
    Import,
    NotAdditive,
    ScorecardError,
    SpecialValueUnmapped,
    UnknownPolicyRequired,
    UnsupportedElement,
    UnsupportedObjective,
    from_pmml,
)
from tests.bank_sdk.importers.material import (
    LOG_ODDS,
    MODELS,
    POLICIES,
    WORDS,
    assert_same_log_odds,
    card_rows,
    catalogue,
    fitting,
    polish_rows,
    scored,
)

FOLDER = MODELS / "pmml"


def test_an_optbinning_scorecard_comes_over_point_for_point() -> None:
    imported = from_pmml(FOLDER / "scorecard.pmml")
    rows, scores = polish_rows("pmml/polish_scores.parquet")
    plan = imported.plan(fitting(imported), **POLICIES)
    assert plan.exact and not plan.edges and plan.rounding_bound == 0
    assert scored(imported, plan, rows).tolist() == scores["scorecard"].astype(int).tolist()
    assert imported.source.library == "SkLearn2PMML package 0.133.1"


def test_boosted_stumps_come_over_with_compacted_trees_and_32_bit_fields() -> None:
    imported = from_pmml(FOLDER / "stumps.pmml")
    rows, scores = polish_rows("pmml/polish_scores.parquet")
    assert_same_log_odds(imported, rows, scores["stumps"].to_numpy())
    assert imported.notes == ("log-odds of class '1'",)


def test_a_logistic_regression_on_bins_and_categories_comes_over() -> None:
    imported = from_pmml(FOLDER / "regression.pmml")
    rows, scores = card_rows("pmml/taiwan_scores.parquet")
    assert len(rows) > 980
    assert_same_log_odds(imported, rows, scores["regression"].to_numpy(), categories=WORDS, unknown=0)


def test_jpmml_shifts_inputs_before_binning_and_the_shift_is_undone_exactly() -> None:
    """add_eps is x + 1e-8 + 1e-5 |x|: a client aged 26.9998 falls in the bin from 27."""
    imported = from_pmml(FOLDER / "regression.pmml")
    for edge, shifted in zip((27.0, 31.0, 37.0, 43.0), imported.edges["age"], strict=True):
        below = float(np.nextafter(shifted, -np.inf))
        assert shifted + (1e-8 + 1e-5 * abs(shifted)) >= edge > below + (1e-8 + 1e-5 * abs(below))
    grids: dict[str, list[float]] = {
        "limit_bal": [5e4, 1e5, 1.8e5, 2.7e5],
        "age": [27, 31, 37, 43],
        "pay_amt1": [316, 1716, 3000, 6155],
    }
    grid = catalogue({**grids, "education": [1, 2, 3, 4], "marriage": [1, 2, 3]}, ordinal=WORDS)
    said: dict[str, Any] = {**LOG_ODDS, "categories": WORDS, "unknown": 0}
    assert len(imported.plan(grid, **said).blocked) == 12
    plan = imported.plan(grid, steps={"limit_bal": 10_000, "age": 1, "pay_amt1": 1}, **said)
    assert not plan.blocked and {change.kind for change in plan.edges} == {"equivalent"}


HEAD = '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><DataDictionary>{}</DataDictionary>'
NUMBER = '<DataField name="age" optype="continuous" dataType="double"/>'
LESS = '<SimplePredicate field="age" operator="lessThan" value="30"/>'
MORE = '<SimplePredicate field="age" operator="greaterOrEqual" value="30"/>'
ABSENT = '<SimplePredicate field="age" operator="isMissing"/>'


def _set(operator: str, kind: str, values: str, count: int) -> str:
    array = f'<Array n="{count}" type="{kind}">{values}</Array>'
    return f'<SimpleSetPredicate field="age" booleanOperator="{operator}">{array}</SimpleSetPredicate>'


def _attribute(points: float, predicate: str, more: str = "") -> str:
    return f'<Attribute partialScore="{points}" {more}>{predicate}</Attribute>'


def _scorecard(
    attributes: str, fields: str = NUMBER, schema: str = '<MiningField name="age"/>', more: str = ""
) -> bytes:
    card = (
        f'<Scorecard functionName="regression" initialScore="500" {more}><MiningSchema>{schema}</MiningSchema>'
        f'<Characteristics><Characteristic name="c" reasonCode="AGE" baselineScore="9">{attributes}</Characteristic>'
        "</Characteristics></Scorecard></PMML>"
    )
    return (HEAD.format(fields) + card).encode()


def _read(attributes: str, **changes: str) -> Import:
    return from_pmml(_scorecard(attributes, **changes))


def test_the_initial_score_is_the_base_and_the_first_match_wins() -> None:
    imported = _read(_attribute(10, LESS) + _attribute(20, "<True/>"))
    assert [imported.value({"age": age}) for age in (29.9, 30, None)] == [510, 520, 520]


def test_reason_codes_and_baselines_are_kept() -> None:
    imported = _read(
        _attribute(10, LESS, 'reasonCode="YOUNG"') + _attribute(20, MORE),
        more='useReasonCodes="true" reasonCodeAlgorithm="pointsBelow" baselineMethod="max"',
    )
    (characteristic,) = imported.characteristics
    assert [step.reason for step in characteristic.steps] == ["YOUNG", "AGE"] and characteristic.baseline == 9
    assert imported.metadata["reasonCodeAlgorithm"] == "pointsBelow"


@pytest.mark.parametrize(
    ("predicate", "inside", "outside"),
    [
        ('<SimplePredicate field="age" operator="lessOrEqual" value="30"/>', [30, -1e300], [30.000000000000004]),
        ('<SimplePredicate field="age" operator="greaterThan" value="30"/>', [30.000000000000004], [30]),
        ('<SimplePredicate field="age" operator="equal" value="30"/>', [30], [29.999999999999996, 30.000000000000004]),
        ('<SimplePredicate field="age" operator="notEqual" value="30"/>', [29, 31], [30]),
        (_set("isIn", "int", "3 5", 2), [3, 5], [4, 3.5]),
        (_set("isNotIn", "int", "3", 1), [4], [3]),
        (f'<CompoundPredicate booleanOperator="or">{LESS}{ABSENT}</CompoundPredicate>', [29, None], [30]),
        ('<SimplePredicate field="age" operator="isNotMissing"/>', [1], [None]),
        ("<False/>", [], [1, None]),
    ],
)  # fmt: skip
def test_predicates_hold_for_exactly_their_values(predicate: str, inside: list[Any], outside: list[Any]) -> None:
    imported = _read(_attribute(1, predicate) + _attribute(0, LESS) + _attribute(0, "<True/>"))
    assert [imported.value({"age": value}) - 500 for value in inside] == [1] * len(inside)
    assert [imported.value({"age": value}) - 500 for value in outside] == [0] * len(outside)


def test_a_missing_value_may_count_as_another() -> None:
    schema = '<MiningField name="age" missingValueReplacement="40"/>'
    assert _read(_attribute(10, LESS) + _attribute(20, MORE), schema=schema).value({}) == 520


WORD = '<DataField name="age" optype="categorical" dataType="string">{}</DataField>'
IN_SET = _set("isIn", "string", '"a b" c', 2)


def test_sets_of_categories_may_be_quoted() -> None:
    imported = _read(_attribute(1, IN_SET) + _attribute(2, "<True/>"), fields=WORD.format(""))
    assert [imported.value({"age": word}) - 500 for word in ("a b", "c", "d")] == [1, 1, 2]


def test_a_category_outside_the_declared_ones_has_no_score() -> None:
    """One engine returns NaN silently there, another raises; here the bank must say."""
    declared = WORD.format('<Value value="a b"/><Value value="c"/>')
    imported = _read(_attribute(1, IN_SET) + _attribute(2, "<True/>"), fields=declared)
    said: dict[str, Any] = {"categories": {"age": {"a b": 1, "c": 2}}, **POLICIES}
    with pytest.raises(UnknownPolicyRequired) as caught:
        imported.plan(catalogue({"age": [1, 2, 3]}, ordinal=["age"]), **said)
    assert caught.value.place.startswith("/PMML/Scorecard[1]/Characteristics[1]/Characteristic[1]")


BOTH = NUMBER + '<DataField name="size" optype="continuous" dataType="double"/>'
OTHER = '<SimplePredicate field="size" operator="lessThan" value="1"/>'
COMPLEX = f'<Attribute>{LESS}<ComplexPartialScore><FieldRef field="age"/></ComplexPartialScore></Attribute>'


@pytest.mark.parametrize(
    ("document", "error", "place", "mend"),
    [
        (_scorecard(COMPLEX), UnsupportedElement, "ComplexPartialScore[1]", "constant"),
        (_scorecard(_attribute(1, f'<CompoundPredicate booleanOperator="surrogate">{LESS}{MORE}</CompoundPredicate>')),
         UnsupportedElement, "CompoundPredicate[1]", "and"),
        (_scorecard(_attribute(1, f'<CompoundPredicate booleanOperator="xor">{LESS}{MORE}</CompoundPredicate>')),
         UnsupportedElement, "CompoundPredicate[1]", "and"),
        (_scorecard(_attribute(1, f'<CompoundPredicate booleanOperator="and">{LESS}{OTHER}</CompoundPredicate>'), BOTH),
         UnsupportedElement, "CompoundPredicate[1]", "one field"),
        (_scorecard(_attribute(1, LESS) + _attribute(2, OTHER), BOTH),
         UnsupportedElement, "Characteristic[1]", "one field"),
        (_scorecard(_attribute(1, LESS.replace("age", "derived"))),
         UnsupportedElement, "SimplePredicate[1]", "own bins"),
        (_scorecard(_attribute(1, LESS)), BinGap, "Characteristic[1]", "one bin"),
        (_scorecard(_attribute(1, LESS), NUMBER.replace("/>", '><Value value="-9" property="missing"/></DataField>')),
         SpecialValueUnmapped, "Value[1]", "missing"),
        (_scorecard(_attribute(1, LESS), schema='<MiningField name="age" outliers="asExtremeValues"/>'),
         UnsupportedElement, "MiningField[1]", "outliers"),
        (_scorecard(_attribute(1, LESS), more='isScorable="false"'), UnsupportedElement, "Scorecard[1]", "export"),
        (_scorecard(_attribute(1, LESS)).replace(b'"4.4"', b'"3.0"'), UnsupportedElement, "/PMML", "4.4"),
    ],
)  # fmt: skip
def test_refusals_name_the_place_and_the_mend(
    document: bytes, error: type[ScorecardError], place: str, mend: str
) -> None:
    with pytest.raises(error) as caught:
        from_pmml(document)
    assert caught.value.place.endswith(place) and mend in caught.value.mend


def test_one_of_several_models_must_be_chosen() -> None:
    two = _scorecard(_attribute(1, ABSENT) + _attribute(0, "<True/>"), more='modelName="a"').decode()
    start, end = two.index("<Scorecard"), two.index("</PMML>")
    two = two[:end] + two[start:end].replace('modelName="a"', 'modelName="b"') + "</PMML>"
    with pytest.raises(UnsupportedElement, match="2 models") as caught:
        from_pmml(two.encode())
    assert caught.value.place == "/PMML" and "model_name=" in caught.value.mend
    assert from_pmml(two.encode(), model_name="b").value({}) == 501


def _regression(body: str, more: str = 'normalizationMethod="logit"') -> bytes:
    model = (
        f'<RegressionModel functionName="classification" {more}><MiningSchema><MiningField name="age"/></MiningSchema>'
    )
    empty = '<RegressionTable intercept="0" targetCategory="0"/>'
    table = f'<RegressionTable intercept="1" targetCategory="1">{body}</RegressionTable>'
    return (HEAD.format(NUMBER) + model + table + empty + "</RegressionModel></PMML>").encode()


@pytest.mark.parametrize(
    ("document", "error", "mend"),
    [
        (_regression('<NumericPredictor name="age" coefficient="2"/>'), UnsupportedElement, "KBinsDiscretizer"),
        (
            _regression('<PredictorTerm coefficient="2"><FieldRef field="age"/></PredictorTerm>'),
            UnsupportedElement,
            "main",
        ),
        (_regression("", 'normalizationMethod="probit"'), UnsupportedObjective, "logit"),
    ],
)
def test_regressions_on_raw_numbers_are_refused(document: bytes, error: type[ScorecardError], mend: str) -> None:
    with pytest.raises(error) as caught:
        from_pmml(document)
    assert "/RegressionModel[1]" in caught.value.place and mend in caught.value.mend


def _tree(strategy: str = "", inner: str = "") -> bytes:
    nodes = (
        f'<Node><True/><Node id="l" score="-1">{LESS}{inner}</Node><Node id="r" score="2">{MORE}</Node></Node>'.replace(
            "<Node><True/>", '<Node score="7" defaultChild="r"><True/>'
        )
    )
    schema = '<MiningSchema><MiningField name="age"/></MiningSchema>'
    return (
        HEAD.format(NUMBER) + f'<TreeModel functionName="regression" {strategy}>{schema}{nodes}</TreeModel></PMML>'
    ).encode()


def test_a_missing_value_goes_the_way_the_tree_says() -> None:
    assert from_pmml(_tree('missingValueStrategy="defaultChild"')).value({}) == 2
    assert from_pmml(_tree('noTrueChildStrategy="returnLastPrediction"')).value({}) == 7
    (characteristic,) = from_pmml(_tree('missingValueStrategy="nullPrediction"')).characteristics
    assert not characteristic.cells


STRATEGY = 'missingValueStrategy="{}"'


def _children(strategy: str, *nodes: tuple[str, float, str]) -> bytes:
    """A tree of depth one by its children: name, score and predicate."""
    body = "".join(f'<Node id="{name}" score="{score}">{predicate}</Node>' for name, score, predicate in nodes)
    schema = '<MiningSchema><MiningField name="age"/></MiningSchema>'
    model = f'<TreeModel functionName="regression" {STRATEGY.format(strategy)}>{schema}'
    return (HEAD.format(NUMBER) + f'{model}<Node defaultChild="r"><True/>{body}</Node></TreeModel></PMML>').encode()


def test_the_strategy_decides_at_the_first_comparison_whatever_follows() -> None:
    """A missing age makes `age < 30` unknown, so neither `True` nor `isMissing` after it is reached."""
    rest = _children("defaultChild", ("l", -1, LESS), ("m", 5, ABSENT), ("r", 2, "<True/>"))
    assert [from_pmml(rest).value({"age": age}) for age in (None, 29, 30)] == [2, -1, 2]
    nothing = _children("nullPrediction", ("l", -1, LESS), ("r", 2, "<True/>"))
    assert not from_pmml(nothing).characteristics[0].cells
    first = _children("defaultChild", ("m", 5, ABSENT), ("l", -1, LESS), ("r", 2, "<True/>"))
    assert [from_pmml(first).value({"age": age}) for age in (None, 29, 30)] == [5, -1, 2]


def test_a_default_child_that_holds_for_all_leaves_the_others_their_values() -> None:
    tree = _children("defaultChild", ("l", -1, LESS), ("r", 2, "<True/>"))
    assert [from_pmml(tree).value({"age": age}) for age in (None, 29, 30)] == [2, -1, 2]


def test_a_tree_that_first_asks_whether_a_value_is_there_is_refused_with_a_strategy() -> None:
    present = ABSENT.replace("isMissing", "isNotMissing")
    with pytest.raises(UnsupportedElement, match="value is there") as caught:
        from_pmml(_children("defaultChild", ("l", -1, present), ("r", 2, "<True/>")))
    assert caught.value.place.endswith("/Node[1]/Node[1]") and "none" in caught.value.mend


TARGETS = '<Targets><Target rescaleFactor="2" rescaleConstant="1"/></Targets>'


def _sum(segment: str, more: str = "") -> bytes:
    """Two times the same tree, added up."""
    inner = f"<Segment><True/>{segment}</Segment>"
    schema = '<MiningSchema><MiningField name="age"/></MiningSchema>'
    model = f'<MiningModel functionName="regression">{schema}{more}'
    segments = f'<Segmentation multipleModelMethod="sum">{inner}{inner}</Segmentation>'
    return (HEAD.format(NUMBER) + f"{model}{segments}</MiningModel></PMML>").encode()


def _stump(kind: str = "regression", more: str = "") -> str:
    schema = '<MiningSchema><MiningField name="age"/></MiningSchema>'
    nodes = f'<Node><True/><Node score="1">{LESS}</Node><Node score="2">{MORE}</Node></Node>'
    return f'<TreeModel functionName="{kind}">{schema}{more}{nodes}</TreeModel>'


def test_each_tree_of_a_sum_is_rescaled_as_it_says_itself() -> None:
    assert from_pmml(_sum(_stump())).value({"age": 29}) == 2
    assert from_pmml(_sum(_stump(more=TARGETS))).value({"age": 29}) == 2 * (2 * 1 + 1)
    assert from_pmml(_sum(_stump(), TARGETS)).value({"age": 29}) == 2 * 2 + 1


def test_trees_that_vote_are_refused_alone_and_in_a_sum() -> None:
    for document in (_sum(_stump("classification")), (HEAD.format(NUMBER) + _stump("classification") + "</PMML>")):
        with pytest.raises(UnsupportedObjective) as caught:
            from_pmml(document if isinstance(document, bytes) else document.encode())
        assert caught.value.place.endswith("TreeModel[1]") and "sum of regression trees" in caught.value.mend
    voting = _sum(_stump()).replace(b'"sum"', b'"majorityVote"')
    with pytest.raises(UnsupportedElement, match="majorityVote") as refused:
        from_pmml(voting)
    assert refused.value.place.endswith("Segmentation[1]") and "sum of trees" in refused.value.mend


def test_a_probability_that_is_rescaled_is_no_log_odds() -> None:
    bins = '<CategoricalPredictor name="age" value="1" coefficient="2"/>'
    plain = _regression(bins)
    assert from_pmml(plain).value({"age": 1}) == 3
    with pytest.raises(UnsupportedElement, match="rescales") as caught:
        from_pmml(plain.replace(b"</MiningSchema>", b"</MiningSchema>" + TARGETS.encode(), 1))
    assert caught.value.place.endswith("Target[1]") and "without rescaling" in caught.value.mend


def _chain(field: str, first: str = "") -> bytes:
    """A tree, and the logit of its output."""
    schema = '<MiningSchema><MiningField name="age"/></MiningSchema>'
    tree = first or _stump(more=f"<Output>{field}</Output>")
    table = '<RegressionTable intercept="1" targetCategory="1"><NumericPredictor name="o" coefficient="3"/>'
    link = (
        '<RegressionModel functionName="classification" normalizationMethod="logit"><MiningSchema>'
        f'<MiningField name="o"/></MiningSchema>{table}</RegressionTable>'
        '<RegressionTable intercept="0" targetCategory="0"/></RegressionModel>'
    )
    segments = f"<Segment><True/>{tree}</Segment><Segment><True/>{link}</Segment>"
    return (
        HEAD.format(NUMBER) + f'<MiningModel functionName="classification">{schema}'
        f'<Segmentation multipleModelMethod="modelChain">{segments}</Segmentation></MiningModel></PMML>'
    ).encode()


def test_the_link_of_a_chain_must_read_the_prediction_itself() -> None:
    plain = '<OutputField name="o" feature="predictedValue"/>'
    assert from_pmml(_chain(plain)).value({"age": 29}) == 1 + 3 * 1
    doubled = '<OutputField name="o" feature="transformedValue"><Apply function="*"/></OutputField>'
    for output in (doubled, '<OutputField name="o" feature="probability" value="1"/>'):
        with pytest.raises(UnsupportedElement, match="more than the output") as caught:
            from_pmml(_chain(output))
        assert "RegressionTable[1]" in caught.value.place and "logit" in caught.value.mend
    bins = '<CategoricalPredictor name="age" value="1" coefficient="2"/>'
    inner = _regression(bins).decode()
    inner = inner[inner.index("<RegressionModel") : inner.index("</PMML>")]
    inner = inner.replace("</MiningSchema>", f"</MiningSchema><Output>{plain}</Output>")
    with pytest.raises(UnsupportedObjective, match="on a probability") as refused:
        from_pmml(_chain("", inner))
    assert "Segment[1]" in refused.value.place and "logit" in refused.value.mend


RANGE = NUMBER.replace("/>", '><Interval closure="closedClosed" leftMargin="18" rightMargin="75"/></DataField>')


def test_numbers_outside_the_declared_ones_are_noted_or_refused() -> None:
    """The source has no score for an age of 80, or takes it for missing."""
    rows = _attribute(10, LESS) + _attribute(20, MORE)
    noted = _read(rows, fields=RANGE)
    assert noted.value({"age": 80}) == 520 and any("age" in note and "outside" in note for note in noted.notes)
    said = '<MiningField name="age" invalidValueTreatment="{}"/>'
    assert not _read(rows, fields=RANGE, schema=said.format("asIs")).notes and not _read(rows).notes
    with pytest.raises(UnsupportedElement, match="count as missing") as caught:
        _read(rows, fields=RANGE, schema=said.format("asMissing"))
    assert caught.value.place.endswith("MiningField[1]") and "asIs" in caught.value.mend


def test_a_discretized_field_is_missing_where_no_bin_is() -> None:
    """And nowhere else: a missing age has a bin of its own here, and an age from 40 has none."""
    bins = '<DiscretizeBin binValue="low"><Interval closure="openOpen" rightMargin="40"/></DiscretizeBin>'
    local = (
        '</MiningSchema><LocalTransformations><DerivedField name="band" optype="categorical" dataType="string">'
        f'<Discretize field="age" mapMissingTo="none">{bins}</Discretize></DerivedField></LocalTransformations>'
    )

    def score(predicate: str) -> list[float]:
        rows = _attribute(1, predicate.replace("age", "band")) + _attribute(0, LESS.replace("lessThan", "isNotMissing"))
        rows = rows.replace('field="age"', 'field="band"') + _attribute(0, "<True/>")
        imported = from_pmml(_scorecard(rows).replace(b"</MiningSchema>", local.encode()))
        return [imported.value({"age": age}) - 500 for age in (30, 40, None)]

    assert score(ABSENT) == [0, 1, 0]
    assert score('<SimplePredicate field="age" operator="notEqual" value="low"/>') == [0, 0, 1]
    assert score(_set("isNotIn", "string", "none", 1)) == [1, 0, 0]


def test_a_field_computed_by_arithmetic_is_refused() -> None:
    twice = '<Apply function="*"><FieldRef field="age"/><Constant dataType="double">2</Constant></Apply>'
    derived = f'<DerivedField name="twice" optype="continuous" dataType="double">{twice}</DerivedField>'
    rows = _attribute(1, LESS.replace("age", "twice")) + _attribute(2, "<True/>")
    local = f"</MiningSchema><LocalTransformations>{derived}</LocalTransformations>"
    with pytest.raises(UnsupportedElement, match="twice") as caught:
        from_pmml(_scorecard(rows).replace(b"</MiningSchema>", local.encode()))
    assert caught.value.place.endswith("SimplePredicate[1]") and "without transformations" in caught.value.mend


def test_deep_trees_and_strategies_without_a_counterpart_are_refused() -> None:
    with pytest.raises(NotAdditive) as caught:
        from_pmml(_tree(inner=f'<Node score="1">{ABSENT}</Node>'))
    assert caught.value.depth == 2 and "train_on_codes" in caught.value.mend
    for strategy in ("lastPrediction", "weightedConfidence", "aggregateNodes"):
        with pytest.raises(UnsupportedElement, match=strategy):
            from_pmml(_tree(f'missingValueStrategy="{strategy}"'))


@pytest.mark.parametrize(
    "raw",
    [
        b"<PMML",
        b"",
        b'<?xml version="1.0"?><!DOCTYPE PMML [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><PMML version="4.4">&b;</PMML>',
        b'<!DOCTYPE PMML SYSTEM "http://example.org/pmml.dtd"><PMML version="4.4"/>',
        b"<PMML>" + b"<a>" * 5000,
        b"<PMML>" + b"<a/>" * 150_000,
        b'<?xml version="1.0" encoding="utf-7"?><PMML/>',
        b"<PMML " + b" ".join(b'a%d="1"' % i for i in range(100)) + b"/>",
        _scorecard(_attribute(1, LESS.replace('"30"', '"NaN"'))),
        _scorecard(_attribute(1, LESS.replace('"30"', '"1e999"'))),
        _scorecard(_attribute(1, LESS).replace('partialScore="1"', "")),
    ],
)
def test_hostile_documents_are_refused(raw: bytes) -> None:
    with pytest.raises(FileMalformed):
        from_pmml(raw)
