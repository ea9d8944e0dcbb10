"""A bank's machine: a fresh environment, plain pip, one wheel, and a running service somewhere else."""

import csv
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.dev.deployment import ENCLAVE_ID
from clients.dev.system import System
from clients.wallet import GrantTerms
from tests.support.running import PASSPHRASE, city_system, new_wallet

ROOT = Path(__file__).parents[2]
BANK_PROGRAM = """
import sys
from bank_sdk import BankClientSync, BankCredentials, KeyStore, Scorecard

address, bank, ca, enterprise, enclave = sys.argv[1:]
credentials = BankCredentials.from_files(
    f"{bank}/bank.pem", f"{bank}/bank.key", f"{ca}/platform.pem", enclave_ca=f"{ca}/enclave.pem"
)
with BankClientSync.connect(address, credentials, [enclave], key_store=KeyStore(f"{bank}/keys", "secret")) as client:
    rows = [
        {"feature": "reg_age_months", "lower": None, "upper": 24, "points": 10},
        {"feature": "reg_age_months", "lower": 24, "upper": None, "points": 40},
        {"feature": "tax_paid_m12", "lower": None, "upper": 100000, "points": 5},
        {"feature": "tax_paid_m12", "lower": 100000, "upper": None, "points": 77},
    ]
    scorecard = Scorecard.from_table(
        rows, client.catalogue(), name="two features", missing=1, not_applicable=0, not_authorized=0, base_points=100
    )
    result = client.assess(enterprise, client.register(scorecard))
    assert not {"server", "enclave", "clients"} & set(sys.modules)
    print(result.score)
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with city_system(tmp_path_factory.mktemp("city") / "d", enterprises=20, banks=("bank-a",)) as running:
        yield running


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT / "bank_sdk", check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_the_sdk_and_the_contract_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"bank_sdk", "xinyidai"}
    for name in (
        "bank_sdk/py.typed",
        "xinyidai/py.typed",
        "xinyidai/catalogue/xinyidai.yaml",
        "xinyidai/v1/bank_pb2.py",
    ):
        assert name in names


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it names, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    _install(folder, str(wheel))
    return folder


def _install(environment: Path, what: str) -> None:
    command = [str(environment / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", what]
    subprocess.run(command, check=True, cwd=environment)


@pytest.mark.timeout(900)
def test_it_scores_against_a_running_service(system: System, bare: Path, tmp_path: Path) -> None:
    from clients.dev.cli import enterprise_with_records

    wallet = new_wallet(system, tmp_path / "wallet", enterprise_with_records(system.deployment.records, "tax_payment"))
    wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    cells = system.cells(wallet.enterprise)
    catalogue = wallet.catalogue()
    wallet.close()
    (tmp_path / "bank.py").write_text(BANK_PROGRAM)
    bank, ca = system.deployment.bank("bank-a"), system.deployment.authorities
    arguments = [system.grpc_address, str(bank), str(ca), wallet.enterprise, ENCLAVE_ID]
    program = [str(bare / "bin/python"), str(tmp_path / "bank.py"), *arguments]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = 100
    for code, edge, low, high in (("reg_age_months", 24, 10, 40), ("tax_paid_m12", 100000, 5, 77)):
        feature = catalogue.feature(code)
        cell = feature.cells[cells[code]]
        if cell.index < feature.missing:
            expected += high if cell.lower is not None and cell.lower >= edge else low
        else:
            expected += 1 if cell.index == feature.missing else 0
    assert int(done.stdout) == expected


ENTERPRISE = "91320706MA088WXJ02"
"""Of the quick start."""
PREAMBLE = f"""
import pandas
passphrase = {PASSPHRASE!r}
frame = pandas.read_csv("firms.csv")
"""
AFTERWARDS = """
assert result.score in {500 + age + tax for age in (10, 40, 3, 2, 0) for tax in (5, 77, 3, 2, 0)} and decision.action
assert scored["score"].tolist() == [result.score] and scored["grade"].notna().all()
print(result.score)
"""


TREE = {
    "left_children": [1, -1, -1], "right_children": [2, -1, -1], "split_indices": [0, 0, 0],
    "split_conditions": [24.0, 0.5, -0.5], "default_left": [1, 0, 0], "split_type": [0, 0, 0],
    "tree_param": {"size_leaf_vector": "1"},
}  # fmt: skip
MODEL = {
    "version": [3, 2, 0],
    "learner": {
        "attributes": {},
        "feature_names": ["months_active"],
        "gradient_booster": {
            "name": "gbtree",
            "model": {"gbtree_model_param": {"num_trees": "1", "num_parallel_tree": "1"}, "trees": [TREE]},
        },
        "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "1"},
        "objective": {"name": "binary:logistic"},
    },
}
"""A boosted stump in the form of XGBoost 3.2, with the name docs/bank-sdk.md maps."""


def fenced(language: str, section: str) -> str:
    """The one block of a language in a section of the bank's guide."""
    text = (ROOT / "docs" / "bank-sdk.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(block)


def commands(section: str) -> list[str]:
    text = (ROOT / "docs" / "bank-sdk.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    return [line.strip() for line in text.splitlines() if line.startswith("    xyd-bank ")]


@pytest.mark.timeout(900)
def test_a_newcomer_follows_the_quick_start_to_the_letter(
    system: System, wheel: Path, bare: Path, tmp_path: Path
) -> None:
    """Files, commands and program are taken from docs/bank-sdk.md; only the address is this machine's."""
    _install(bare, f"{wheel}[cli,frames]")
    wallet = new_wallet(system, tmp_path / "wallet", ENTERPRISE)
    # The program registers the scorecard a second time: a model of its own, and so an assessment of its own.
    wallet.authorize(wallet.draft(GrantTerms("bank-a", max_assessments=2)))
    wallet.close()
    desk, home, ca = tmp_path / "desk", system.deployment.bank("bank-a"), system.deployment.authorities
    desk.mkdir(mode=0o700)
    for source, name in ((home, "bank.pem"), (home, "bank.key"), (ca, "enclave.pem")):
        shutil.copy(source / name, desk)
    shutil.copy(ca / "platform.pem", desk / "service.pem")
    profile = fenced("toml", "What you need from the platform").replace("platform.example:8443", system.grpc_address)
    (desk / "xyd-bank.toml").write_text(profile)
    (desk / "points.csv").write_text(fenced("csv", "Quick start"))
    (desk / "policy.toml").write_text(fenced("toml", "Decisions"))
    (desk / "firms.csv").write_text(f"uscc\n{ENTERPRISE}\n")
    environment = {"PATH": f"{bare / 'bin'}:/usr/bin:/bin", "XYD_BANK_PASSPHRASE": PASSPHRASE, "HOME": str(desk)}
    for command in commands("Quick start"):
        _follow(["sh", "-c", command], desk, environment)
    (row,) = csv.DictReader((desk / "scores.csv").read_text(encoding="utf-8-sig").splitlines())
    (desk / "conversion.toml").write_text(fenced("toml", "A model of another tool"))
    (desk / "model.json").write_text(json.dumps(MODEL))
    for command in commands("A model of another tool"):
        said = _follow(["sh", "-c", command], desk, environment)
    assert "registered" in said
    program = fenced("python", "Quick start").replace("platform.example:8443", system.grpc_address)
    said = _follow(["python", "-c", PREAMBLE + program + AFTERWARDS], desk, environment)
    assert row["score"] == said.strip() and row["grade"]


def _follow(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
