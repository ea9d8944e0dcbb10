"""密钥 / keys."""

from typing import Annotated

import typer
from rich.table import Table as Rows

from bank_sdk.commands.models import Conversion, read_model
from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import (
    DEFAULT_PROFILE,
    BasePoints,
    Edge,
    Missing,
    ModelFile,
    Nearest,
    NotApplicable,
    NotAuthorized,
    ProfilePath,
    find_model,
    moment,
    out,
)
from bank_sdk.errors import InputError

app = typer.Typer(cls=Edge, no_args_is_help=True, help="模型密钥 / the keys of the models")


@app.command()
def init(profile: ProfilePath = DEFAULT_PROFILE) -> None:
    """建立加密的密钥库 / make the encrypted key store."""
    loaded = Profile.load(profile)
    if (loaded.key_store / "store.json").exists():
        raise InputError(f"{loaded.key_store} is a key store already; `xyd-bank keys list` opens it")
    loaded.store(confirm=True)
    out.print(f"密钥库已建立 / made: {loaded.key_store}", soft_wrap=True)
    out.print(
        "请离线备份该目录和口令;丢失后无人能读取答复。/ Back up the folder and the passphrase: nobody can replace them."
    )


@app.command("list")
def list_keys(profile: ProfilePath = DEFAULT_PROFILE) -> None:
    """列出本机持有密钥的模型 / list the models this machine has keys for."""
    store = Profile.load(profile).store()
    rows = Rows("模型 / model", "名称 / name", "评分卡摘要 / scorecard", "目录 / catalogue", "登记 / registered (UTC)")
    for model in sorted((store.load(i) for i in store.models()), key=lambda m: (m.registered_at or 0, m.model_id)):
        rows.add_row(
            model.model_id[:16], model.name, model.scorecard_digest[:12], model.catalogue, moment(model.registered_at)
        )
    out.print(rows)


@app.command()
def rotate(
    model: Annotated[str, typer.Argument(help="要轮换的模型 / the model to rotate: id, first digits, or name")],
    file: ModelFile,
    profile: ProfilePath = DEFAULT_PROFILE,
    conversion: Conversion = None,
    base_points: BasePoints = 0,
    missing: Missing = None,
    not_applicable: NotApplicable = None,
    not_authorized: NotAuthorized = None,
    nearest: Nearest = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="保留旧密钥 / keep the old key, to read old answers again")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """用新密钥重新登记同一模型并停用旧密钥 / register the same model under a fresh key, retire the old one.

    新模型的评估会重新计费 / assessments with the new model are charged anew.
    """
    loaded = Profile.load(profile)
    store = loaded.store()
    old = find_model(store, model)
    with loaded.connect(store) as client:
        cells = (missing, not_applicable, not_authorized)
        again = read_model(file, client.catalogue(), old.name, base_points, cells, nearest, conversion)
        if again.digest != old.scorecard_digest:
            raise InputError("the file and its options make another model than this one; register it instead")
        if not (yes or keep):
            question = "旧密钥将被永久删除。继续?/ The old key will be gone for good. Go on?"
            typer.confirm(question, abort=True, err=True)
        made = client.register(again)
    if not keep:
        store.discard(old.model_id)
    out.print(f"新模型 / new model: {made.model_id}", soft_wrap=True)
    out.print(f"旧模型 / old model: {old.model_id} ({'保留 / kept' if keep else '已停用 / retired'})", soft_wrap=True)
