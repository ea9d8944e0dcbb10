"""The programs as people start them: the wallet on the command line, and the whole system in the foreground."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from xinyidai.identifiers import check_character_holds, parse_uscc
from xinyidai.quality import MEASURES

from clients.demo.quality import board_table, categories_of, fetch_board
from clients.dev.system import System
from tests.support.parties import uscc_number

_BIN = Path(sys.executable).parent
Wallet = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def wallet(city: System, tmp_path: Path) -> Wallet:
    """`xyd-wallet` with this system's address and a passphrase in the environment."""
    environment = {
        **os.environ,
        "XYD_WALLET": str(tmp_path / "w"),
        "XYD_WALLET_PASSPHRASE": "of an enterprise",
        "XYD_PLATFORM": city.rest_url,
        "COLUMNS": "200",
    }

    def run(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        command = [str(_BIN / "xyd-wallet"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_an_enterprise_from_its_key_to_its_revocation(city: System, wallet: Wallet, tmp_path: Path) -> None:
    codes = parquet.read_table(city.deployment.records / "tax_payment.parquet", columns=["uscc"]).column("uscc")
    uscc = [c for c in codes.unique().to_pylist() if check_character_holds(parse_uscc(c))][-1]
    anchors = ["--platform-ca", str(city.deployment.anchor("platform"))]
    anchors += ["--enclave-ca", str(city.deployment.anchor("enclave"))]
    wallet("create", uscc, "--platform", city.rest_url, *anchors)
    certificate = tmp_path / "certificate.pem"
    enrol = [str(_BIN / "xyd-dev"), "enrol", str(city.deployment.root), uscc, str(tmp_path / "w" / "request.pem")]
    subprocess.run([*enrol, str(certificate)], check=True, capture_output=True)
    assert "登记成功" in wallet("register", str(certificate)).stdout

    granted = wallet("authorize", "bank-a", "--category", "tax_payment", "--max-assessments", "2", "--yes").stdout
    assert "最多 2 次" in granted and "at most 20.08" not in granted and "20.08 bits in all" in granted
    digest = re.findall(r"[0-9a-f]{64}", granted)[-1]
    assert digest[:16] in wallet("list").stdout
    wallet("pause", digest[:16])
    assert "paused" in wallet("list").stdout
    wallet("resume", digest)
    wallet("budget", "20", "--bank", "bank-a")
    assert "0.00 / 20.00 bit" in wallet("usage").stdout
    wallet("revoke", digest[:12])
    assert "revoked" in wallet("list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("authorize", "no-such-bank", "--yes"), "no such bank"),
        (("authorize", "bank-a", "--category", "horoscope", "--yes"), "no such category"),
        (("authorize", "bank-a", "--purpose", "curiosity", "--yes"), "the purpose is one of"),
        (("revoke", "0000"), "check the digest"),
        (("authorize", "bank-a", "--days", "4000", "--yes"), "valid for at most 31 days"),
        (("authorize", "bank-a", "--max-assessments", "100", "--yes"), "at most 10 assessments"),
        (("budget", "50", "--bank", "bank-z"), "no such bank"),
    ],
)
def test_mistakes_are_explained(
    city: System, wallet: Wallet, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    anchors = ["--platform-ca", str(city.deployment.anchor("platform"))]
    anchors += ["--enclave-ca", str(city.deployment.anchor("enclave"))]
    uscc = uscc_number(900_000 + sum(map(ord, "".join(arguments))))
    wallet("create", uscc, "--platform", city.rest_url, *anchors)
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(city.deployment.enrol(uscc, (tmp_path / "w" / "request.pem").read_bytes()))
    wallet("register", str(certificate))
    assert says in wallet(*arguments, code=1).stderr


def test_a_wallet_is_not_made_twice_nor_opened_with_another_passphrase(city: System, wallet: Wallet) -> None:
    anchors = ["--platform-ca", str(city.deployment.anchor("platform"))]
    anchors += ["--enclave-ca", str(city.deployment.anchor("enclave"))]
    wallet("create", "91320703MA00000182", "--platform", city.rest_url, *anchors)
    wallet("create", "91320703MA00000182", "--platform", city.rest_url, *anchors, code=1)
    assert "passphrase" in wallet("usage", "--passphrase", "another", code=1).stderr


def test_the_demo_shows_the_board_of_what_was_delivered(city: System) -> None:
    board = fetch_board(city)
    assert {"tax_payment", "social_insurance", "electricity_usage"} <= categories_of(board)
    table = board_table(board)
    measures, lowest = (list(column.cells) for column in table.columns[:2])
    assert [str(one).split(" / ")[1] for one in measures] == list(MEASURES)
    assert all(re.fullmatch(r"[0-9.]+ %  [a-z_]+", str(one)) for one in lowest)


@pytest.mark.timeout(120)
def test_up_serves_until_interrupted_and_again_later(tmp_path: Path) -> None:
    """Twice in the same folder: first it makes everything, then it finds it."""
    for size in (["--enterprises", "20"], []):
        command = [str(_BIN / "xyd-dev"), "up", str(tmp_path / "up"), *size]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "Ctrl-C" in line:
                    break
            text = "".join(said)
            assert "the system is up" in text, text
            export = re.search(r"export (XYD_WALLET=\S+) (XYD_WALLET_PASSPHRASE=\S+) (XYD_PLATFORM=\S+)", text)
            assert export is not None
            environment = {**os.environ, **dict(pair.split("=", 1) for pair in export.groups())}
            listed = subprocess.run([_BIN / "xyd-wallet", "usage"], env=environment, capture_output=True, text=True)
            assert listed.returncode == 0, listed.stderr
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
