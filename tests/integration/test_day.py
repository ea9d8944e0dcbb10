"""A scripted day: banks' programs nobody attends, enterprises by their wallets; what became of everything, and what an
attacker finds who reads all the platform has."""

import ssl
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from clients.dev.system import System
from clients.wallet.cli import app
from tests.support.day import Day, expected_averages, expected_counts, states_of
from tests.support.planting import BASE_POINTS, database_of, plant, planted_cells, planted_in, platform_bytes
from tests.support.running import PASSPHRASE, city_system

pytestmark = pytest.mark.timeout(900)
BANKS = ("bank-d", "bank-e")
ENTERPRISES, DEMANDS = 20, 30


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A city of its own, with planted records, and a dashboard that is made anew for every reader."""
    root = tmp_path_factory.mktemp("day") / "d"
    with city_system(root, enterprises=60, banks=BANKS, server={"dashboard_seconds": 0}, prepare=plant) as made:
        yield made


@pytest.fixture(scope="module")
def day(system: System, tmp_path_factory: pytest.TempPathFactory) -> Day:
    made = Day(system, tmp_path_factory.mktemp("wallets"), BANKS, ENTERPRISES, DEMANDS)
    made.run()
    return made


def test_every_demand_ends_in_a_defined_state(day: Day, system: System) -> None:
    states = states_of(system)
    assert states.total() == len(day.outcomes) == DEMANDS
    assert states["withdrawn"] == DEMANDS // 10 and states["posted"] == DEMANDS // 10 == states["expired"]
    assert states["fulfilled"] >= 10
    assert states["fulfilled"] + states["accepted"] + states["declined"] == 7 * DEMANDS // 10
    assert day.seconds_to_first_offer() < 30


def test_the_dashboard_says_what_an_independent_count_says(day: Day, system: System) -> None:
    anchor = str(system.deployment.anchor("platform"))
    context = ssl.create_default_context(cafile=anchor)
    board = httpx.get(f"{system.rest_url}/v1/dashboard", verify=context, trust_env=False).json()
    found = {(cell["county"], cell["month"]): cell["counts"] for cell in board["cells"]}
    assert found == expected_counts(system)
    (total,) = [cell for cell in board["cells"] if not cell["county"] and not cell["month"]]
    averages = (total["days_to_credit_median"], total["days_to_credit_mean"], total["mean_rate_bp"])
    assert averages == expected_averages(system)
    assert {"firms", "demands", "picked", "credited", "loans", "queries"} <= set(total["counts"])


def test_what_the_platform_holds_says_nothing_of_records_or_scores(day: Day, system: System) -> None:
    """Records with planted values were assessed, with a card and scores that cannot be mistaken for anything else."""
    found = platform_bytes(system)
    assert any(name.endswith("server.sqlite") for name in found) and any(name.endswith(".log") for name in found)
    everything = b"".join(found.values())
    assert day.outcomes[0].demand.encode() in everything and b"bank-d" in everything
    assert {name: planted for name, text in found.items() if (planted := planted_in(text))} == {}
    assert planted_cells(system) == []


def test_an_enterprise_sees_its_loans_on_the_command_line(day: Day, system: System) -> None:
    with database_of(system) as connection:
        query = "SELECT enterprise, loan_id, confirmed_at FROM loan WHERE disbursed_on IS NOT NULL"
        enterprise, loan, confirmed_at = connection.execute(query).fetchone()
    assert confirmed_at is not None
    runner = CliRunner(env={"XYD_WALLET_PASSPHRASE": PASSPHRASE, "XYD_WALLET": str(day.wallet_of(enterprise))})
    listed = runner.invoke(app, ["loan", "list"])
    assert listed.exit_code == 0 and loan[:12] in listed.output and "是 / yes" in listed.output
    again = runner.invoke(app, ["loan", "confirm", loan, "--yes"])
    assert again.exit_code == 0 and "已确认" in again.output


def test_the_search_finds_what_was_planted(system: System) -> None:
    """Where it may be: in the data holder's records, and in the bank's policy."""
    records = (system.deployment.records / "tax_payment.parquet").read_bytes()
    assert "record float" in planted_in(records)
    policy = (system.deployment.bank("bank-d") / "policy.toml").read_bytes()
    assert "score" in planted_in(policy)
    assert planted_in((BASE_POINTS + 512).to_bytes(8, "little")) == ["score in binary"]
