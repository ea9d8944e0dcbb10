"""无人值守的报价程序 / The unattended worker that answers demands with offers."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from xinyidai.market import MAX_RATE_BP, DeclineReason, OfferTerms, Repayment

from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import DEFAULT_PROFILE, ModelName, PolicyPath, ProfilePath, find_model, out
from bank_sdk.decision import Action, Policy
from bank_sdk.errors import InputError
from bank_sdk.keys import KeyStore
from bank_sdk.market import MarketDemand
from bank_sdk.results import AssessmentResult
from bank_sdk.worker import Decline, Handled, OfferDraft, OfferWorker, Verdict

_DAY: Final = 86_400


class GradePolicy:
    """A bank's grades as the worker's policy: approve offers, decline declines, refer leaves it to a person."""

    def __init__(self, policy: Policy, repayment: Repayment, days: int) -> None:
        """`days`: how long an offer stands. Raises `InputError` for a grade that approves without a usable rate."""
        for grade in policy.grades:
            if grade.action is Action.APPROVE and (grade.rate_bp is None or grade.rate_bp > MAX_RATE_BP):
                raise InputError(f"grade {grade.label} approves, so it needs rate_bp, at most {MAX_RATE_BP}")
        self._policy = policy
        self._repayment = repayment
        self._days = days

    def __call__(self, demand: MarketDemand, result: AssessmentResult | None) -> Verdict:
        if result is None:
            return None
        decision = self._policy.decide(result, requested_fen=demand.amount_fen)
        if decision.action is Action.DECLINE:
            return Decline(DeclineReason.ASSESSMENT)
        if decision.action is Action.REFER or decision.rate_bp is None:
            return None
        amount = demand.amount_fen if decision.limit_fen is None else decision.limit_fen
        until = int(time.time()) + self._days * _DAY
        return OfferDraft(OfferTerms(amount, decision.rate_bp, demand.months, 0, self._repayment, until))


def work(
    model: ModelName,
    profile: ProfilePath = DEFAULT_PROFILE,
    policy: PolicyPath = None,
    resume_file: Annotated[Path, typer.Option(help="断点文件 / where it keeps its place")] = Path("worker.place"),
    repayment: Annotated[Repayment, typer.Option(help="还款方式 / repayment")] = Repayment.EQUAL_INSTALMENTS,
    days: Annotated[int, typer.Option(min=1, max=365, help="报价有效天数 / days an offer stands")] = 7,
    grab: Annotated[bool, typer.Option("--grab", help="主动抢单 / take demands without being asked")] = False,
) -> None:
    """按决策规则自动报价,直到中断 / answer demands by the policy until interrupted."""
    loaded = Profile.load(profile)
    path = policy or loaded.policy
    if path is None:
        raise InputError("the worker decides by a policy; name one with --policy or in the profile")
    rules = GradePolicy(Policy.load(path), repayment, days)
    store = loaded.store()
    stored = find_model(store, model)
    try:
        asyncio.run(_work(loaded, store, stored.model_id, rules, resume_file, grab))
    except KeyboardInterrupt:
        out.print("已停止;再次运行即从断点继续 / stopped; run it again to go on where it was")


async def _work(
    profile: Profile, store: KeyStore, model_id: str, rules: GradePolicy, resume_file: Path, grab: bool
) -> None:
    async with await profile.connect_async(store) as client:
        worker = OfferWorker(client, model_id, rules, resume_file=resume_file, grabs=lambda _: grab, observe=_tell)
        out.print("已就绪 / ready")
        await worker.run()


def _tell(handled: Handled) -> None:
    """One line each, without a score: what a terminal shows, others read."""
    at = datetime.now(UTC).strftime("%H:%M:%S")
    out.print(f"{at} {handled.demand.demand_id[:12]} {handled.action} {handled.detail}", markup=False, soft_wrap=True)
