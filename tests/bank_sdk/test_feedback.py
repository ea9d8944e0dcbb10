"""A bank's outcomes against its model: read strictly, reviewed period by period, on its own machine."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bank_sdk import InputError, Outcome, Policy, discrimination, psi, read_outcomes, review
from bank_sdk.commands.app import app
from tests.bank_sdk.test_decision import POLICY

HEADER = "month,score,decision,bad\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "outcomes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def portfolio(seed: int, months: range, shift: int = 0, worse: float = 1.0, rows: int = 300) -> list[Outcome]:
    """Synthetic: the odds of bad double every 40 points downwards."""
    generator = np.random.default_rng(seed)
    found = []
    for month in months:
        for score in generator.integers(450, 700, rows) + shift:
            chance = min(0.9, worse * 0.08 * 2 ** ((560 - int(score)) / 40))
            approved = bool(score >= 500)
            bad = bool(generator.random() < chance) if approved else None
            found.append(Outcome(month, int(score), approved, bad))
    return found


def test_every_row_is_read_as_written(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"\ufeff{HEADER}202601,612,approved,0\n202601,-3,refused,\n202602,500,approved,1\n202602,500,approved,\n",
    )
    assert read_outcomes(path) == [
        Outcome(202601, 612, True, False),
        Outcome(202601, -3, False, None),
        Outcome(202602, 500, True, True),
        Outcome(202602, 500, True, None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("month,score,decision\n", "no column bad"),
        (f"{HEADER}202613,1,approved,0\n", "yyyymm"),
        (f"{HEADER}20261,1,approved,0\n", "yyyymm"),
        (f"{HEADER}202601,1.5,approved,0\n", "whole number"),
        (f"{HEADER}202601,,approved,0\n", "whole number"),
        (f"{HEADER}202601,1,perhaps,0\n", "approved or refused"),
        (f"{HEADER}202601,1,approved,2\n", "1, 0 or empty"),
        (f"{HEADER}202601,1,refused,1\n", "no outcome"),
        (f"{HEADER}202601\n", "line 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_outcomes(write(tmp_path, text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="readable CSV"):
        read_outcomes(path)


def test_each_period_against_the_first(tmp_path: Path) -> None:
    outcomes = portfolio(1, range(202601, 202604)) + portfolio(2, range(202604, 202607), shift=-60)
    first, second = review(outcomes, range(460, 700, 20))
    assert (first.first, first.last, second.first, second.last) == (202601, 202603, 202604, 202606)
    scores = [[o.score for o in outcomes if (o.month >= 202604) == late] for late in (False, True)]
    assert (
        second.stability is not None and second.stability.index == psi(scores[0], scores[1], range(460, 700, 20)).index
    )
    assert (first.stability, first.reading, second.reading) == (None, "in_line", "drift")
    known = [o for o in outcomes if o.bad is not None and o.month < 202604]
    assert first.discrimination == discrimination([o.score for o in known], [int(bool(o.bad)) for o in known])
    assert first.refused == sum(not o.approved for o in outcomes if o.month < 202604)
    assert first.expected_bads is None and first.deviation is None


def test_more_bads_than_the_policy_expects_is_a_drift() -> None:
    policy = Policy.from_document(tomllib.loads(POLICY))
    steady = [Outcome(202601, 650, True, i % 250 == 0) for i in range(1_000)]
    expected = sum(policy.pd(o.score) or 0.0 for o in steady)
    ((found),) = review(steady, [600], policy=policy)
    assert found.expected_bads == pytest.approx(expected)
    bad = [Outcome(202604, 650, True, i % 10 == 0) for i in range(1_000)]
    _, later = review(steady + bad, [600], policy=policy)
    assert later.deviation is not None and later.deviation > 2 and later.reading == "drift"


@pytest.mark.parametrize(("months", "periods"), [(1, 6), (2, 3), (3, 2), (6, 1), (12, 1)])
def test_periods_are_calendar_periods(months: int, periods: int) -> None:
    assert len(review(portfolio(3, range(202601, 202607), rows=20), [500], months=months)) == periods


def test_what_cannot_be_reviewed_is_said() -> None:
    some = [Outcome(202601, 1, True, None)]
    for outcomes, cuts, months in ((some, [1], 5), (some, [2, 1], 3), ([], [1], 3)):
        with pytest.raises(InputError):
            review(outcomes, cuts, months=months)
    (only,) = review(some, [1])
    assert (only.known, only.discrimination) == (0, None)


rows = st.builds(
    lambda month, score, known: Outcome(month, score, known is not None, known if known is not None else None),
    st.sampled_from([202511, 202512, 202601, 202602]), st.integers(-5, 5), st.none() | st.booleans(),
)  # fmt: skip


@given(st.lists(rows, min_size=1, max_size=60), st.sampled_from([1, 2, 3, 4, 6, 12]))
@settings(max_examples=100, deadline=None)
def test_every_application_is_counted_once(outcomes: list[Outcome], months: int) -> None:
    found = review(outcomes, [-2, 0, 2], months=months)
    assert sum(period.applications for period in found) == len(outcomes)
    assert sum(period.bads for period in found) == sum(bool(o.bad) for o in outcomes)
    assert [p.first for p in found] == sorted(p.first for p in found)


def test_the_command(tmp_path: Path) -> None:
    lines = [
        f"{o.month},{o.score},{'approved' if o.approved else 'refused'},{'' if o.bad is None else int(o.bad)}"
        for o in portfolio(4, range(202601, 202607), rows=40)
    ]
    path = write(tmp_path, HEADER + "\n".join(lines) + "\n")
    runner = CliRunner(env={"COLUMNS": "200"})
    shown = runner.invoke(app, ["monitor", "--outcomes", str(path), "--cuts", "500, 600", "--json"])
    first, second = json.loads(shown.output)
    assert (first["first"], second["last"], first["psi"]) == (202601, 202606, None) and 0.5 < first["auc"] < 1
    assert "202601-202603" in runner.invoke(app, ["monitor", "--outcomes", str(path), "--cuts", "500"]).output
    for wrong in ([], ["--cuts", "a"]):
        assert runner.invoke(app, ["monitor", "--outcomes", str(path), *wrong]).exit_code == 1
