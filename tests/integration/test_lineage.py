"""An enterprise sees where its features come from, and disputes a record: through every real part."""

import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner
from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import MessageUnreadable, OpeningKey
from xinyidai.disputes import Decision, Outcome, RecordName
from xinyidai.identifiers import check_character_holds, parse_uscc
from xinyidai.identity import Role, TrustAnchor, load_chain
from xinyidai.lineage import LineageRequest, open_lineage
from xinyidai.reasons import Reason
from xinyidai.signing import SigningKey

from clients.city import generate_city
from clients.dev.delivery import deliver_records
from clients.dev.deployment import Deployment
from clients.dev.system import System
from clients.wallet import PlatformRefused, Wallet
from clients.wallet.cli import app
from enclave.app import main
from tests.support.parties import RawEnterprise, stamp
from tests.support.running import AS_OF, PASSPHRASE, cells_of, new_wallet

DEPARTMENT, CATEGORY, FEATURE = "rsj", "social_insurance", "si_insured_avg_m12"
HELD = ("enterprise_registration", "tax_payment", CATEGORY, "housing_fund", "administrative_penalty", "gas_usage")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A city of its own, since disputes change it, with few categories, so that it is soon loaded again."""
    deployment = Deployment.create(tmp_path_factory.mktemp("lineage") / "d", enclave={"workers": 1})
    generate_city(enterprises=40, seed=7, as_of=AS_OF, out=deployment.records)
    for path in deployment.records.iterdir():
        if path.stem not in HELD:
            path.unlink()
    made = System(deployment)
    address = made.start_ingest()
    try:
        deliver_records(deployment, address, deployment.records)
    finally:
        made.ingest.stop()
    made.load_vault(AS_OF)
    made.migrate()
    with made:
        yield made


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
        request = LineageRequest(wallet._stamp(), wallet.enterprise, feature, reader.public).sign(wallet._key)
        answers.append(wallet._platform.post("/v1/lineage", request=request)["answer"])
        anchor = TrustAnchor.from_pem(Role.ENCLAVE, system.deployment.anchor("enclave").read_bytes())
        assert open_lineage(answers[-1], reader, anchor).feature == feature
        with pytest.raises(MessageUnreadable):
            open_lineage(answers[-1], OpeningKey.generate(), anchor)
    assert len({len(answer) for answer in answers}) == 1


def test_only_the_enterprise_itself_may_ask_and_once_for_each_signature(system: System, wallet: Wallet) -> None:
    reader = OpeningKey.generate()
    request = LineageRequest(wallet._stamp(), wallet.enterprise, FEATURE, reader.public)
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
