"""Monitoring after the loan through every real part: a watch, one alert a snapshot, its charge, and its end."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from typer.testing import CliRunner
from xinyidai.reasons import Reason

from bank_sdk import (
    AlertClient,
    AuthorizationRefused,
    BankClient,
    BankClientSync,
    InputError,
    Level,
    ReceivedAlert,
    VerificationError,
    WatchStatus,
)
from bank_sdk.commands.app import app
from clients.wallet import GrantTerms, Wallet
from tests.support.running import PASSPHRASE, bank_client, bank_profile, new_wallet
from tests.support.town import GOOD, Town

MONITORING = GrantTerms(
    "bank-a", purpose="post_loan_monitoring", days=300, max_assessments=12, by_category=True, loan_days=400
)
RISKY = {**GOOD, "jud_dishonest_now": 1, "re_seizure_cnt": 2, "ele_late_cnt_m24": 5, "jud_exec_cnt_m24": 4}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Even enterprises are as they should be; odd ones met four risk events."""
    made = Town(tmp_path_factory.mktemp("alerts") / "d", [GOOD, RISKY] * 8)
    with made.system:
        yield made


@pytest.fixture(scope="module")
def bank(town: Town) -> Iterator[BankClientSync]:
    with bank_client(town.system, "bank-a") as client:
        yield client


@pytest.fixture
def firm(town: Town, tmp_path: Path) -> Iterator[Callable[[int], Wallet]]:
    made: list[Wallet] = []

    def make(number: int) -> Wallet:
        made.append(new_wallet(town.system, tmp_path / f"w{number}", town.firm(number)))
        return made[-1]

    yield make
    for wallet in made:
        wallet.close()


def watch(bank: BankClientSync, wallet: Wallet, terms: GrantTerms = MONITORING) -> WatchStatus:
    wallet.authorize(wallet.draft(terms))
    return bank.run(lambda c: AlertClient(c).watch(wallet.enterprise))


def waiting(bank: BankClientSync, authorization: str) -> list[ReceivedAlert]:
    found = bank.run(lambda c: AlertClient(c).alerts())
    return [entry for entry in found if entry.alert.authorization == authorization]


def until(bank: BankClientSync, authorization: str) -> ReceivedAlert:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := waiting(bank, authorization):
            return found[-1]
        time.sleep(0.1)
    raise AssertionError("no alert came")


def status(bank: BankClientSync, authorization: str) -> WatchStatus:
    return next(w for w in bank.run(lambda c: AlertClient(c).watches()) if w.authorization == authorization)


def test_an_alert_is_made_whatever_there_is_to_say(bank: BankClientSync, firm: Callable[[int], Wallet]) -> None:
    calm, risky = firm(0), firm(1)
    first, second = watch(bank, calm), watch(bank, risky)
    assert (first.state, first.alerts) == ("active", 0)
    quiet, loud = until(bank, first.authorization).alert, until(bank, second.authorization).alert
    assert (quiet.level, quiet.rules, quiet.number) == (Level.NONE, (), 1)
    # The gravest three of four.
    assert (loud.level, loud.rules) == (Level.RED, ("dishonest_debtor", "seizure", "enforcement_repeated"))
    assert quiet.centibits == loud.centibits
    for wallet, alert in ((calm, quiet), (risky, loud)):
        (told,) = wallet.white_list.told()
        assert (told.kind, told.basis, told.centibits) == ("alert", alert.authorization, alert.centibits)
        (grant,) = wallet.authorizations()
        assert grant["assessments"] == 1


def test_the_total_discloses_a_level_alone_for_two_bits(bank: BankClientSync, firm: Callable[[int], Wallet]) -> None:
    wallet = firm(3)
    terms = GrantTerms("bank-a", purpose="post_loan_monitoring", days=300, max_assessments=12, loan_days=400)
    found = until(bank, watch(bank, wallet, terms).authorization).alert
    assert (found.level, found.rules, found.centibits) == (Level.RED, (), 200)


def test_checks_keep_the_days_their_purpose_asks_for(
    bank: BankClientSync, town: Town, firm: Callable[[int], Wallet]
) -> None:
    wallet = firm(2)
    started = watch(bank, wallet)
    until(bank, started.authorization)
    town.load()
    deadline = time.monotonic() + 20
    while (found := status(bank, started.authorization)).state == "active" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (found.state, found.reason, found.alerts) == ("suspended", Reason.PURPOSE_LIMIT, 1)
    assert len(wallet.white_list.told()) == 1


def test_without_budget_nothing_is_checked_and_the_watch_says_so(
    bank: BankClientSync, firm: Callable[[int], Wallet]
) -> None:
    wallet = firm(5)
    wallet.set_budget(1.0, "bank-a")
    started = watch(bank, wallet)
    deadline = time.monotonic() + 20
    while (found := status(bank, started.authorization)).state == "active" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (found.state, found.reason) == ("suspended", Reason.BUDGET_BANK_EXHAUSTED)
    assert waiting(bank, started.authorization) == [] and wallet.white_list.told() == []


