"""What several commands use: consoles, options, the edge where errors become words."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from typer.core import TyperGroup

from bank_sdk.advice import next_step
from bank_sdk.errors import BankSdkError, InputError
from bank_sdk.keys import KeyStore, StoredModel

out: Final = Console(highlight=False)
err: Final = Console(stderr=True, highlight=False)
_LEAST_PREFIX: Final = 8

ProfilePath = Annotated[
    Path, typer.Option("--profile", "-p", help="配置文件 / the profile (TOML)", envvar="XYD_BANK_PROFILE")
]
DEFAULT_PROFILE: Final = Path("xyd-bank.toml")
ModelName = Annotated[
    str, typer.Option("--model", "-m", help="模型编号、其前缀或名称 / model id, its first 8 or more digits, or name")
]
PolicyPath = Annotated[Path | None, typer.Option("--policy", help="决策规则 / decision policy (TOML)")]
ModelFile = Annotated[
    Path,
    typer.Argument(
        help="评分表(CSV),或配合 --conversion 的任何模型文件 / points table, or any model file with --conversion",
        exists=True,
        dir_okay=False,
    ),
]
BasePoints = Annotated[int, typer.Option(help="基础分 / base points")]
Missing = Annotated[int | None, typer.Option(help="缺失单元的分值 / points of the missing cell")]
NotApplicable = Annotated[int | None, typer.Option(help="不适用单元的分值 / points of the not-applicable cell")]
NotAuthorized = Annotated[int | None, typer.Option(help="未授权单元的分值 / points of the not-authorized cell")]
Nearest = Annotated[bool, typer.Option("--round", help="把小数分值四舍五入 / round fractional points")]


class Edge(TyperGroup):
    """Errors of the SDK end the program with what happened and what to do, without a trace of calls."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BankSdkError as error:
            text = next_step(error)
            err.print(f"错误 / error ({type(error).__name__}): {error}", style="red", markup=False, soft_wrap=True)
            err.print(f"下一步 / next: {text.zh} / {text.en}", markup=False, soft_wrap=True)
            raise typer.Exit(1) from error


def find_model(store: KeyStore, wanted: str) -> StoredModel:
    """By id, by the first digits of one, or by name: of several with that name, the one registered last."""
    ids = store.models()
    if wanted in ids:
        return store.load(wanted)
    starting = [identity for identity in ids if len(wanted) >= _LEAST_PREFIX and identity.startswith(wanted)]
    if len(starting) == 1:
        return store.load(starting[0])
    named = [model for model in map(store.load, ids) if model.name == wanted and model.registered_at is not None]
    if not named:
        raise InputError(f"this key store has no single registered model {wanted!r}; `xyd-bank keys list` shows them")
    return max(named, key=lambda model: model.registered_at or 0)


def moment(seconds: int | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
