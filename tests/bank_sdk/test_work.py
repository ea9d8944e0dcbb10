"""A bank's grades as the policy of its unattended worker, and the program that runs it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bank_sdk import Decline, DeclineReason, InputError, MarketDemand, OfferDraft, Policy, Repayment
from bank_sdk.commands.app import app
from bank_sdk.commands.work import GradePolicy
from tests.bank_sdk.test_decision import result

DEMAND = MarketDemand(
    "d" * 32, 1, "assigned", "91320703MA0000003U", 80_000_000, 12, "equipment", ("credit",), "320703", "C", 40, 1, 2,
    "held", 3, "", "bank-a:credit", 1, 40, (),
)  # fmt: skip
GRADES = """
[[grade]]
label = "A"
from = 600
action = "approve"
limit_fen = 50_000_000
rate_bp = 0

[[grade]]
label = "B"
from = 500
action = "refer"
rate_bp = 500

[[grade]]
label = "C"
action = "decline"
"""


def policy(tmp_path: Path, text: str = GRADES) -> GradePolicy:
    (tmp_path / "policy.toml").write_text(text)
    return GradePolicy(Policy.load(tmp_path / "policy.toml"), Repayment.BULLET, 7)


def test_a_grade_offers_leaves_or_declines(tmp_path: Path) -> None:
    rules = policy(tmp_path)
    draft = rules(DEMAND, result(score=600))
    assert isinstance(draft, OfferDraft)
    terms = draft.terms
    assert (terms.amount_fen, terms.annual_rate_bp, terms.months, terms.repayment) == (50_000_000, 0, 12, "bullet")
    assert rules(DEMAND, result(score=550)) is None
    assert rules(DEMAND, result(score=499)) == Decline(DeclineReason.ASSESSMENT)


def test_without_an_authorization_it_waits(tmp_path: Path) -> None:
    assert policy(tmp_path)(DEMAND, None) is None


@pytest.mark.parametrize("rate", ["", "rate_bp = 3601"])
def test_a_grade_that_approves_without_a_rate_is_refused_at_the_start(tmp_path: Path, rate: str) -> None:
    with pytest.raises(InputError, match="grade A"):
        policy(tmp_path, GRADES.replace("rate_bp = 0", rate).replace("rate_bp = 500", ""))


def test_the_program_says_what_it_misses(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["work", "--model", "m", "--profile", str(tmp_path / "none.toml")])
    assert done.exit_code == 1
