"""`xyd-bank`, command by command, against a service in this process."""

import csv
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner
from xinyidai.catalogue import CellKind
from xinyidai.reasons import Reason

from bank_sdk import BankSdkError, KeyStore, Policy, errors, load_any, load_trees, next_step
from bank_sdk.advice import ADVICE
from bank_sdk.commands.app import app
from bank_sdk.commands.models import read_conversion
from bank_sdk.commands.profile import Profile
from bank_sdk.errors import ServiceError
from bank_sdk.testing import InMemoryService
from tests.bank_sdk.importers.material import MODELS, catalogue
from tests.bank_sdk.materials import CATALOGUE, ROWS, scorecard
from tests.bank_sdk.test_decision import POLICY
from tests.support.parties import uscc_number

PASSPHRASE = "of a test"
CARD = scorecard()
STUMPS, DEEP = MODELS / "xgboost/early.json", MODELS / "xgboost/depth3.json"
OPTIONS = ("--base-points", "500", "--missing", "3", "--not-applicable", "2", "--not-authorized", "1")
VALUES = {"age": 30.0, "paid_in": 60.0, "tax_rate": 0.5}


@dataclass(frozen=True)
class Bank:
    service: InMemoryService
    folder: Path
    profile: Path
    table: Path

    def run(self, *arguments: str, code: int = 0, **more: Any) -> str:
        environment = {"XYD_BANK_PROFILE": str(self.profile), "XYD_BANK_PASSPHRASE": PASSPHRASE, "COLUMNS": "200"}
        result = CliRunner().invoke(app, arguments, env=environment, **more)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.output

    def register(self, name: str) -> str:
        said = self.run("register", str(self.table), "--name", name, *OPTIONS)
        found = re.search(r"[0-9a-f]{64}", said)
        assert found is not None
        return found[0]

    def keys(self) -> tuple[str, ...]:
        return KeyStore(self.folder / "keys", PASSPHRASE).models()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    folder = tmp_path_factory.mktemp("bank")
    table = folder / "points.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["feature", "lower", "upper", "cell", "points"])
        writer.writeheader()
        writer.writerows(ROWS)
    with InMemoryService(CATALOGUE) as service:
        service.grant(uscc_number(1), VALUES)
        yield Bank(service, folder, service.write_profile(folder), table)


def test_a_key_store_is_made_once_and_lists_its_models(bank: Bank) -> None:
    fresh = bank.folder / "fresh.toml"
    fresh.write_text(bank.profile.read_text().replace('"keys"', '"other-keys"'))
    said = bank.run("keys", "init", "--profile", str(fresh))
    assert "密钥库已建立" in said and (bank.folder / "other-keys" / "store.json").exists()
    assert "already" in bank.run("keys", "init", "--profile", str(fresh), code=1)
    model = bank.register("listed")
    for command in (("keys", "list"), ("models",)):
        said = bank.run(*command)
        assert model[:16] in said and "listed" in said


def test_an_assessment_by_name_is_the_score_in_the_clear(bank: Bank) -> None:
    bank.register("sme")
    found = json.loads(bank.run("assess", uscc_number(1), "--model", "sme", "--json"))
    assert found["score"] == CARD.score(VALUES) and found["decision"] is None and found["bits_charged"] == 10.04
    values = bank.folder / "values.csv"
    values.write_text("name,age,paid_in,tax_rate\nx,30,60,0.5\ny,,not_applicable,0.5\n")
    (bank.folder / "catalogue.yaml").write_bytes(CATALOGUE.canonical)
    second = CARD.score({"age": CellKind.MISSING, "paid_in": CellKind.NOT_APPLICABLE, "tax_rate": 0.5})
    for source in ((), ("--catalogue", str(bank.folder / "catalogue.yaml"))):
        said = bank.run("score", str(bank.table), str(values), *OPTIONS, *source)
        assert [int(line) for line in said.split()] == [found["score"], second]


def test_a_decision_and_reasons_where_they_are_disclosed(bank: Bank) -> None:
    model = bank.register("by category")
    (bank.folder / "policy.toml").write_text(POLICY)
    bank.service.grant(uscc_number(2), VALUES, disclosure="by_category", precision_points=4)
    arguments = ("assess", uscc_number(2), "-m", model[:12], "--policy", str(bank.folder / "policy.toml"))
    found = json.loads(bank.run(*arguments, "--json"))
    low, high = found["score"]
    assert low <= CARD.score(VALUES) <= high and found["decision"]["action"] in ("approve", "refer", "decline")
    assert found["reasons"][0]["code"] == "registry"
    said = bank.run(*arguments)
    assert "决策 / grade" in said and f"{low}..{high}" in said
    assert "registry" in said or "tax" in said


def test_authorizations_are_listed(bank: Bank) -> None:
    said = bank.run("authorizations", "--enterprise", uscc_number(1))
    assert uscc_number(1) in said and "loan_origination" in said and "total ±0" in said


