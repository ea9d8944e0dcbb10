"""The white list through every real part: wallet, platform, enclave, bank; and what each can and cannot see."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from xinyidai.market import DemandTerms, Guarantee, LoanPurpose
from xinyidai.reasons import Reason
from xinyidai.v1 import whitelist_pb2, whitelist_pb2_grpc
from xinyidai.whitelist.lists import PART_ENTRIES

from bank_sdk import BankClient, BankClientSync, BankSdkError, ServiceError, WhiteList, WhiteListClient
from bank_sdk.commands.app import app as bank_app
from clients.dev.system import System
from clients.wallet import PlatformRefused, Wallet, WalletError
from clients.wallet.cli import app as wallet_app
from tests.support.platform import bank_credentials
from tests.support.running import PASSPHRASE, bank_client, bank_profile, cells_of, new_wallet
from tests.support.town import GOOD, POOR, Town

DAY = 86_400


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Enterprises 0 to 19 are in good standing, 20 to 29 are not."""
    made = Town(tmp_path_factory.mktemp("list") / "d", [GOOD] * 20 + [POOR] * 10)
    with made.system:
        yield made


@pytest.fixture(scope="module")
def system(town: Town) -> System:
    return town.system


@pytest.fixture(scope="module")
def bank(system: System) -> Iterator[BankClientSync]:
    with bank_client(system, "bank-a") as client:
        client.run(lambda c: WhiteListClient(c).subscribe())
        yield client


@pytest.fixture(scope="module")
def standing(town: Town) -> tuple[list[str], list[str]]:
    """In good standing, and not."""
    return [town.firm(i) for i in range(20)], [town.firm(i) for i in range(20, 30)]


@pytest.fixture
def wallet_of(system: System, tmp_path: Path) -> Iterator[Callable[[str], Wallet]]:
    made: list[Wallet] = []

    def make(enterprise: str) -> Wallet:
        made.append(new_wallet(system, tmp_path / f"w{len(made)}-{secrets.token_hex(4)}", enterprise))
        return made[-1]

    yield make
    for wallet in made:
        wallet.close()


def wanted() -> DemandTerms:
    end = int(time.time()) + 7 * DAY
    return DemandTerms(50_000_000, 12, LoanPurpose.WORKING_CAPITAL, (Guarantee.CREDIT,), "320703", "C", 40, 2, end)


def newest(bank: BankClientSync) -> WhiteList:
    return bank.run(lambda c: WhiteListClient(c).white_list())


