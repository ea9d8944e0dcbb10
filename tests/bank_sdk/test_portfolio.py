"""Portfolios: a row each, interrupted and resumed, and nothing charged twice."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bank_sdk import (
    BankClientSync,
    Grade,
    InputError,
    Journal,
    KeyStore,
    Policy,
    RegisteredModel,
    assess_frame,
    assess_portfolio,
)
from bank_sdk.decision import Action
from bank_sdk.testing import InMemoryService
from tests.bank_sdk.materials import CATALOGUE, granted_service, scorecard
from tests.support.parties import uscc_number

CARD = scorecard()
POLICY = Policy([Grade("A", 550, Action.APPROVE, 10_000, 400, 50), Grade("B", None, Action.DECLINE)])
FIRMS = 150
_ROOT = Path(__file__).parents[2]
_INTERRUPTED = """
import os, signal, threading, time
from bank_sdk import assess_portfolio
from bank_sdk.testing import InMemoryService
from tests.bank_sdk.test_portfolio import CARD, CATALOGUE, cells, uscc_number

with InMemoryService(CATALOGUE, answer_seconds=0.2) as service, service.client() as client:
    model = client.register(CARD)
    service.grant(uscc_number(1), cells=cells(1))
    for wait in (0.03, 0.08, 0.13, 0.18):
        timer = threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            assess_portfolio(client, [uscc_number(1)], model)
            time.sleep(10)
        except KeyboardInterrupt:
            print("interrupted")
        timer.join()
    print(client.assess(uscc_number(1), model).score)
