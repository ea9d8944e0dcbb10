"""An enterprise reads what the city holds about it: through every real part, and nobody in between."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner
from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import MessageUnreadable, OpeningKey
from xinyidai.identifiers import check_character_holds, parse_uscc
from xinyidai.identity import Role, TrustAnchor
from xinyidai.own_records import MAX_PAGE, OwnRecord, OwnRecordsRequest, open_own_records
from xinyidai.reasons import Reason

from clients.dev.system import System
from clients.wallet import PlatformRefused, Wallet
from clients.wallet.cli import app
from tests.support.parties import RawEnterprise
from tests.support.running import AS_OF, PASSPHRASE, new_wallet

CATEGORY = "tax_payment"


@pytest.fixture(scope="module")
def wallet(city: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    column = parquet.read_table(city.deployment.records / f"{CATEGORY}.parquet", columns=["uscc"])["uscc"]
    counted = sorted(column.value_counts().to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    firm = next(str(one["values"]) for one in counted if check_character_holds(parse_uscc(one["values"])))
    made = new_wallet(city, tmp_path_factory.mktemp("wallet") / "w", firm)
    yield made
    made.close()


def newest(city: System, firm: str, category: str) -> dict[str, dict[str, object]]:
    """By record id, counted independently: in time, the version received last."""
    path = city.deployment.records / f"{category}.parquet"
    found: dict[str, dict[str, object]] = {}
    if not path.exists():
        return found
    for row in parquet.read_table(path, filters=[("uscc", "=", firm)]).to_pylist():
        late = row["recv_time"].date() > AS_OF or (row["data_month"] or 0) > 100 * AS_OF.year + AS_OF.month
        known = found.get(row["record_id"])
        if not late and (known is None or known["recv_time"] < row["recv_time"]):
            found[row["record_id"]] = row
    return found


def test_every_category_says_what_it_holds_and_how_fresh(city: System, wallet: Wallet) -> None:
    found = wallet.own_records()
    assert [held.category for held in found.holdings] == [one.code for one in builtin_catalogue().categories]
    assert (found.records, found.more, found.as_of) == ((), False, AS_OF.isoformat())
    for held in found.holdings:
        expected = newest(city, wallet.enterprise, held.category)
        assert held.records == len(expected)
        assert held.latest_month == max((row["data_month"] or 0 for row in expected.values()), default=0)  # type: ignore[type-var]


def test_the_records_themselves_page_by_page_newest_first(city: System, wallet: Wallet) -> None:
    expected = newest(city, wallet.enterprise, CATEGORY)
    records: list[OwnRecord] = []
    offset, more = 0, True
    while more:
        page = wallet.own_records(CATEGORY, offset)
        assert 0 < len(page.records) <= MAX_PAGE
        records += page.records
        offset, more = offset + len(page.records), page.more
    assert sorted(one.record_id for one in records) == sorted(expected) and len(expected) > MAX_PAGE
    assert [one.month for one in records] == sorted((one.month for one in records), reverse=True)
    for one in records:
        row, fields = expected[one.record_id], dict(one.fields)
        assert fields["tax_type"] == row["tax_type"] and one.source == row["source_dept"]
        assert float(fields["tax_paid"]) == pytest.approx(row["tax_paid"])
        assert "uscc" not in fields


def test_the_relay_reads_nothing_and_every_answer_is_equally_long(city: System, wallet: Wallet) -> None:
    anchor = TrustAnchor.from_pem(Role.ENCLAVE, city.deployment.anchor("enclave").read_bytes())
    answers = []
    for category in ("", CATEGORY, "agri_operator"):
        reader = OpeningKey.generate()
        request = OwnRecordsRequest(wallet.stamp(), wallet.enterprise, category, 0, reader.public)
        answers.append(wallet._platform.post("/v1/own-records", request=request.sign(wallet._key))["answer"])
        assert open_own_records(answers[-1], reader, anchor).category == category
        with pytest.raises(MessageUnreadable):
            open_own_records(answers[-1], OpeningKey.generate(), anchor)
    assert len({len(answer) for answer in answers}) == 1


def test_only_the_enterprise_itself_may_ask_and_once_for_each_signature(city: System, wallet: Wallet) -> None:
    request = OwnRecordsRequest(wallet.stamp(), wallet.enterprise, CATEGORY, 0, OpeningKey.generate().public)
    stranger = RawEnterprise(city.deployment, wallet.enterprise)
    unknown = replace(request, category="no_such").sign(wallet._key)
    for signed, reason in (
        (request.sign(stranger.key), Reason.SIGNATURE_INVALID),
        (unknown, Reason.CATEGORY_UNKNOWN),
        (unknown, Reason.NONCE_SPENT),
    ):
        with pytest.raises(PlatformRefused) as refused:
            wallet._platform.post("/v1/own-records", request=signed)
        assert refused.value.reason == reason


def test_a_disputed_record_is_shown_with_the_word_for_it(city: System, wallet: Wallet) -> None:
    before = wallet.own_records(CATEGORY)
    record = before.records[0]
    wallet.dispute_own(before, record)
    after = wallet.own_records(CATEGORY)
    assert (after.records[0].record_id, after.records[0].rule) == (record.record_id, "disputed")
    (held,) = (one for one in after.holdings if one.category == CATEGORY)
    assert held.left_out == next(one for one in before.holdings if one.category == CATEGORY).left_out + 1
    wallet.withdraw_own(before, record)
    assert wallet.own_records(CATEGORY).records[0].rule == record.rule


def test_the_wallet_shows_it(city: System, wallet: Wallet, tmp_path: Path) -> None:
    folder = ["--wallet", str(wallet._folder), "--passphrase", PASSPHRASE]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["records", *folder])
    assert shown.exit_code == 0 and "tax_payment" in shown.output, shown.output
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["records", CATEGORY, *folder])
    assert f"--offset {MAX_PAGE}" in shown.output and "tax_paid=" in shown.output
