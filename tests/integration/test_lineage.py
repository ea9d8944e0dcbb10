"""An enterprise sees where its features come from, and objects to a record: through every real part."""

import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner
from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import MessageUnreadable, OpeningKey
from xinyidai.disputes import Decision, Outcome, RecordName
from xinyidai.framing import decode_answer
from xinyidai.identifiers import check_character_holds, parse_enclave_id, parse_uscc
from xinyidai.identity import Role, TrustAnchor, load_chain
from xinyidai.lineage import LineageRequest, open_lineage
from xinyidai.reasons import Reason
from xinyidai.receipt import Receipt, parse_receipt
from xinyidai.signing import SigningKey, read_unverified

from clients.city import generate_city
from clients.dev.delivery import deliver_records
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.dev.system import System
from clients.uploader.cli import app as upload_app
from clients.uploader.credentials import DepartmentCredentials
from clients.uploader.errors import RefusedByDomain
from clients.uploader.objections import ObjectionClient
from clients.wallet import PlatformRefused, Wallet
from clients.wallet.cli import app
from clients.wallet.terms import GrantTerms
from enclave.app import main
from server.commands import objections
from server.settings import load_settings
from tests.support.parties import DirectEnclave, RawBank, RawEnterprise, plain_score, random_points, stamp
from tests.support.running import AS_OF, PASSPHRASE, cells_of, new_wallet