"""


def cells(number: int) -> list[int]:
    return [(7 * number + at) % len(feature.cells) for at, feature in enumerate(CATALOGUE.features)]


def score(number: int) -> int:
    return CARD.score_cells(cells(number))


@pytest.fixture(scope="module")
def service() -> Iterator[InMemoryService]:
    with granted_service(FIRMS, cells) as running:
        yield running


@pytest.fixture(scope="module")
def model(client: BankClientSync) -> RegisteredModel:
    return client.register(CARD)


def test_rows_come_in_the_order_given_with_what_went_wrong_in_place(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    service.grant(uscc_number(900), cells=cells(900), precision_points=20)
    asked = [uscc_number(5), "not a code", uscc_number(800), uscc_number(3), uscc_number(5), uscc_number(900)]
    rows = assess_portfolio(client, asked, model)
    assert [row.enterprise for row in rows] == [*asked[:4], asked[5]]
    assert [row.error for row in rows] == ["", "InputError", "AUTHORIZATION_UNKNOWN", "", ""]
    assert (rows[0].score_low, rows[0].score_high) == (score(5), score(5))
    low, high = rows[4].score_low, rows[4].score_high
    assert low is not None and high is not None and low <= score(900) <= high and low < high
    assert rows[4].columns(POLICY)["score"] is None
    assert rows[0].columns(POLICY)["grade"] == ("A" if score(5) >= 550 else "B")
    assert str(score(5)) not in repr(rows[0])


def test_a_frame_keeps_its_rows_and_index(client: BankClientSync, model: RegisteredModel) -> None:
    firms = [uscc_number(1), uscc_number(801), uscc_number(2), uscc_number(1)]
    frame = pd.DataFrame({"uscc": firms, "amount": [1, 2, 3, 4]}, index=list("abcd"))
    found = assess_frame(client, frame, model, policy=POLICY)
    assert found.index.tolist() == list("abcd") and found["amount"].tolist() == [1, 2, 3, 4]
    assert found["score"].isna().tolist() == [False, True, False, False]
    assert found["score"].dropna().tolist() == [score(1), score(2), score(1)]
    assert str(found["score"].dtype) == "Int64" and found["error"]["b"] == "AUTHORIZATION_UNKNOWN"
    assert frame.columns.tolist() == ["uscc", "amount"], "the bank's own frame is left alone"
    with pytest.raises(InputError, match="column code"):
        assess_frame(client, frame, model, column="code")
    with pytest.raises(InputError, match="already"):
        assess_frame(client, found, model)


def test_a_journal_goes_on_where_it_stopped(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel, tmp_path: Path
) -> None:
    names = [uscc_number(number) for number in range(20)]
    path = tmp_path / "out.csv.journal"

    class Stop(Exception):
        pass

    seen: list[str] = []

    def stop_after_seven(row: Any) -> None:
        seen.append(row.enterprise)
        if len(seen) == 7:
            raise Stop

    with pytest.raises(Stop), Journal(path, model.model_id, names) as journal:
        assess_portfolio(client, names, model, journal=journal, on_row=stop_after_seven)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # The machine died while it wrote the next row.
    path.write_bytes(path.read_bytes() + b'{"enterprise": "9132')
    charged = len(service.charges)
    with Journal(path, model.model_id, names) as journal:
        assert list(journal.rows) == seen
        rows = assess_portfolio(client, names, model, journal=journal)
        assert len(list(journal.receipts())) == 20
    assert [row.score_low for row in rows] == [score(number) for number in range(20)]
    assert max(Counter((c.enterprise, c.model_id) for c in service.charges).values()) == 1
    assert len(service.charges) >= charged


def test_a_journal_of_something_else_is_refused(model: RegisteredModel, tmp_path: Path) -> None:
    path = tmp_path / "j"
    with (
        Journal(path, model.model_id, ["a"]),
        pytest.raises(InputError, match="in use"),
    ):
        Journal(path, model.model_id, ["a"])
    for wrong in (("0" * 64, ["a"]), (model.model_id, ["b"])):
        with pytest.raises(InputError, match="another model or input"):
            Journal(path, *wrong)
    path.write_bytes(path.read_bytes() + b"{}}\n")
    with pytest.raises(InputError, match="damaged"):
        Journal(path, model.model_id, ["a"])
    path.write_bytes(path.read_bytes().replace(b"{}}\n", b'{"enterprise": "a", "colour": 1}\n'))
    with pytest.raises(InputError, match="another version"):
        Journal(path, model.model_id, ["a"])


def test_reasons_stand_where_they_are_disclosed(
    service: InMemoryService, client: BankClientSync, model: RegisteredModel
) -> None:
    best = [max(range(len(row)), key=row.__getitem__) for row in CARD.points.values()]
    lost = [min(range(len(row)), key=row.__getitem__) for row in CARD.points.values()]
    for number, row in ((910, best), (911, lost)):
        service.grant(uscc_number(number), cells=row, disclosure="by_category", precision_points=1)
    rows = assess_portfolio(client, [uscc_number(number) for number in (910, 911, 1)], model)
    assert [row.reasons for row in rows] == ["", "registry;tax", ""]


def test_an_interrupt_ends_a_stream_and_leaves_the_client_usable() -> None:
    """In a process of its own, since the signal goes to the whole process."""
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED], cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["interrupted"] * 4 + [str(score(1))]


@pytest.mark.timeout(60)
def test_interrupted_by_ctrl_c_and_resumed_nothing_is_charged_twice(tmp_path: Path) -> None:
    passphrase = "of a test"
    names = [uscc_number(number) for number in range(600)]
    with InMemoryService(CATALOGUE, answer_seconds=0.15) as service:
        for number, name in enumerate(names):
            service.grant(name, cells=cells(number))
        profile = service.write_profile(tmp_path / "bank")
        with service.client(KeyStore(tmp_path / "bank" / "keys", passphrase)) as client:
            model = client.register(CARD)
        source, output = tmp_path / "in.csv", tmp_path / "out.csv"
        source.write_text("uscc\n" + "".join(f"{name}\n" for name in names))
        command = [sys.executable, "-m", "bank_sdk", "portfolio", str(source), str(output)]
        command += ["--profile", str(profile), "--model", model.model_id]
        environment = {**os.environ, "XYD_BANK_PASSPHRASE": passphrase}
        journal = tmp_path / "out.csv.journal"
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
            while not (journal.exists() and journal.read_bytes().count(b"\n") > 100) and first.poll() is None:
                time.sleep(0.02)
            first.send_signal(signal.SIGINT)
            _, said = first.communicate(timeout=20)
        assert first.returncode == 130, said.decode()
        assert "已中断" in said.decode() and "Traceback" not in said.decode()
        assert not output.exists()
        before = [json.loads(line) for line in journal.read_bytes().splitlines()]
        assert 100 < len(before) < 601
        second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=40, check=False)
        assert second.returncode == 0, second.stderr
        assert not journal.exists(), "the output is complete"
        with output.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["enterprise"] for row in rows] == names
        assert [int(row["score"]) for row in rows] == [score(number) for number in range(600)]
        charged = Counter(charge.enterprise for charge in service.charges)
        assert set(charged) == set(names) and max(charged.values()) == 1