def test_a_portfolio_from_csv_and_from_parquet(bank: Bank, tmp_path: Path) -> None:
    model = bank.register("portfolio")
    firms = [uscc_number(number) for number in range(300, 340)]
    for number, firm in enumerate(firms):
        bank.service.grant(firm, {**VALUES, "age": float(number)})
    expected = [CARD.score({**VALUES, "age": float(number)}) for number in range(40)]
    frame = pd.DataFrame({"code": [*firms, "=cmd()"]})
    frame.to_csv(tmp_path / "in.csv", index=False)
    frame.to_parquet(tmp_path / "in.parquet")
    (tmp_path / "policy.toml").write_text(POLICY)
    for source, code in (("in.csv", None), ("in.parquet", "0")):
        output = tmp_path / f"{source}.out.csv"
        said = bank.run(
            "portfolio", str(tmp_path / source), str(output), "-m", model, "--column", "code",
            "--policy", str(tmp_path / "policy.toml"), "--receipts", str(tmp_path / "receipts"),
        )  # fmt: skip
        assert "已评分 / scored" in said and "InputError" in said
        with output.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["score"]) for row in rows[:-1]] == expected
        assert rows[-1]["enterprise"] == "'=cmd()" and rows[-1]["error"] == "InputError"
        assert {row["action"] for row in rows[:-1]} <= {"approve", "refer", "decline"}
        assert code is None or {row["repeated"] for row in rows[:-1]} == {"True"}
        assert stat.S_IMODE(output.stat().st_mode) == 0o600
        assert not output.with_name(f"{output.name}.journal").exists()
        assert (tmp_path / "receipts").read_text().count("\n") == 40
    assert "no column uscc" in bank.run("portfolio", str(tmp_path / "in.csv"), "o", "-m", model, code=1)


def test_what_may_work_later_keeps_its_journal(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bank.register("later")
    (tmp_path / "in.csv").write_text(f"uscc\n{uscc_number(1)}\n")
    arguments = ("portfolio", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "-m", model)
    with monkeypatch.context() as patch:
        refused = lambda *_: (_ for _ in ()).throw(_overloaded())  # noqa: E731
        patch.setattr("bank_sdk.testing.servicer.InMemoryServicer._assessment", refused)
        assert "OVERLOADED" in bank.run(*arguments)
    assert (tmp_path / "out.csv.journal").exists()
    assert "已评分" in bank.run(*arguments) and not (tmp_path / "out.csv.journal").exists()


def _overloaded() -> Exception:
    from bank_sdk.testing.servicer import Refusal

    return Refusal(Reason.OVERLOADED, "too much at once")


def test_a_key_is_rotated_and_the_old_one_retired(bank: Bank) -> None:
    old = bank.register("rotated")
    firm = uscc_number(400)
    bank.service.grant(firm, VALUES)
    before = json.loads(bank.run("assess", firm, "-m", "rotated", "--json"))
    other = ("--base-points", "501", *OPTIONS[2:])
    assert "another model" in bank.run("keys", "rotate", old, str(bank.table), *other, "--yes", code=1)
    bank.run("keys", "rotate", old, str(bank.table), *OPTIONS, input="n\n", code=1)
    assert old in bank.keys()
    bank.run("keys", "rotate", old, str(bank.table), *OPTIONS, "--yes")
    assert old not in bank.keys()
    after = json.loads(bank.run("assess", firm, "-m", "rotated", "--json"))
    assert after["score"] == before["score"] and after["bits_charged"] == 10.04, "a new model is charged anew"
    kept = bank.register("kept")
    bank.run("keys", "rotate", kept, str(bank.table), *OPTIONS, "--keep")
    assert kept in bank.keys()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('passphrase = "x"', "XYD_BANK_PASSPHRASE"),
        ('colour = "red"', "unknown member colour"),
        ("timeout = -1", "timeout"),
        ("policy = 7", "policy is a path"),
        ('enclaves = "one"', "enclaves"),
        ("address =", "no readable profile"),
    ],
)
def test_a_profile_says_what_is_wrong_with_it(bank: Bank, tmp_path: Path, line: str, message: str) -> None:
    whole = [entry for entry in bank.profile.read_text().splitlines() if entry.split()[0] != line.split()[0]]
    (tmp_path / "p.toml").write_text("\n".join([*whole, line]))
    assert message in bank.run("models", "--profile", str(tmp_path / "p.toml"), code=1)


def test_errors_say_what_to_do_next_and_show_no_trace(bank: Bank) -> None:
    model = bank.register("errors")
    said = bank.run("assess", uscc_number(999), "-m", model, code=1)
    assert "下一步 / next" in said and "wallet" in said and "Traceback" not in said
    assert "keys list" in bank.run("assess", uscc_number(1), "-m", "nobody", code=1)
    table = bank.folder / "off.csv"
    table.write_text(bank.table.read_text().replace("12", "13"))
    assert "train_on_codes" in bank.run("register", str(table), "--name", "x", *OPTIONS, code=1)


