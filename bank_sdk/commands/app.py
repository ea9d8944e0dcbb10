"""银行命令行 / The bank on the command line."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Rows

from bank_sdk.commands import clear, keys, outreach, portfolio, work
from bank_sdk.commands.models import Conversion, plan, read_model
from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import (
    DEFAULT_PROFILE,
    BasePoints,
    Edge,
    Missing,
    ModelFile,
    ModelName,
    Nearest,
    NotApplicable,
    NotAuthorized,
    PolicyPath,
    ProfilePath,
    find_model,
    moment,
    out,
)
from bank_sdk.decision import Policy
from bank_sdk.explain import reasons
from bank_sdk.results import AssessmentResult, ScoreInterval

app = typer.Typer(
    cls=Edge,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="信易贷银行端:登记模型、评估、决策 / register models, assess, decide",
)
app.add_typer(keys.app, name="keys")
app.command("portfolio")(portfolio.portfolio)
app.command("score")(clear.score)
app.command("white-list")(outreach.white_list)
app.command("alerts")(outreach.alerts)
app.command("monitor")(outreach.monitor)
app.command("plan")(plan)
app.command("work")(work.work)


@app.command()
def register(
    file: ModelFile,
    name: Annotated[str, typer.Option(help="模型名称 / name of the model")],
    profile: ProfilePath = DEFAULT_PROFILE,
    conversion: Conversion = None,
    base_points: BasePoints = 0,
    missing: Missing = None,
    not_applicable: NotApplicable = None,
    not_authorized: NotAuthorized = None,
    nearest: Nearest = False,
) -> None:
    """加密并登记模型 / encrypt a scorecard or a tree ensemble and register it."""
    with Profile.load(profile).connect() as client:
        cells = (missing, not_applicable, not_authorized)
        made = read_model(file, client.catalogue(), name, base_points, cells, nearest, conversion)
        proof = made.prove()
        model = client.register(made)
    out.print(f"已登记 / registered: {model.model_id}", soft_wrap=True)
    out.print(f"最大总分跨度 / largest span {proof.largest}, 余量 / headroom {proof.headroom}")


@app.command()
def models(profile: ProfilePath = DEFAULT_PROFILE) -> None:
    """列出已登记的模型 / list the registered models."""
    rows = Rows("模型 / model", "名称 / name", "目录 / catalogue", "登记 / registered (UTC)")
    with Profile.load(profile).connect() as client:
        for model in client.models():
            name = model.name or "(密钥不在本机 / key not here)"
            rows.add_row(model.model_id[:16], name, model.catalogue, moment(model.registered_at))
    out.print(rows)


@app.command()
def authorizations(
    profile: ProfilePath = DEFAULT_PROFILE,
    enterprise: Annotated[str | None, typer.Option(help="统一社会信用代码 / USCC; 默认全部 / default: all")] = None,
) -> None:
    """列出企业授权 / list the authorizations for this bank."""
    rows = Rows(
        "状态 / state", "企业 / enterprise", "用途 / purpose", "披露 / disclosure", "已用 / used", "到期 / until (UTC)"
    )
    with Profile.load(profile).connect() as client:
        for grant in client.authorizations(enterprise):
            terms = grant.terms
            shown = f"{terms.disclosure} ±{terms.precision_points}"
            used = f"{grant.assessments}/{terms.max_assessments}"
            rows.add_row(grant.state, terms.enterprise, terms.purpose, shown, used, moment(terms.expires_at))
    out.print(rows)


@app.command()
def assess(
    uscc: Annotated[str, typer.Argument(help="统一社会信用代码 / unified social credit code")],
    model: ModelName,
    profile: ProfilePath = DEFAULT_PROFILE,
    policy: PolicyPath = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="重新评估并计费 / evaluate and charge anew")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
) -> None:
    """评估一家企业 / assess one enterprise."""
    loaded = Profile.load(profile)
    rules = _policy(policy or loaded.policy)
    store = loaded.store()
    stored = find_model(store, model)
    with loaded.connect(store) as client:
        result = client.assess(uscc, stored.model_id, fresh=fresh)
        catalogue = client.catalogue() if result.categories else None
    found: dict[str, Any] = {
        "enterprise": result.enterprise,
        "score": _plain(result),
        "as_of": result.as_of.isoformat(),
        "bits_charged": result.centibits_charged / 100,
        "assessment_id": result.assessment_id,
        "decision": asdict(rules.decide(result)) if rules else None,
        "reasons": [
            {"code": r.code, "zh": r.zh, "en": r.en} for r in (reasons(result, stored, catalogue) if catalogue else ())
        ],
    }
    if as_json:
        out.print(json.dumps(found, ensure_ascii=False), soft_wrap=True, markup=False)
        return
    _show(found)


def _policy(path: Path | None) -> Policy | None:
    return None if path is None else Policy.load(path)


def _plain(result: AssessmentResult) -> int | list[int]:
    score = result.score
    return [score.low, score.high] if isinstance(score, ScoreInterval) else score


def _show(found: dict[str, Any]) -> None:
    titles = {
        "enterprise": "企业 / enterprise", "score": "得分 / score", "as_of": "数据截至 / as of",
        "bits_charged": "计费(比特)/ bits charged", "assessment_id": "评估编号 / assessment",
    }  # fmt: skip
    rows = Rows(show_header=False)
    for name, title in titles.items():
        value = found[name]
        rows.add_row(title, f"{value[0]}..{value[1]}" if isinstance(value, list) else str(value))
    if found["decision"]:
        for name, value in found["decision"].items():
            rows.add_row(f"决策 / {name}", str(value))
    for number, reason in enumerate(found["reasons"], start=1):
        rows.add_row(f"原因 / reason {number}", f"{reason['zh']} / {reason['en']}")
    out.print(rows)