DEPARTMENT, CATEGORY, FEATURE = "rsj", "social_insurance", "si_insured_avg_m12"
HELD = ("enterprise_registration", "tax_payment", CATEGORY, "housing_fund", "administrative_penalty", "gas_usage")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A city of its own, since disputes change it, with few categories, so that it is soon loaded again."""
    root, patient = tmp_path_factory.mktemp("lineage") / "d", {"enclave_deadline_seconds": 60}
    deployment = Deployment.create(root, enclave={"workers": 1}, server=patient)
    generate_city(enterprises=40, seed=7, as_of=AS_OF, out=deployment.records)
    for path in deployment.records.iterdir():
        if path.stem not in HELD:
            path.unlink()
    made = System(deployment)
    try:
        deliver_records(deployment, made.start_ingest(), deployment.records)
        made.load_vault(AS_OF)
        made.migrate()
        made.add_bank("bank-a", "甲银行", "Bank A")
        with made:
            yield made
    finally:
        made.ingest.stop()


@pytest.fixture(scope="module")
def insured(system: System) -> str:
    """An enterprise with a whole year of social insurance."""
    column = parquet.read_table(system.deployment.records / f"{CATEGORY}.parquet", columns=["uscc"])["uscc"]
    counted = sorted(column.value_counts().to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    return next(str(one["values"]) for one in counted if check_character_holds(parse_uscc(one["values"])))


@pytest.fixture(scope="module")
def wallet(system: System, insured: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    made = new_wallet(system, tmp_path_factory.mktemp("wallet") / "w", insured)
    yield made
    made.close()


def run(system: System, command: str, *arguments: str) -> str:
    """A command of the data holder, in this process. Raises `SystemExit` with what it says when it fails."""
    mask, said = os.umask(0o077), io.StringIO()
    try:
        with redirect_stdout(said):
            main([command, "--config", str(system.deployment.enclave_config), *arguments])
    finally:
        os.umask(mask)
    return said.getvalue()


def load(system: System) -> None:
    run(system, "load", "--as-of", AS_OF.isoformat())
    time.sleep(1.1)  # a new snapshot is noticed within a second


def test_an_enterprise_sees_the_records_behind_a_feature(system: System, wallet: Wallet) -> None:
    found = wallet.lineage(FEATURE)
    feature = builtin_catalogue().feature(FEATURE)
    assert found.current and found.cell == cells_of(system, wallet.enterprise)[FEATURE]
    assert feature.cell_of(float(found.value)) == found.cell
    # Settled two months after: m12 is September 2025 to August 2026, and only pensions count.
    table = parquet.read_table(system.deployment.records / f"{CATEGORY}.parquet").to_pylist()
    expected = {
        row["record_id"]
        for row in table
        if row["uscc"] == wallet.enterprise
        and row["insurance_type"] == "pension"
        and 202509 <= row["period_ym"] <= 202608
        and row["recv_time"].date() <= AS_OF
    }
    assert {record.record_id for record in found.records} == expected and len(expected) == found.contributing
    (batch,) = {record.batch for record in found.records}
    assert batch and {record.source for record in found.records} == {"RSJ"}


def test_the_vaults_own_records_name_them_too(wallet: Wallet) -> None:
    named, shown, offset, more = wallet.lineage(FEATURE).records, set[str](), 0, True
    while more:
        page = wallet.own_records(CATEGORY, offset)
        shown |= {record.record_id for record in page.records}
        offset, more = offset + len(page.records), page.more
    assert {record.record_id for record in named} <= shown


def test_the_wallet_shows_it(wallet: Wallet) -> None:
    folder = ["--wallet", str(wallet._folder), "--passphrase", PASSPHRASE]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["lineage", FEATURE, *folder])
    assert shown.exit_code == 0, shown.output
    found = wallet.lineage(FEATURE)
    assert found.value in shown.output and f"计入 / used {found.contributing}" in shown.output
    refused = CliRunner().invoke(app, ["lineage", "no_such", *folder])
    assert isinstance(refused.exception, PlatformRefused) and refused.exception.reason == Reason.FEATURE_UNKNOWN


def test_the_relay_reads_nothing_and_every_answer_is_equally_long(system: System, wallet: Wallet) -> None:
    answers = []
    for feature in (FEATURE, "pen_cnt_m12", "gas_volume_m12"):
        reader = OpeningKey.generate()
        request = LineageRequest(wallet.stamp(), wallet.enterprise, feature, reader.public).sign(wallet._key)
        answers.append(wallet._platform.post("/v1/lineage", request=request)["answer"])
        anchor = TrustAnchor.from_pem(Role.ENCLAVE, system.deployment.anchor("enclave").read_bytes())
        assert open_lineage(answers[-1], reader, anchor).feature == feature
        with pytest.raises(MessageUnreadable):
            open_lineage(answers[-1], OpeningKey.generate(), anchor)
    assert len({len(answer) for answer in answers}) == 1


def test_only_the_enterprise_itself_may_ask_and_once_for_each_signature(system: System, wallet: Wallet) -> None:
    reader = OpeningKey.generate()
    request = LineageRequest(wallet.stamp(), wallet.enterprise, FEATURE, reader.public)
    stranger = RawEnterprise(system.deployment, wallet.enterprise)
    for signed, reason in (
        (request.sign(stranger.key), Reason.SIGNATURE_INVALID),
        (replace(request, feature="no_such").sign(wallet._key), Reason.FEATURE_UNKNOWN),
        (replace(request, feature="no_such").sign(wallet._key), Reason.NONCE_SPENT),
    ):
        with pytest.raises(PlatformRefused) as refused:
            wallet._platform.post("/v1/lineage", request=signed)
        assert refused.value.reason == reason


def decision(
    system: System, enterprise: str, record: RecordName, outcome: Outcome, department: str = DEPARTMENT
) -> str:
    folder = system.deployment.department(department)
    if not (folder / "department.key").exists():
        system.deployment.issue_department(department)
    chain = load_chain((folder / "department.pem").read_bytes())
    key = SigningKey.from_pem((folder / "department.key").read_bytes(), chain=chain)
    return Decision(stamp(department), parse_uscc(enterprise), record, outcome).sign(key)


def test_a_disputed_record_is_left_out_until_its_department_has_decided(
    system: System, wallet: Wallet, tmp_path: Path
) -> None:
    ingest = ("--ingest", str(system.deployment.ingest_config))
    before = wallet.lineage(FEATURE)
    record = before.records[0]
    wallet.dispute(before, record)
    wallet.dispute(before, record)  # saying it twice changes nothing

    assert json.loads(run(system, "disputes")) == [{"category": CATEGORY, "state": "open", "disputes": 1}]
    (open_one,) = json.loads(run(system, "disputes", *ingest, "--department", DEPARTMENT))
    assert (open_one["enterprise"], open_one["record_id"]) == (wallet.enterprise, record.record_id)
    assert json.loads(run(system, "disputes", *ingest, "--department", "swj")) == []
    database = (system.deployment.root / "enclave" / "data").glob("authority.sqlite*")
    assert not any(record.record_id.encode() in path.read_bytes() for path in database)

    load(system)
    after = wallet.lineage(FEATURE)
    assert record.record_id not in {one.record_id for one in after.records}
    assert replace(record, rule="disputed") in after.left_out

    name, signed = RecordName(CATEGORY, record.record_id), tmp_path / "decision.jws"
    signed.write_text(decision(system, wallet.enterprise, name, Outcome.DISMISSED, "swj"))
    with pytest.raises(SystemExit, match="does not write that category"):
        run(system, "decide-dispute", *ingest, "--decision", str(signed))
    signed.write_text(decision(system, wallet.enterprise, name, Outcome.DISMISSED))
    assert run(system, "decide-dispute", *ingest, "--decision", str(signed)).strip() == "dismissed"
    with pytest.raises(SystemExit, match="used before"):
        run(system, "decide-dispute", *ingest, "--decision", str(signed))

    load(system)
    assert {one.record_id for one in wallet.lineage(FEATURE).records} == {one.record_id for one in before.records}
    with pytest.raises(PlatformRefused) as refused:
        wallet.withdraw_dispute(before, record)
    assert refused.value.reason == Reason.DISPUTE_UNKNOWN


def test_the_load_makes_a_board_and_the_operator_counts_of_lineage(system: System, wallet: Wallet) -> None:
    board = wallet._platform.get("/v1/quality")
    assert {"tax_payment", CATEGORY} <= {cell["category"] for cell in board["cells"]}
    assert wallet.enterprise not in json.dumps(board)
    counted = json.loads(run(system, "lineage-counts", "--feature", "hf_coverage"))
    assert {one["category"] for one in counted["counts"]} == {"housing_fund", CATEGORY}
    assert all(one["records"] % 5 == 0 and set(one) == {"category", "source", "month", "rule", "records"}
               for one in counted["counts"])  # fmt: skip


@dataclass
class Asking:
    """A bank with a model and an authorization, straight at the enclave."""

    system: System
    wallet: Wallet

    def __post_init__(self) -> None:
        self.direct = DirectEnclave(self.system.deployment.enclave_socket)
        self.bank = RawBank(self.system.deployment.bank("bank-a"))
        self.points = random_points(builtin_catalogue(), np.random.default_rng(3))
        self.model = self.direct.register(self.bank, self.points)
        self.digest = self.wallet.authorize(self.wallet.draft(GrantTerms("bank-a", max_assessments=10)))

    def ask(self) -> tuple[int, Receipt]:
        """The score, not asked afresh; checked against the cells that the data holder sees."""
        firm = self.wallet.enterprise
        found = self.direct.assess(self.bank.request(self.model.model_id, [(firm, self.digest)]))
        score = self.model.secret.decrypt_coefficient(decode_answer(found.parts[0].answer))
        assert score == plain_score(builtin_catalogue(), self.points, self.cells())
        return score, parse_receipt(read_unverified(found.receipt))

    def cells(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(run(self.system, "cells", "--enterprise", self.wallet.enterprise))
        return found


@contextmanager
def department(system: System, name: str = DEPARTMENT) -> Iterator[ObjectionClient]:
    folder = system.deployment.department(name)
    if not (folder / "department.key").exists():
        system.deployment.issue_department(name)
    ca = system.deployment.anchor("enclave")
    credentials = DepartmentCredentials.from_files(folder / "department.pem", folder / "department.key", ca)
    with closing(ObjectionClient(system.ingest_address, credentials, [parse_enclave_id(ENCLAVE_ID)])) as made:
        yield made


WORDS = "社保在七月已补缴,凭证号 PLANTED-8841"


def test_an_objection_acts_at_once_and_the_departments_decision_too(system: System, wallet: Wallet) -> None:
    wallet.set_budget(1000)
    wallet.set_budget(1000, "bank-a")
    asking = Asking(system, wallet)
    first, before = asking.ask()
    lineage = wallet.lineage(FEATURE)
    (record, *_) = lineage.records
    wallet.dispute(lineage, record, kind="error", text=WORDS, evidence=["ab" * 32])

    # The very next question of the bank: a new answer, without the record, though nothing was loaded.
    second, during = asking.ask()
    assert during.assessment_id != before.assessment_id and during.snapshot == before.snapshot
    assert during.revision not in ("", before.revision)
    now = wallet.lineage(FEATURE)
    assert now.current and record.record_id not in {one.record_id for one in now.records}
    # Asked again nothing changed: the stored answer, free.
    assert asking.ask() == (second, during)
    overlaid = asking.cells()

    # It outlives the process, and the next snapshot makes the same of it.
    asking.direct.close()
    system.enclave.kill()
    system.start_enclave()
    asking.direct = DirectEnclave(system.deployment.enclave_socket)
    assert asking.cells() == overlaid and asking.ask() == (second, during)
    load(system)
    assert asking.cells() == overlaid and asking.ask() == (second, during)

    with department(system) as desk, department(system, "swj") as other:
        (item,) = [one for one in desk.objections() if one.record_id == record.record_id]
        assert (item.text, item.kind, item.state, item.evidence) == (WORDS, "error", "transferred", ("ab" * 32,))
        assert item.record_id not in {one.record_id for one in other.objections(everything=True)}
        with pytest.raises(RefusedByDomain, match="does not write that category"):
            other.decide(wallet.enterprise, CATEGORY, record.record_id, Outcome.DISMISSED)
        desk.decide(wallet.enterprise, CATEGORY, record.record_id, Outcome.DISMISSED, "经核实,记录无误")
        with pytest.raises(RefusedByDomain, match="no such dispute"):
            desk.decide(wallet.enterprise, CATEGORY, record.record_id, Outcome.UPHELD)
    third, after = asking.ask()
    assert third == first and after.assessment_id not in (before.assessment_id, during.assessment_id)
    (entry, *_) = wallet.consent.objections()
    assert (entry.state, entry.reply, entry.objection.text) == ("dismissed", "经核实,记录无误", WORDS)


def test_a_repaired_record_nobody_objected_to_is_left_out_at_once(system: System, wallet: Wallet) -> None:
    asking = Asking(system, wallet)
    asking.ask()
    (record, *_) = wallet.lineage(FEATURE).records
    with department(system) as desk:
        for _ in range(2):
            desk.decide(wallet.enterprise, CATEGORY, record.record_id, Outcome.REPAIRED, "已修复")
    folder = system.deployment.department(DEPARTMENT)
    line = ["--address", system.ingest_address, "--certificate", str(folder / "department.pem")]
    line += ["--key", str(folder / "department.key"), "--domain-ca", str(system.deployment.anchor("enclave"))]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(
        upload_app, ["objections", "--all", "--enclave", ENCLAVE_ID, *line]
    )
    assert shown.exit_code == 0 and record.record_id in shown.output and WORDS in shown.output
    named = [wallet.enterprise, CATEGORY, record.record_id, "upheld", "--enclave", ENCLAVE_ID, *line]
    refused = CliRunner().invoke(upload_app, ["decide", *named])
    assert isinstance(refused.exception, RefusedByDomain) and refused.exception.reason is Reason.DISPUTE_UNKNOWN
    asking.ask()
    assert record.record_id not in {one.record_id for one in wallet.lineage(FEATURE).records}
    # The platform is told of objections, and of no record that nobody objected to.
    listed = wallet._platform.get("/v1/objections", access=wallet.access())["objections"]
    assert [one["objection_id"] for one in listed if one["decided_at"] == one["opened_at"]] == []
    assert "repaired" in {one.state for one in wallet.consent.objections()}


def test_the_platform_knows_that_there_are_objections_and_nothing_of_what(system: System, wallet: Wallet) -> None:
    listed = wallet._platform.get("/v1/objections", access=wallet.access())["objections"]
    assert {one["state"] for one in listed} <= {"marked", "transferred", "decided", "withdrawn"} and listed
    settings = load_settings(system.deployment.server_config)
    deadline = time.monotonic() + 30
    while json.loads(objections(settings, "王五"))["counts"].get("decided", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    shown = objections(settings, "王五")
    assert json.loads(shown)["counts"]["decided"] >= 2 and wallet.enterprise not in shown
    for path in (system.deployment.root / "server").rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert WORDS.encode() not in raw and b"PLANTED-8841" not in raw and CATEGORY.encode() not in raw