def test_the_documents_profile_and_policy_are_good(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "bank-sdk.md").read_text()
    profile, conversion, policy = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "conversion.toml").write_text(conversion)
    assert read_conversion(tmp_path / "conversion.toml")["positive"] == "bad"
    (tmp_path / "xyd-bank.toml").write_text(profile.replace("# key_is_encrypted", "key_is_encrypted"))
    (tmp_path / "policy.toml").write_text(policy)
    loaded = Profile.load(tmp_path / "xyd-bank.toml")
    assert loaded.key_is_encrypted and loaded.policy == tmp_path / "policy.toml"
    assert [grade.label for grade in Policy.load(loaded.policy).grades] == ["A", "B", "C"]
    for kind in (line.split("`")[1] for line in guide.splitlines() if line.startswith("| `") and "Err" in line):
        assert hasattr(errors, kind)


def test_every_error_has_its_advice() -> None:
    for reason in Reason:
        assert next_step(errors.ERROR_OF[reason]("message", reason)) is ADVICE[reason]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BankSdkError)]
    for kind in kinds:
        # Without calling it: the constructors differ.
        assert next_step(kind.__new__(kind)) if not issubclass(kind, ServiceError) else next_step(kind("message"))
    assert all(text.zh and text.en for text in ADVICE.values())


def test_passphrases_are_prompted_for_when_the_environment_has_none(bank: Bank) -> None:
    environment = {"XYD_BANK_PROFILE": str(bank.profile)}
    result = CliRunner().invoke(app, ["keys", "list"], env=environment, input="sesame\n")
    assert result.exit_code == 1 and "passphrase is not that of" in result.output and "sesame" not in result.output
    options = CliRunner().invoke(app, ["keys", "init", "--help"], env={"COLUMNS": "200"}).output
    assert "passphrase" not in options


def test_without_the_extra_one_line_says_how_to_get_it() -> None:
    program = "import sys; sys.modules['typer'] = None; from bank_sdk.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "xinyidai-bank-sdk[cli]" in done.stderr and "Traceback" not in done.stderr


SAID = """
positive = "bad"
points = "nearest"
not_applicable = "as_missing"
not_authorized = "as_missing"
[scale]
pdo = 20
base_score = 600
base_odds = 50
odds = "good:bad"
"""


@pytest.fixture(scope="module")
def importing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A bank whose catalogue holds the cut points of two models another library made."""
    folder = tmp_path_factory.mktemp("importing")
    cuts = {name: set(edges) for name, edges in load_any(STUMPS).edges.items()}
    for name, edges in load_trees(DEEP).edges.items():
        cuts.setdefault(name, set()).update(edges)
    (folder / "said.toml").write_text(SAID)
    with InMemoryService(catalogue({name: sorted(edges) for name, edges in cuts.items()})) as service:
        yield Bank(service, folder, service.write_profile(folder), folder / "said.toml")


@pytest.mark.parametrize("file", [STUMPS, DEEP], ids=["stumps", "trees"])
def test_a_file_of_another_library_is_planned_registered_assessed_and_rotated(importing: Bank, file: Path) -> None:
    conversion = ("--conversion", str(importing.table))
    planned = importing.run("plan", str(file), *conversion)
    assert "可转换 / convertible: 是 / yes" in planned and "rounding changes a score by at most" in planned
    importing.run("register", str(file), "--name", file.stem, *conversion)
    imported = load_trees(file) if file is DEEP else load_any(file)
    values = {name: edges[0] for name, edges in imported.edges.items()}
    firm = uscc_number(500 if file is DEEP else 501)
    importing.service.grant(firm, values)
    score = json.loads(importing.run("assess", firm, "-m", file.stem, "--json"))["score"]
    (importing.folder / "values.csv").write_text(
        ",".join(values) + "\n" + ",".join(repr(value) for value in values.values()) + "\n"
    )
    clear = importing.run("score", str(file), str(importing.folder / "values.csv"), *conversion)
    assert str(score) in clear.split()
    before = importing.keys()
    importing.run("keys", "rotate", file.stem, str(file), *conversion, "--yes")
    assert len(importing.keys()) == len(before) and set(importing.keys()) != set(before)
    assert json.loads(importing.run("assess", firm, "-m", file.stem, "--json"))["score"] == score


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("x = 1", "knows no x"),
        ("scale = 3", "scale is a table"),
        ("[positive]", "positive is no table"),
        ("[scale]\npdo = 20", "base_score"),
        ("not toml", "TOML"),
        ("[categories.a]\nb = 'nowhere'", "nowhere"),
        (SAID.replace("[scale]", "missing = 0\n[scale]"), "takes no missing"),
        (SAID.replace('positive = "bad"', ""), "positive="),
    ],
)
def test_a_conversion_file_that_says_too_much_or_too_little_is_refused(
    importing: Bank, said: str, expected: str
) -> None:
    path = importing.folder / "other.toml"
    path.write_text(said)
    assert expected in importing.run("plan", str(DEEP), "--conversion", str(path), code=1)


def test_other_formats_and_the_options_of_a_table_do_not_mix(importing: Bank) -> None:
    assert "--conversion" in importing.run("register", str(STUMPS), "--name", "x", code=1)
    mixed = ("--conversion", str(importing.table), "--missing", "3")
    assert "leave out" in importing.run("register", str(STUMPS), "--name", "x", *mixed, code=1)
