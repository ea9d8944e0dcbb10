"""What an enterprise is shown of itself: its own records alone, in their newest version, with the reason where one is
left out, and no more at once than a document holds."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import OpeningKey
from xinyidai.identifiers import Uscc, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.own_records import MAX_PAGE, MAX_VALUE, OwnRecords

from enclave.own_data.holdings import Page, read_page
from enclave.records.disputed import Disputed
from tests.support.certificates import make_authority
from tests.support.records import Row, months, uscc, write_records

AS_OF = date(2026, 10, 31)
FIRM = parse_uscc(uscc(1))
CATALOGUE = builtin_catalogue()
PENALTY = "administrative_penalty"


def shown(
    folder: Path, category: str = "", *disputed: Disputed, offset: int = 0, firm: Uscc = FIRM
) -> tuple[Page, dict[str, str]]:
    page = read_page(folder, CATALOGUE, firm, AS_OF, disputed, category, offset)
    return page, {record.record_id: record.rule for record in page.records}


def test_own_records_alone_newest_version_with_the_reason_where_one_is_left_out(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"record_id": "restated", "cf_jdrq": "2026-05-01", "recv_time": "2026-05-02", "cf_nr_fk": 1.0},
        {"record_id": "restated", "cf_jdrq": "2026-05-01", "recv_time": "2026-06-02", "cf_nr_fk": 2.5},
        {"record_id": "mended", "repaired": True},
        {"record_id": "over", "cf_gsjzq": "2026-10-31"},
        {"record_id": "wrong"},
        {"record_id": "late", "recv_time": "2026-11-01"},
        {"record_id": "theirs", "uscc": uscc(2)},
    ]
    folder = write_records(tmp_path, CATALOGUE, **{PENALTY: rows})
    page, rules = shown(
        folder, PENALTY, Disputed(PENALTY, FIRM, "wrong", None), Disputed(PENALTY, uscc(2), "restated", None)
    )
    assert rules == {"restated": "", "mended": "repaired", "over": "publicity_end", "wrong": "disputed"}
    (restated,) = (record for record in page.records if record.record_id == "restated")
    assert dict(restated.fields)["cf_nr_fk"] == "2.5" and restated.received == "2026-06-02T00:00:00"
    (held,) = (one for one in page.holdings if one.category == PENALTY)
    assert (held.records, held.left_out, held.last_received) == (4, 3, "2026-06-02T00:00:00")
    assert all(one.records == 0 and one.last_received == "" for one in page.holdings if one.category != PENALTY)


def test_versions_delivered_after_an_upheld_dispute_count_again(tmp_path: Path) -> None:
    folder = write_records(tmp_path, CATALOGUE, **{PENALTY: [{"record_id": "a", "recv_time": "2026-06-02"}]})
    decided = {day: int(datetime(2026, 6, day, tzinfo=UTC).timestamp()) for day in (1, 3)}
    assert shown(folder, PENALTY, Disputed(PENALTY, FIRM, "a", decided[1]))[1] == {"a": ""}
    assert shown(folder, PENALTY, Disputed(PENALTY, FIRM, "a", decided[3]))[1] == {"a": "disputed"}


def test_pages_follow_each_other_newest_first(tmp_path: Path) -> None:
    every = list(months(202301, 202609))
    rows: list[Row] = [{"record_id": f"e{ym}", "period_ym": ym, "data_month": ym} for ym in every]
    folder = write_records(tmp_path, CATALOGUE, electricity_usage=rows)
    seen: list[int] = []
    more = True
    while more:
        page, _ = shown(folder, "electricity_usage", offset=len(seen))
        assert 0 < len(page.records) <= MAX_PAGE
        seen += [record.month for record in page.records]
        more = page.more
    assert seen == every[::-1]
    beyond, _ = shown(folder, "electricity_usage", offset=1000)
    assert (beyond.records, beyond.more) == ((), False)


def test_whatever_a_department_wrote_fits_into_a_sealed_answer(tmp_path: Path) -> None:
    """Long texts are cut, characters that no document has are replaced, and a page ends before it is too long."""
    wild: dict[str, Any] = {
        field.name: "长\u202e\x00" * 400 for field in CATALOGUE.category("enterprise_registration").fields
        if field.type == "str"
    }  # fmt: skip
    rows: list[Row] = [{"record_id": f"r{n}\n" + "x" * 300, **wild} for n in range(MAX_PAGE)]
    folder = write_records(tmp_path, CATALOGUE, enterprise_registration=rows)
    page, _ = shown(folder, "enterprise_registration")
    assert page.records and all(len(text) <= MAX_VALUE for record in page.records for _, text in record.fields)
    answer = OwnRecords(
        enclave=parse_enclave_id("e-1"), enterprise=FIRM, request="n" * 24, issued_at=1, catalogue="c@1", snapshot="s",
        as_of="2026-10-31", holdings=page.holdings, category="enterprise_registration", offset=0,
        records=page.records, more=page.more, dispute_key=OpeningKey.generate().public,
    )  # fmt: skip
    signer = make_authority("Enclaves").issue(Role.ENCLAVE, "e-1").signing_key()
    answer.seal(signer, OpeningKey.generate().public)


def test_an_enterprise_whose_code_fails_its_check_has_no_records(tmp_path: Path) -> None:
    wrong = parse_uscc(FIRM[:-1] + ("0" if FIRM[-1] != "0" else "1"))
    folder = write_records(tmp_path, CATALOGUE, **{PENALTY: [{"record_id": "a", "uscc": wrong}]})
    page, rules = shown(folder, PENALTY, firm=wrong)
    assert rules == {} and all(one.records == 0 for one in page.holdings)
