"""Departments deliver to a running data domain: each its own, once, over a connection that may break."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner
from xinyidai.identity import Identity, Role
from xinyidai.reasons import Reason
from xinyidai.v1 import records_pb2, records_pb2_grpc

from clients.dev.authority import Authority
from clients.uploader import DepartmentCredentials, RefusedByDomain
from clients.uploader.cli import app
from enclave.records.vault import SegmentKind
from tests.support.departments import RunningDomain, batches_of, refusal, signed, upload_messages
from tests.support.ingest import organisation_code
from tests.support.records import uscc

TAX = "tax_payment"
ROWS: list[dict[str, Any]] = [{"record_id": f"t{at}", "tax_paid": 1.5 * at} for at in range(6)]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDomain]:
    made = RunningDomain(tmp_path_factory.mktemp("domain") / "d")
    yield made
    made.close()


class TestDelivery:
    def test_a_batch_is_taken_reported_and_counted_once(self, domain: RunningDomain, tmp_path: Path) -> None:
        rows = [*ROWS, {"record_id": "bad", "tax_paid": -1.0}, ROWS[0]]
        (packed,) = batches_of(domain, "swj", TAX, rows, tmp_path)
        with domain.uploader("swj") as uploader:
            sent: list[int] = []
            outcome = uploader.deliver(packed, sent.append)
            again = uploader.deliver(packed)
            assert outcome == again == uploader.report(packed.header.batch)
            assert list(uploader.quarantined(packed.header.batch)) == [(7, "negative", "tax_paid")]
        assert sent[-1] == len(packed.content)
        assert (outcome.rows, outcome.taken, outcome.quarantined, outcome.duplicated) == (8, 6, 1, 1)
        assert domain.held(TAX) == [row["record_id"] for row in ROWS]

    def test_a_broken_upload_goes_on_where_it_stopped(self, domain: RunningDomain, tmp_path: Path) -> None:
        rows = [{"record_id": f"s{at}", "paid": at / 7, "uscc": uscc(at % 999)} for at in range(30_000)]
        (packed,) = batches_of(domain, "rsj", "social_insurance", rows, tmp_path)
        token = signed(packed.header, domain.credentials("rsj"))
        half = len(packed.content) // 2

        ask = records_pb2.GetBatchRequest(batch=packed.header.batch)

        def breaks_off() -> Iterator[Any]:
            yield from upload_messages(token, packed.content[:half], step=10_000)
            time.sleep(1)
            raise ConnectionError("pulled the plug")

        with domain.stub("rsj") as stub:
            with pytest.raises(grpc.RpcError):
                stub.Upload(breaks_off(), timeout=20)
            time.sleep(0.2)
            found = stub.GetBatch(ask, timeout=5)
            assert found.state == records_pb2.BATCH_STATE_RECEIVING
            assert 0 < found.received <= half
            commit = records_pb2.CommitBatchRequest(batch=packed.header.batch)
            assert refusal(lambda: stub.CommitBatch(commit))[0] is Reason.BATCH_INCOMPLETE
            wrong = upload_messages(token, packed.content, 0)
            assert refusal(lambda: stub.Upload(wrong))[0] is Reason.OFFSET_MISMATCH
        domain.crash()
        domain.restart()
        started: list[int] = []
        with domain.uploader("rsj") as uploader:
            assert uploader.deliver(packed, started.append).taken == 30_000
        assert started[0] == found.received
        assert list((domain.data / "staging").iterdir()) == []

    def test_the_command_line(self, domain: RunningDomain, tmp_path: Path) -> None:
        heading = (
            "uscc,record_id,data_month,account_no,use_nature,read_date,reading,volume,bill,due_date,pay_date,late_fee,"
            "arrears_periods,arrears_amount"
        )
        good = f"{uscc(1)},w1,202601,水表一,commercial,2026-01-31,12,10,30.5,2026-02-28,2026-02-11,0,0,0"
        path = tmp_path / "water.csv"
        bad = good.replace("w1", "w2").replace("2026-02-11", "2026-02-31")
        path.write_bytes(f"{heading}\n{good}\n{bad}\n".encode("gb18030"))
        folder = domain.deployment.issue_department("gsgs")
        settings = {
            "XYD_DOMAIN": domain.address,
            "XYD_CERTIFICATE": str(folder / "department.pem"),
            "XYD_KEY": str(folder / "department.key"),
            "XYD_DOMAIN_CA": str(domain.deployment.anchor("enclave")),
            "XYD_ENCLAVE": "lianyungang-1",
            "COLUMNS": "200",
            "TERMINAL_WIDTH": "200",
        }
        options = ["--category", "water_usage", "--encoding", "gb18030"]

        def run(*arguments: str) -> str:
            done = CliRunner(env=settings).invoke(app, arguments)
            return done.output + str(done.exception or "")

        shown = run("send", str(path), *options)
        assert "date_impossible pay_date 1" in shown, shown
        batch = next(word for word in shown.split() if word.startswith("water_usage-"))
        assert "date_impossible" in run("quarantined", batch)
        assert batch in run("report", batch)
        assert batch in run("send", str(path), *options)
        assert "'account_no'" in run("send", str(path), "--category", "housing_fund", "--encoding", "gb18030")
        assert domain.held("water_usage") == ["w1"]

    def test_rows_wait_for_their_enterprise(self, domain: RunningDomain, tmp_path: Path) -> None:
        (fund,) = batches_of(domain, "gjj", "housing_fund", [{"uscc": organisation_code(7)}], tmp_path)
        with domain.uploader("gjj") as uploader:
            assert uploader.deliver(fund).waiting == 1
        assert domain.held("housing_fund", SegmentKind.WAITING, "uscc") == [organisation_code(7)]


class TestOnlyItsOwn:
    """One department's certificate can neither write, read nor enumerate what is another's."""

    def test_it_cannot_write_another_category(self, domain: RunningDomain, tmp_path: Path) -> None:
        (packed,) = batches_of(domain, "gjj", TAX, ROWS, tmp_path)
        with domain.uploader("gjj") as uploader, pytest.raises(RefusedByDomain) as caught:
            uploader.deliver(packed)
        assert caught.value.reason is Reason.CATEGORY_FORBIDDEN

    def test_another_category_and_none_look_the_same(self, domain: RunningDomain, tmp_path: Path) -> None:
        (packed,) = batches_of(domain, "gjj", TAX, ROWS, tmp_path)
        credentials = domain.credentials("gjj")
        answers = set()
        for category in (TAX, "annual_report", "no_such_category"):
            token = signed(replace(packed.header, category=category), credentials)
            with domain.stub("gjj") as stub:
                answers.add(refusal(lambda t=token, s=stub: s.Upload(upload_messages(t, packed.content))))  # type: ignore[misc]
        assert len(answers) == 1

    def test_it_sees_no_batch_of_another(self, domain: RunningDomain, tmp_path: Path) -> None:
        (packed,) = batches_of(domain, "swj", TAX, [{"record_id": "secret-of-swj"}], tmp_path)
        with domain.uploader("swj") as uploader:
            uploader.deliver(packed)
        with domain.stub("gjj") as stub:
            answers = set()
            for batch in (packed.header.batch, "never-sent-1"):
                for call, request in (
                    (stub.GetBatch, records_pb2.GetBatchRequest(batch=batch)),
                    (stub.CommitBatch, records_pb2.CommitBatchRequest(batch=batch)),
                    (stub.ListQuarantined, records_pb2.ListQuarantinedRequest(batch=batch)),
                ):
                    answers.add(refusal(lambda c=call, r=request: c(r)))  # type: ignore[misc]
        assert answers == {(Reason.BATCH_UNKNOWN, "this department sent no such batch")}

    def test_it_cannot_pass_on_what_another_signed(self, domain: RunningDomain, tmp_path: Path) -> None:
        (packed,) = batches_of(domain, "swj", TAX, [{"record_id": "replayed"}], tmp_path)
        token = signed(packed.header, domain.credentials("swj"))
        forged = signed(packed.header, domain.credentials("gjj"))
        with domain.stub("gjj") as stub:
            for one in (token, forged):
                reason, _ = refusal(lambda t=one, s=stub: s.Upload(upload_messages(t, packed.content)))  # type: ignore[misc]
                assert reason is Reason.CERTIFICATE_INVALID

    def test_a_department_the_data_holder_does_not_name(self, domain: RunningDomain, tmp_path: Path) -> None:
        (packed,) = batches_of(domain, "nobody", TAX, ROWS, tmp_path)
        with domain.uploader("nobody") as uploader, pytest.raises(RefusedByDomain) as caught:
            uploader.deliver(packed)
        assert caught.value.reason is Reason.DEPARTMENT_NOT_REGISTERED

    def test_a_certificate_of_another_root_does_not_connect(self, domain: RunningDomain, tmp_path: Path) -> None:
        rogue = Authority.create(tmp_path, "departments")
        rogue.issue(Identity(Role.DEPARTMENT, "swj"), tmp_path / "swj", "department")
        made = DepartmentCredentials.from_files(
            tmp_path / "swj" / "department.pem",
            tmp_path / "swj" / "department.key",
            domain.deployment.anchor("enclave"),
        )
        with grpc.secure_channel(domain.address, made.channel) as channel, pytest.raises(grpc.RpcError) as caught:
            stub: Any = records_pb2_grpc.RecordServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.GetBatch(records_pb2.GetBatchRequest(batch="batch-0001"), timeout=5)
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_a_bank_does_not_connect(self, domain: RunningDomain) -> None:
        folder = domain.deployment.issue_bank("bank-a")
        credentials = grpc.ssl_channel_credentials(
            domain.deployment.anchor("enclave").read_bytes(),
            (folder / "bank.key").read_bytes(),
            (folder / "bank.pem").read_bytes(),
        )
        with grpc.secure_channel(domain.address, credentials) as channel, pytest.raises(grpc.RpcError):
            stub: Any = records_pb2_grpc.RecordServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.GetBatch(records_pb2.GetBatchRequest(batch="batch-0001"), timeout=5)


class TestTheHeader:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"catalogue_digest": "0" * 64}, Reason.CATALOGUE_UNKNOWN),
            ({"audience": ("another-domain",)}, Reason.AUDIENCE_MISMATCH),
            ({"issued_at": 4_000_000_000}, Reason.DOCUMENT_EXPIRED),
            ({"size": 10}, Reason.BATCH_CONTENT),
        ],
    )
    def test_a_header_that_does_not_fit(
        self, domain: RunningDomain, tmp_path: Path, changes: dict[str, Any], reason: Reason
    ) -> None:
        (packed,) = batches_of(domain, "swj", TAX, [{"record_id": str(changes)}], tmp_path)
        token = signed(replace(packed.header, **changes), domain.credentials("swj"))
        with domain.stub("swj") as stub:
            assert refusal(lambda: stub.Upload(upload_messages(token, packed.content)))[0] is reason

    def test_messages_out_of_order(self, domain: RunningDomain) -> None:
        with domain.stub("swj") as stub:
            chunk = records_pb2.UploadRequest(chunk=b"x")
            for messages in ([], [chunk], [records_pb2.UploadRequest()]):
                assert refusal(lambda m=messages: stub.Upload(iter(m)))[0] is Reason.REQUEST_INVALID  # type: ignore[misc]
            bad = records_pb2.GetBatchRequest(batch="../../etc")
            assert refusal(lambda: stub.GetBatch(bad))[0] is Reason.REQUEST_INVALID


def test_nothing_readable_in_any_byte_written(domain: RunningDomain, tmp_path: Path) -> None:
    planted = "PLANTED-PERMIT-90210"
    rows = [{"xk_nr": planted, "record_id": f"{planted}-{at}"} for at in range(50)]
    rows += [{"xk_nr": f"={planted}", "record_id": "x"}]
    (packed,) = batches_of(domain, "fgw", "administrative_permit", rows, tmp_path)
    token = signed(packed.header, domain.credentials("fgw"))
    with domain.stub("fgw") as stub:
        stub.Upload(upload_messages(token, packed.content))
        assert list((domain.data / "staging").iterdir())
        searched = _search(domain, planted)
        stub.CommitBatch(records_pb2.CommitBatchRequest(batch=packed.header.batch))
    domain.system.load_vault(date(2026, 10, 31))
    assert searched and _search(domain, planted) > searched


def test_a_destroyed_category_is_gone_for_the_running_domain_too(domain: RunningDomain, tmp_path: Path) -> None:
    """By the data holder's own command, while departments are connected."""
    rows = [{"title_type": "high_tech", "record_id": "t1"}, {"cert_no": "=planted", "record_id": "t2"}]
    (packed,) = batches_of(domain, "kjj", "sci_tech_innovation", rows, tmp_path)
    with domain.uploader("kjj") as uploader:
        assert uploader.deliver(packed).quarantined == 1
        segments = domain.data / "vault" / "segments" / "sci_tech_innovation"
        assert list(segments.iterdir())
        chosen = ["--config", str(domain.deployment.ingest_config), "--category", "sci_tech_innovation", "--yes"]
        command = [sys.executable, "-m", "enclave.ingest.app", "destroy-key", *chosen]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "sci_tech_innovation" not in done.stdout and list(segments.iterdir()) == []
        assert not (domain.data / "vault" / "keys" / "sci_tech_innovation.sealed").exists()
        with pytest.raises(RefusedByDomain) as caught:
            list(uploader.quarantined(packed.header.batch))
        assert caught.value.reason is Reason.CATEGORY_DESTROYED
        (later,) = batches_of(domain, "kjj", "sci_tech_innovation", rows[:1], tmp_path / "later")
        with pytest.raises(RefusedByDomain) as caught:
            uploader.deliver(later)
        assert caught.value.reason is Reason.CATEGORY_DESTROYED
    assert domain.held(TAX)


def _search(domain: RunningDomain, planted: str) -> int:
    """Files searched, none of which holds the value: the data folder and everything the process logged."""
    files = [path for path in domain.deployment.root.rglob("*") if path.is_file()]
    for path in files:
        assert planted.encode() not in path.read_bytes(), path
    return len(files)