def until(bank: BankClientSync, done: Callable[[WhiteList], bool]) -> WhiteList:
    """The first list that is as wanted; versions come within seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            found = newest(bank)
        except ServiceError as error:
            assert error.reason is Reason.WHITE_LIST_NOT_READY
        else:
            if done(found):
                return found
        time.sleep(0.1)
    raise AssertionError("no such list came")


def names(found: WhiteList) -> set[str]:
    return {member.enterprise for member in found.members}


def test_a_firm_that_opts_in_is_listed_while_it_has_a_demand_and_leaves_at_once(
    bank: BankClientSync, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    firm = standing[0][0]
    wallet = wallet_of(firm)
    demand = wallet.market.post(wanted())
    draft = wallet.white_list.draft(["bank-a"])
    assert "白名单告知书" in wallet.white_list.notice(draft)
    assert wallet.white_list.join(draft).listed
    listed = until(bank, lambda found: firm in names(found))
    assert [m.demand for m in listed.members if m.enterprise == firm] == [demand.demand_id]
    (told,) = wallet.white_list.told()
    assert (told.bank, told.kind, told.centibits) == ("bank-a", "white_list", 100)
    budgets = {entry["bank_id"]: entry["spent_centibits"] for entry in wallet.usage()[1]}
    assert budgets["bank-a"] == budgets[""] == 100

    assert not wallet.white_list.leave().listed
    gone = newest(bank)
    assert firm not in names(gone) and gone.version > listed.version
    assert firm in {entry.enterprise for entry in gone.withdrawn}
    # Coming back tells nothing new, and costs nothing.
    time.sleep(1.1)
    wallet.white_list.join(wallet.white_list.draft(["bank-a"]))
    back = until(bank, lambda found: firm in names(found))
    assert firm not in {entry.enterprise for entry in back.withdrawn}
    assert len(wallet.white_list.told()) == 1
    wallet.market.withdraw(demand.demand_id)
    until(bank, lambda found: firm not in names(found))
    wallet.white_list.leave()


def test_the_stream_pushes_who_joined_and_who_left(
    bank: BankClientSync, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    firm = standing[0][12]
    wallet = wallet_of(firm)
    wallet.market.post(wanted())

    async def follow(client: BankClient, listed: bool) -> int:
        async with aclosing(WhiteListClient(client).stream()) as pushed:
            async for found in pushed:
                if (firm in names(found)) is listed:
                    return found.version
        raise AssertionError("the stream ended")

    with ThreadPoolExecutor(1) as threads:
        joining = threads.submit(bank.run, lambda client: follow(client, True))
        wallet.white_list.join(wallet.white_list.draft())
        version = joining.result(timeout=20)
        leaving = threads.submit(bank.run, lambda client: follow(client, False))
        wallet.white_list.leave()
        assert leaving.result(timeout=20) > version


def test_a_new_snapshot_decides_anew_and_is_charged_anew(
    bank: BankClientSync, town: Town, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    firm = standing[0][19]
    wallet = wallet_of(firm)
    wallet.market.post(wanted())
    wallet.white_list.join(wallet.white_list.draft())
    until(bank, lambda found: firm in names(found))
    town.people[19] = {**GOOD, "jud_dishonest_now": 1}
    snapshot = town.load()
    time.sleep(1.2)
    wallet.market.post(wanted())  # anything that changes has the lists made anew
    until(bank, lambda found: firm not in names(found))
    assert [entry.centibits for entry in wallet.white_list.told()] == [100, 100]
    assert wallet.white_list.told()[0].snapshot == snapshot
    # A budget of nothing leaves the enterprise out before anything is told.
    wallet.set_budget(2.0, "bank-a")
    town.people[19] = dict(GOOD)
    town.load()
    time.sleep(1.2)
    wallet.market.post(wanted())
    time.sleep(2.5)
    assert firm not in names(newest(bank)) and len(wallet.white_list.told()) == 2
    wallet.set_budget(32.0, "bank-a")
    wallet.market.post(wanted())
    until(bank, lambda found: firm in names(found))
    wallet.white_list.leave()


def test_what_is_signed_while_the_enclave_is_down_arrives_later_or_is_not_confirmed(
    bank: BankClientSync, system: System, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    firm = standing[0][13]
    wallet = wallet_of(firm)
    wallet.white_list.join(wallet.white_list.draft())
    until(bank, lambda found: firm not in names(found))
    system.enclave.kill()
    wallet.market.post(wanted())
    with pytest.raises(PlatformRefused) as refused:
        wallet.white_list.leave()
    assert refused.value.reason == Reason.ENCLAVE_UNAVAILABLE
    system.start_enclave()
    until(bank, lambda found: firm in names(found))
    wallet.white_list.leave()
    assert firm not in names(until(bank, lambda _: True))


def test_nobody_is_listed_without_opting_in_nor_for_another_bank_nor_out_of_good_standing(
    bank: BankClientSync, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    good, poor = standing
    here, elsewhere, silent, failing = (wallet_of(code) for code in (good[1], good[2], good[3], poor[0]))
    for wallet in (here, elsewhere, silent, failing):
        wallet.market.post(wanted())
    elsewhere.white_list.join(elsewhere.white_list.draft(["bank-b"]))
    failing.white_list.join(failing.white_list.draft())
    here.white_list.join(here.white_list.draft())
    found = until(bank, lambda found: good[1] in names(found))
    assert names(found).isdisjoint({good[2], good[3], poor[0]})
    # Whether it is listed or not is told alike, and costs alike.
    assert [entry.centibits for entry in failing.white_list.told()] == [100]
    assert elsewhere.white_list.told() == silent.white_list.told() == []
    for wallet in (here, elsewhere, failing):
        wallet.white_list.leave()


def test_withdrawal_racing_the_push(
    bank: BankClientSync, system: System, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    """Whoever reads the stream: no list made after an opt-out returned holds the firm."""
    firms = standing[0][4:8]
    wallets = {firm: wallet_of(firm) for firm in firms}
    for wallet in wallets.values():
        wallet.market.post(wanted())
    left: dict[str, int] = {}
    seen: list[WhiteList] = []
    stop = threading.Event()

    def read() -> None:
        with bank_client(system, "bank-a") as reader:
            while not stop.is_set():
                try:
                    seen.append(newest(reader))
                except BankSdkError as error:
                    assert getattr(error, "reason", None) is Reason.WHITE_LIST_NOT_READY

    def come_and_go(firm: str, wallet: Wallet) -> None:
        wallet.white_list.join(wallet.white_list.draft())
        time.sleep(secrets.randbelow(3000) / 1000)
        wallet.white_list.leave()
        # What the platform shows now was made after the opt-out.
        left[firm] = until(bank, lambda _: True).version

    reader = threading.Thread(target=read)
    reader.start()
    racing = [threading.Thread(target=come_and_go, args=item) for item in wallets.items()]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    time.sleep(0.5)
    stop.set()
    reader.join()
    assert set(left) == set(firms) and names(newest(bank)).isdisjoint(firms)
    for firm, version in left.items():
        assert all(firm not in names(found) for found in seen if found.version >= version)
    versions = [found.version for found in seen]
    assert versions == sorted(versions)


def test_the_platform_sees_neither_names_nor_how_many(
    bank: BankClientSync, system: System, standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    stub = whitelist_pb2_grpc.WhiteListServiceStub(_channel(system))  # type: ignore[no-untyped-call]
    until(bank, lambda found: True)
    empty = stub.GetWhiteList(whitelist_pb2.GetWhiteListRequest())
    firm = standing[0][9]
    wallet = wallet_of(firm)
    demand = wallet.market.post(wanted())
    wallet.white_list.join(wallet.white_list.draft())
    until(bank, lambda found: firm in names(found))
    full = stub.GetWhiteList(whitelist_pb2.GetWhiteListRequest())
    assert [len(part) for part in empty.parts] == [len(part) for part in full.parts]
    assert len(full.parts) == 1 and PART_ENTRIES > 1

    server = system.deployment.root / "server"
    with closing(sqlite3.connect(next(server.rglob("*.sqlite")))) as database:
        rows = database.execute("SELECT bank, version, parts FROM white_list_subscription").fetchall()
        waiting = database.execute("SELECT count(*) FROM white_list_outbox").fetchone()
    assert waiting == (0,) and all(firm not in str(row) and demand.demand_id not in str(row) for row in rows)
    # What only the enclave knows is nowhere in the platform's files: the points of the firm, the reader's plain list.
    cells = json.dumps(cells_of(system, firm))
    logs = (system.deployment.root / "logs" / "server.log").read_text()
    assert cells not in logs and "members" not in logs and firm not in logs
    wallet.white_list.leave()


def test_the_commands(
    system: System, bank: BankClientSync, tmp_path: Path, standing: tuple[list[str], list[str]]
) -> None:
    firm = standing[0][10]
    with closing(new_wallet(system, tmp_path / "w", firm)) as wallet:
        wallet.market.post(wanted())
    runner = CliRunner(env={"XYD_WALLET_PASSPHRASE": PASSPHRASE, "XYD_WALLET": str(tmp_path / "w")})
    joined = runner.invoke(wallet_app, ["white-list", "join", "--bank", "bank-a", "--yes"])
    assert joined.exit_code == 0 and "白名单告知书" in joined.output, joined.output
    until(bank, lambda found: firm in names(found))
    profile = bank_profile(system, "bank-a", tmp_path / "bank.toml")
    clerk = CliRunner(env={"XYD_BANK_PROFILE": str(profile), "XYD_BANK_PASSPHRASE": PASSPHRASE})
    shown = clerk.invoke(bank_app, ["white-list", "--json"])
    assert firm in {member["enterprise"] for member in json.loads(shown.output)["members"]}
    assert "already" not in clerk.invoke(bank_app, ["white-list", "--subscribe"]).output
    assert "bank-a" in runner.invoke(wallet_app, ["white-list", "told"]).output
    assert "已退出" in runner.invoke(wallet_app, ["white-list", "leave"]).output
    assert firm in clerk.invoke(bank_app, ["white-list"]).output  # named among those that left


def test_a_forged_or_replayed_statement_is_refused(
    standing: tuple[list[str], list[str]], wallet_of: Callable[[str], Wallet]
) -> None:
    wallet = wallet_of(standing[0][11])
    lists, post = wallet.white_list, wallet._platform.post
    sent: list[str] = []
    answers: list[dict[str, str]] = []

    def noting(path: str, **members: str) -> Any:
        sent.append(members["statement"])
        answers.append(post(path, **members))
        return answers[-1]

    wallet._platform.post = noting  # type: ignore[method-assign]
    lists.join(lists.draft())
    lists.leave()
    for raw, reason in (
        (sent[0], Reason.NONCE_SPENT),
        (sent[0].rsplit(".", 1)[0] + "." + sent[1].rsplit(".", 1)[1], Reason.SIGNATURE_INVALID),
        (lists._access(), Reason.DOCUMENT_MALFORMED),
    ):
        with pytest.raises(PlatformRefused) as refused:
            post("/v1/white-list", statement=raw)
        assert refused.value.reason == reason
    # A platform that swallows an opt-out has no word of the enclave to show for it.
    for shown in (*answers, {"confirmation": "x.y.z"}):
        wallet._platform.post = lambda path, shown=shown, **members: shown  # type: ignore[method-assign]
        with pytest.raises(WalletError):
            lists.leave()


def _channel(system: System) -> object:
    import grpc

    return grpc.secure_channel(system.grpc_address, bank_credentials(system.deployment, "bank-a"))
