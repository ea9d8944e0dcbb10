"""From scores to decisions: whole numbers in, the same decision out, and nothing kinder for the worse."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xinyidai.catalogue import Text

from bank_sdk import (
    Action,
    AssessmentResult,
    Grade,
    InputError,
    Policy,
    Scale,
    ScoreInterval,
    calibrate_grades,
    calibrate_scale,
    reasons,
)
from tests.bank_sdk.materials import CATALOGUE, scorecard

POLICY = """
[scale]
pdo = 20
base_score = 600
base_odds = 50
odds = "good:bad"

[[grade]]
label = "A"
from = 640
action = "approve"
limit_fen = 300_000_000
rate_bp = 385
pd_bp = 40

[[grade]]
label = "B"
from = 590
action = "approve"
limit_fen = 100_000_000
rate_bp = 450

[[grade]]
label = "C"
from = 560
action = "refer"
limit_fen = 50_000_000
rate_bp = 560

[[grade]]
label = "D"
action = "decline"
"""
SCALE = Scale(20, 600, 50, "good:bad")


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "policy.toml").write_text(POLICY)
    return Policy.load(tmp_path / "policy.toml")


def result(**changes: Any) -> AssessmentResult:
    members: dict[str, Any] = {
        "enterprise": "91320706MA088WXJ02", "model_id": "m", "authorization": "a", "score": 600, "categories": {},
        "precision_points": 0, "assessment_id": "i", "as_of": date(2026, 10, 31), "snapshot": "s", "charged_at": 0,
        "centibits": 1004, "repeated": False, "receipt": "r",
    }  # fmt: skip
    return AssessmentResult(**{**members, **changes})


@pytest.mark.parametrize(
    ("score", "grade", "action", "limit", "rate"),
    [
        (640, "A", Action.APPROVE, 300_000_000, 385),
        (639, "B", Action.APPROVE, 100_000_000, 450),
        (590, "B", Action.APPROVE, 100_000_000, 450),
        (560, "C", Action.REFER, 50_000_000, 560),
        (559, "D", Action.DECLINE, None, None),
        (-5000, "D", Action.DECLINE, None, None),
    ],
)
def test_a_band_holds_its_lower_end(
    policy: Policy, score: int, grade: str, action: Action, limit: int | None, rate: int | None
) -> None:
    decision = policy.decide(result(score=score))
    assert (decision.grade, decision.action, decision.limit_fen, decision.rate_bp) == (grade, action, limit, rate)
    assert decision.grades == (grade,) and decision.reason == ""


def test_an_interval_is_decided_by_its_worse_end_and_by_a_person_when_the_ends_differ(policy: Policy) -> None:
    kind = policy.decide(ScoreInterval(600, 650))
    assert (kind.action, kind.grade, kind.grades, kind.limit_fen) == (Action.APPROVE, "B", ("A", "B"), 100_000_000)
    torn = policy.decide(ScoreInterval(540, 600))
    assert (torn.action, torn.grade, torn.grades, torn.reason) == (Action.REFER, "D", ("B", "C", "D"), "straddles")
    assert (torn.limit_fen, torn.rate_bp) == (None, None)


def test_a_request_caps_the_limit_and_never_lifts_it(policy: Policy) -> None:
    assert policy.decide(700, requested_fen=12_345).limit_fen == 12_345
    assert policy.decide(700, requested_fen=10**12).limit_fen == 300_000_000
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="requested_fen"):
            policy.decide(700, requested_fen=wrong)  # type: ignore[arg-type]


def test_the_probability_is_the_grades_or_follows_from_the_pdo(policy: Policy) -> None:
    assert policy.pd(700) == 0.004
    assert policy.pd(600) == pytest.approx(1 / 51)
    # Twenty points fewer, half the odds.
    assert policy.pd(580) == pytest.approx(1 / 26)
    assert SCALE.log_odds(SCALE.score(1.25)) == pytest.approx(1.25)
    turned = Scale(20, 600, 1 / 50, "bad:good", "riskier")
    assert turned.pd(600) == pytest.approx(1 / 51) and turned.pd(620) == pytest.approx(1 / 26)
    assert SCALE.pd(-1e9) == pytest.approx(1) and SCALE.pd(1e9) == pytest.approx(0)


def test_a_score_that_is_higher_when_riskier() -> None:
    policy = Policy(
        [Grade("good", None, Action.APPROVE, 100), Grade("mid", 20, Action.REFER), Grade("bad", 50, Action.DECLINE)],
        higher_is="riskier",
    )
    grades = [policy.decide(score).grade for score in (-3, 19, 20, 49, 50, 99)]
    assert grades == ["good", "good", "mid", "mid", "bad", "bad"]
    assert policy.decide(ScoreInterval(10, 30)).action is Action.REFER


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("from = 560", "from = 590", "fall strictly"),
        ("from = 560\n", "", "has no from_points"),
        ("from = 560", "from = 560.5", "whole points"),
        ('label = "C"', 'label = "B"', "distinct labels"),
        ('action = "refer"', 'action = "maybe"', "approve, refer or decline"),
        ("limit_fen = 50_000_000", "limit_fen = 500_000_000", "treated better"),
        ("rate_bp = 560", "rate_bp = 100", "treated better"),
        ('action = "approve"\nlimit_fen = 300', 'action = "decline"\nlimit_fen = 300', "treated better"),
        ("rate_bp = 560", "rate_bp = 5.6", "rate_bp is a whole number"),
        ("limit_fen = 50_000_000", "limit_fem = 50_000_000", "unknown member limit_fem"),
        ('odds = "good:bad"', "", "a scale has"),
        ('odds = "good:bad"', 'odds = "good"', "how the odds are meant"),
        ("pdo = 20", "pdo = -20", "above 0"),
        ("[scale]", "[scale", "TOML"),
    ],
)
def test_a_policy_with_a_hole_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert POLICY.count(old) >= 1
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        Policy.load(path)


def test_a_policy_has_a_digest_and_shows_nothing(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(POLICY.replace("385", "386"))
    assert Policy.load(tmp_path / "other.toml").digest != policy.digest == Policy(policy.grades, policy.scale).digest
    assert "redacted" in repr(policy) and "640" not in repr(policy) + repr(policy.grades[0])


def test_calibration_finds_the_scale_the_outcomes_came_from() -> None:
    generator = np.random.default_rng(1)
    scores = generator.integers(480, 720, 40_000)
    outcome = (generator.random(40_000) < [SCALE.pd(int(score)) for score in scores]).astype(int)
    found = calibrate_scale(scores, outcome, base_score=600)
    assert found.pdo == pytest.approx(20, rel=0.05) and found.base_odds == pytest.approx(50, rel=0.1)
    with pytest.raises(InputError, match="run against the score"):
        calibrate_scale(scores, 1 - outcome, base_score=600)
    with pytest.raises(InputError, match="scores that differ"):
        calibrate_scale([600] * 4, [0, 1, 0, 1], base_score=600)


def test_grades_get_rates_in_order(policy: Policy) -> None:
    # Observed: A 2 %, B 1 % (out of order: pooled), C 5 %, D 20 %.
    counts = {"A": (650, 1000, 20), "B": (600, 1000, 10), "C": (570, 1000, 50), "D": (500, 500, 100)}
    scores = [score for score, rows, _ in counts.values() for _ in range(rows)]
    outcome = [int(at < bads) for _, rows, bads in counts.values() for at in range(rows)]
    calibrated = calibrate_grades(policy, scores, outcome)
    assert [grade.pd_bp for grade in calibrated.grades] == [155, 155, 504, 2006]
    with pytest.raises(InputError, match="grade D has 10 rows"):
        calibrate_grades(policy, scores[:3010], outcome[:3010])


def test_reasons_are_the_points_certainly_lost_in_fixed_order() -> None:
    card = scorecard()
    best = {code: entry.offset + entry.span for code, entry in card.category_ranges.items()}
    assert best == {"registry": 100, "tax": 7}
    exact = reasons(result(categories={"registry": 70, "tax": 7}), card, CATALOGUE)
    assert [(reason.code, reason.lost_at_least) for reason in exact] == [("registry", 30)]
    # 20..60 lost against 0..3: what may be nothing is no reason.
    coarse = result(categories={"registry": ScoreInterval(40, 80), "tax": ScoreInterval(4, 7)})
    assert [reason.code for reason in reasons(coarse, card, CATALOGUE)] == ["registry"]
    tie = result(categories={"registry": 93, "tax": 0})
    assert [reason.code for reason in reasons(tie, card, CATALOGUE)] == ["registry", "tax"]
    assert [reason.code for reason in reasons(tie, card, CATALOGUE, most=1)] == ["registry"]


def test_what_was_not_authorized_is_named_as_such_and_words_are_the_banks() -> None:
    found = reasons(result(categories={"registry": 100}), scorecard(), CATALOGUE)
    assert [(reason.code, reason.lost_at_least) for reason in found] == [("tax.not_authorized", 6)]
    assert "未授权" in found[0].zh and "tax" in found[0].en
    texts = {"tax.not_authorized": Text("请补充纳税授权", "please authorize tax")}
    own = reasons(result(categories={"registry": 100}), scorecard(), CATALOGUE, texts=texts)
    assert own[0].zh == "请补充纳税授权" and "6" not in repr(own[0])
    with pytest.raises(InputError, match="disclosure by category"):
        reasons(result(), scorecard(), CATALOGUE)