def test_a_revocation_stops_it_at_once(bank: BankClientSync, firm: Callable[[int], Wallet]) -> None:
    wallet = firm(4)
    started = watch(bank, wallet)
    until(bank, started.authorization)
    wallet.revoke(started.authorization)
    assert waiting(bank, started.authorization) == []
    with pytest.raises(InputError, match="no authorization"):
        bank.run(lambda c: AlertClient(c).watch(wallet.enterprise))


def test_a_watch_needs_an_authorization_for_it(bank: BankClientSync, town: Town, firm: Callable[[int], Wallet]) -> None:
    wallet = firm(6)
    wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    with pytest.raises(InputError, match="post_loan_monitoring"):
        bank.run(lambda c: AlertClient(c).watch(wallet.enterprise))
    (grant,) = bank.authorizations(wallet.enterprise)
    with pytest.raises(AuthorizationRefused) as refused:
        bank.run(lambda c: AlertClient(c).watch(grant))
    assert refused.value.reason is Reason.AUTHORIZATION_SCOPE
    with bank_client(town.system, "bank-b") as stranger:
        monitoring = wallet.sign(wallet.draft(MONITORING))
        wallet._platform.post("/v1/authorizations", authorization=monitoring)
        with pytest.raises(AuthorizationRefused) as refused:
            stranger.run(lambda c: AlertClient(c).watch(monitoring))
        assert refused.value.reason is Reason.AUTHORIZATION_SCOPE


def test_the_platform_cannot_tell_alerts_apart_nor_swap_them(
    bank: BankClientSync, town: Town, firm: Callable[[int], Wallet]
) -> None:
    first, second = watch(bank, firm(8)), watch(bank, firm(9))
    until(bank, first.authorization), until(bank, second.authorization)
    path = next((town.system.deployment.root / "server").rglob("*.sqlite"))
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT sealed FROM sealed_alert WHERE authorization = ?"
        sealed = [database.execute(query, (w.authorization,)).fetchone()[0] for w in (first, second)]
        assert len(sealed[0]) == len(sealed[1])
        everything = "\n".join(database.iterdump())
        assert "dishonest_debtor" not in everything and '"level"' not in everything
        # A hostile platform hands one alert out as the other.
        database.execute(
            "UPDATE sealed_alert SET sealed = ? WHERE authorization = ?", (sealed[0], second.authorization)
        )
        database.commit()
    with pytest.raises(VerificationError, match="another alert"):
        bank.run(lambda c: AlertClient(c).alerts())
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "UPDATE sealed_alert SET sealed = ? WHERE authorization = ?", (sealed[1], second.authorization)
        )
        database.commit()
    log = (town.system.deployment.root / "logs" / "server.log").read_text()
    assert "dishonest" not in log


def test_the_command_shows_alerts_and_acknowledges_them(
    bank: BankClientSync, town: Town, firm: Callable[[int], Wallet], tmp_path: Path
) -> None:
    wallet = firm(11)
    wallet.authorize(wallet.draft(MONITORING))
    profile = bank_profile(town.system, "bank-a", tmp_path / "bank.toml")
    clerk = CliRunner(env={"XYD_BANK_PROFILE": str(profile), "XYD_BANK_PASSPHRASE": PASSPHRASE})
    assert "active" in clerk.invoke(app, ["alerts", "--watch", wallet.enterprise]).output
    digest = next(
        w.authorization for w in bank.run(lambda c: AlertClient(c).watches()) if w.enterprise == wallet.enterprise
    )
    until(bank, digest)
    shown = clerk.invoke(app, ["alerts", "--keep"])
    assert wallet.enterprise in shown.output and "红 / red" in shown.output and "失信被执行人" in shown.output
    assert wallet.enterprise in clerk.invoke(app, ["alerts"]).output
    assert waiting(bank, digest) == []
    assert "ended" in clerk.invoke(app, ["alerts", "--end", digest]).output
    assert status(bank, digest).state == "ended"


def test_the_stream_pushes_alerts_and_ends_with_the_platform(
    bank: BankClientSync, town: Town, firm: Callable[[int], Wallet]
) -> None:
    wallet = firm(13)
    seen: list[str] = []

    async def follow(client: BankClient) -> None:
        async with aclosing(AlertClient(client).stream()) as pushed:
            async for entry in pushed:
                seen.append(entry.alert.enterprise)

    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(bank.run, follow)
        watch(bank, wallet)
        deadline = time.monotonic() + 20
        while wallet.enterprise not in seen and time.monotonic() < deadline:
            time.sleep(0.1)
        town.system.server.stop()
        following.result(timeout=20)
    assert seen.count(wallet.enterprise) == 1, "once a stream"
