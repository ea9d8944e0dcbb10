"""The operator's commands, as programs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from xinyidai.identity import CertificateInvalid

from clients.dev.deployment import Deployment
from server.banks.errors import BankNotRegistered
from server.commands import add_bank, drop_bank
from server.settings import load_settings
from tests.support.platform import audit_rows


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    made = Deployment.create(tmp_path_factory.mktemp("commands") / "d")
    for bank in ("bank-a", "bank-b"):
        made.issue_bank(bank)
    assert run(made, "migrate").returncode == 0
    return made


def run(deployment: Deployment, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "server.app", command, "--config", str(deployment.server_config), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def add(deployment: Deployment, bank: str, certificate_of: str) -> subprocess.CompletedProcess[str]:
    certificate = str(deployment.bank(certificate_of) / "bank.pem")
    return run(deployment, "add-bank", "--id", bank, "--name-zh", "甲", "--name-en", "A", "--certificate", certificate)


def test_a_bank_is_added_removed_and_both_are_audited(deployment: Deployment) -> None:
    assert "bank-a" in add(deployment, "bank-a", "bank-a").stdout
    assert "bank-a" in run(deployment, "remove-bank", "--id", "bank-a").stdout
    settings = load_settings(deployment.server_config)
    with pytest.raises(BankNotRegistered):
        drop_bank(settings, "bank-a")
    rows = audit_rows(settings)
    assert [(row["kind"], row["bank"]) for row in rows] == [("add_bank", "bank-a"), ("remove_bank", "bank-a")]


def test_a_certificate_of_another_bank_or_role_is_refused_without_a_trace(deployment: Deployment) -> None:
    other = add(deployment, "bank-a", "bank-b")
    assert other.returncode == 1 and "证书属于另一家银行" in other.stderr
    settings = load_settings(deployment.server_config)
    before = len(audit_rows(settings))
    with pytest.raises(CertificateInvalid):
        add_bank(settings, "bank-a", "甲", "A", deployment.root / "enclave" / "tls.pem")
    with pytest.raises(ValueError, match="128"):
        add_bank(settings, "bank-a", "甲" * 129, "A", deployment.bank("bank-a") / "bank.pem")
    assert len(audit_rows(settings)) == before


def test_serving_an_unmigrated_database_says_what_to_do(tmp_path: Path) -> None:
    refused = run(Deployment.create(tmp_path / "d"), "serve")
    assert refused.returncode == 1 and "xyd-server migrate" in refused.stderr


def test_events_go_to_an_https_address_alone_and_looks_at_objections_need_a_name(deployment: Deployment) -> None:
    certificate = str(deployment.bank("bank-b") / "bank.pem")
    line = ["--id", "bank-b", "--name-zh", "乙", "--name-en", "B", "--certificate", certificate, "--events-url"]
    assert "https" in run(deployment, "add-bank", *line, "http://bank.example").stderr
    assert run(deployment, "add-bank", *line, "https://bank.example/events").returncode == 0
    assert json.loads(run(deployment, "objections", "--operator", "王五").stdout)["late"] == []
    assert run(deployment, "objections", "--operator", " ").returncode == 1
    assert run(deployment, "remove-bank", "--id", "bank-b").returncode == 0
