"""A batch is stored in full or not at all, and counted once; rows find their enterprise, now or later."""

import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from xinyidai.batches import FAULT_COLUMN, BatchFormat, BatchHeader
from xinyidai.identifiers import uscc_check_character
from xinyidai.reasons import Reason

from enclave.errors import Refused
from enclave.features.values import feature_values
from enclave.records.intake.intake import SLICE_ROWS, take_batch
from enclave.records.vault import Batch, SegmentKind
from tests.support.ingest import Domain, as_text, organisation_code, packed, with_lines
from tests.support.records import record_table, uscc, write_records

CATEGORY = "tax_payment"


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    return Domain.create(tmp_path / "d")


def company(number: int) -> str:
    """A USCC around an organisation code with its check character."""
    first = f"91320700{organisation_code(number)}"
    return first + uscc_check_character(first)


class TestOnce:
    def test_sent_twice_counted_once(self, domain: Domain) -> None:
        first = domain.take_rows(CATEGORY, [{"tax_paid": 1.0}])
        assert domain.take_rows(CATEGORY, [{"tax_paid": 1.0}]) == first
        assert domain.held(CATEGORY, "tax_paid") == [1.0]
        assert domain.vault.manifest().version == 1

    def test_the_same_id_with_another_content_is_refused(self, domain: Domain) -> None:
        domain.take_rows(CATEGORY, [{"tax_paid": 1.0}])
        with pytest.raises(Refused) as caught:
            domain.take_rows(CATEGORY, [{"tax_paid": 2.0}])
        assert caught.value.reason is Reason.BATCH_CONFLICT
        assert domain.held(CATEGORY, "tax_paid") == [1.0]

    def test_two_departments_may_choose_the_same_id(self, domain: Domain) -> None:
        table = record_table(domain.catalogue, CATEGORY, [{"tax_paid": 1.0}])
        batches = [domain.take(CATEGORY, table, "batch-0001", name) for name in ("swj", "gjj")]
        assert [batch.sequence for batch in batches] == [1, 2]

    def test_an_arrow_stream_is_as_good_as_parquet(self, domain: Domain) -> None:
        table = record_table(domain.catalogue, CATEGORY, [{"tax_paid": 1.0}])
        header, content = packed(domain.catalogue, CATEGORY, table, "batch-0001", form=BatchFormat.ARROW)
        assert take_batch(domain.vault, domain.catalogue, header, pa.py_buffer(content)).taken == 1

    def test_several_slices_and_segments(self, domain: Domain) -> None:
        count = 2 * SLICE_ROWS + 10
        one = record_table(domain.catalogue, CATEGORY, [{"tax_paid": 1.0}])
        table = one.take(pa.array([0] * count)).set_column(
            2, "record_id", pa.array([f"r{at}" for at in range(count)], pa.string())
        )
        assert domain.take(CATEGORY, table).taken == count
        assert len(domain.vault.snapshot().segments(SegmentKind.TAKEN)) == 2
        assert domain.held(CATEGORY, "_line") == list(range(1, count + 1))


class TestRefusedAsAWhole:
    @pytest.mark.parametrize("content", [b"PAR1 and nothing", b"", b"\x00" * 4096])
    def test_what_is_no_file(self, domain: Domain, content: bytes) -> None:
        header, _ = packed(domain.catalogue, CATEGORY, record_table(domain.catalogue, CATEGORY, [{}]), "batch-0001")
        for form in BatchFormat:
            self.refused(domain, header, content, form)

    def test_columns_that_are_not_the_catalogues(self, domain: Domain) -> None:
        table = record_table(domain.catalogue, CATEGORY, [{}])
        for changed in (
            table.drop_columns("tax_paid"),
            table.append_column("note", pa.array(["x"])),
            table.set_column(0, "uscc", pa.array([1.5])),
        ):
            header, content = packed(domain.catalogue, CATEGORY, changed, "batch-0001")
            self.refused(domain, header, content, BatchFormat.PARQUET)

    def test_another_number_of_rows_than_was_signed(self, domain: Domain) -> None:
        table = record_table(domain.catalogue, CATEGORY, [{}])
        header, content = packed(domain.catalogue, CATEGORY, table, "batch-0001", rows=2)
        self.refused(domain, header, content, BatchFormat.PARQUET)

    @staticmethod
    def refused(domain: Domain, header: BatchHeader, content: bytes, form: BatchFormat) -> None:
        with pytest.raises(Refused) as caught:
            take_batch(domain.vault, domain.catalogue, replace(header, format=form), pa.py_buffer(content))
        assert caught.value.reason is Reason.BATCH_CONTENT
        assert domain.vault.manifest().version == 0


class TestDuplicates:
    def test_copies_are_counted_and_contradictions_set_aside(self, domain: Domain) -> None:
        row = {"record_id": "a", "tax_paid": 1.0}
        batch = domain.take_rows(
            CATEGORY,
            [row, row, {**row, "tax_paid": 2.0}, {**row, "tax_paid": 3.0, "recv_time": "2026-02-01"}, row],
        )
        assert (batch.taken, batch.duplicated, domain.faults(batch)) == (2, 2, {("conflict", "record_id"): 1})
        assert domain.held(CATEGORY, "tax_paid") == [1.0, 3.0]

    def test_two_sources_may_number_their_records_alike(self, domain: Domain) -> None:
        rows = [
            {"record_id": "000001", "source_dept": name, "tax_paid": paid} for name, paid in (("a", 1.0), ("b", 2.0))
        ]
        assert domain.take_rows(CATEGORY, rows).taken == 2

    def test_rows_that_name_no_record_are_nobodys_copies(self, domain: Domain) -> None:
        """Lines that could not be taken apart are all alike; each is set aside with its own number."""
        table = with_lines(as_text(record_table(domain.catalogue, CATEGORY, [{"record_id": "a"}] * 6)))
        faults = pa.array([None, "type", "type", None, None, None], pa.string())
        ids = pa.array(["a", "b", "b", "", None, ""], pa.string())
        table = table.set_column(table.column_names.index("record_id"), "record_id", ids)
        batch = domain.take(CATEGORY, table.append_column(FAULT_COLUMN, faults))
        assert (batch.taken, batch.duplicated, batch.quarantined) == (1, 0, 5)
        assert domain.faults(batch) == {("missing", "record_id"): 3, ("type", ""): 2}
        assert domain.held(CATEGORY, "_line", SegmentKind.QUARANTINED) == [2, 3, 4, 5, 6]


class TestAlignment:
    def fund(self, domain: Domain, codes: list[str], batch: str = "fund-0001") -> Batch:
        rows = [{"uscc": code, "amount": float(at), "record_id": f"f{at}"} for at, code in enumerate(codes)]
        return domain.take_rows("housing_fund", rows, batch)

    def register(self, domain: Domain, *codes: str, batch: str = "register-1") -> Batch:
        rows = [{"uscc": code, "record_id": code} for code in codes]
        return domain.take_rows("enterprise_registration", rows, batch)

    def test_an_organisation_code_is_matched_at_once_when_the_link_is_known(self, domain: Domain) -> None:
        self.register(domain, company(1))
        code = organisation_code(1)
        batch = self.fund(domain, [code, f"{code[:8]}-{code[8]}", company(2)])
        assert (batch.taken, batch.waiting) == (3, 0)
        assert domain.held("housing_fund", "uscc") == sorted([company(1), company(1), company(2)])

    def test_rows_wait_and_are_matched_when_the_link_arrives(self, domain: Domain) -> None:
        batch = self.fund(domain, [organisation_code(1), organisation_code(2)])
        assert (batch.taken, batch.waiting) == (0, 2)
        assert domain.held("housing_fund", "uscc") == []
        self.register(domain, company(1))
        assert domain.held("housing_fund", "uscc") == [company(1)]
        assert domain.held("housing_fund", "uscc", SegmentKind.WAITING) == [organisation_code(2)]
        later = domain.vault.manifest().batch("swj", "fund-0001")
        assert later is not None
        assert (later.taken, later.waiting) == (1, 1)
        self.register(domain, company(2), batch="register-2")
        assert domain.held("housing_fund", "amount") == [0.0, 1.0]
        assert domain.held("housing_fund", "uscc", SegmentKind.WAITING) == []

    def test_an_old_taxpayer_id_by_a_tax_record_or_by_the_code_inside(self, domain: Domain) -> None:
        by_record, by_code = "320700111111111", f"320700{organisation_code(4)}"
        assert self.fund(domain, [by_record, by_code]).waiting == 2
        domain.take_rows(CATEGORY, [{"uscc": company(3), "taxpayer_id": by_record}], "tax-00001")
        self.register(domain, company(4))
        assert domain.held("housing_fund", "uscc") == sorted([company(3), company(4)])

    def test_a_taxpayer_id_is_the_same_in_small_letters(self, domain: Domain) -> None:
        domain.take_rows(CATEGORY, [{"uscc": company(3), "taxpayer_id": " 32070011111111x"}], "tax-00001")
        assert self.fund(domain, ["32070011111111X"]).taken == 1

    def test_a_key_two_enterprises_claim_matches_neither(self, domain: Domain) -> None:
        first = "92320700" + organisation_code(1)
        rival = first + uscc_check_character(first)
        self.register(domain, company(1), rival)
        assert self.fund(domain, [organisation_code(1)]).waiting == 1

    def test_a_wrong_check_character_of_an_organisation_code(self, domain: Domain) -> None:
        code = organisation_code(1)
        wrong = code[:8] + ("0" if code[8] != "0" else "1")
        assert domain.faults(self.fund(domain, [wrong])) == {("identity_check", "uscc"): 1}


def test_features_from_the_vault_are_those_of_the_plain_files(domain: Domain, tmp_path: Path) -> None:
    rows = [
        {"uscc": uscc(at), "record_id": f"r{at}", "tax_paid": 10.5 * at, "declared_sales": 1000.0, "tax_type": "vat",
         "period_from": "2026-01-01", "period_to": "2026-01-31", "data_month": 202601}
        for at in range(1, 40)
    ]  # fmt: skip
    folder = write_records(tmp_path / "plain", domain.catalogue, tax_payment=rows)
    domain.take_rows(CATEGORY, rows)
    as_of = date(2026, 10, 31)
    plain = feature_values(folder, domain.catalogue, as_of)
    vaulted = feature_values(domain.vault.snapshot(), domain.catalogue, as_of)
    assert (plain.enterprises == vaulted.enterprises).all()
    assert (plain.status == vaulted.status).all()
    assert plain.values.tobytes() == vaulted.values.tobytes()


def test_no_byte_on_the_disk_tells_a_record(domain: Domain) -> None:
    """Planted values of every kind of row: taken, set aside, waiting, links."""
    planted = ["PLANTED-NAME-7731", "PLANTED-ACCOUNT-7732", company(77), organisation_code(78), "=PLANTED-7733"]
    domain.take_rows("enterprise_registration", [{"uscc": company(77), "ent_name": planted[0]}], "register-1")
    domain.take_rows(
        "housing_fund",
        [
            {"uscc": company(77), "unit_account": planted[1], "record_id": "a"},
            {"uscc": organisation_code(78), "unit_account": planted[1], "record_id": "b"},
            {"uscc": company(77), "unit_account": planted[4], "record_id": "c"},
        ],
        "fund-00001",
    )
    domain.vault.compact("housing_fund")
    written = [path for path in domain.root.rglob("*") if path.is_file()]
    assert len(written) >= 6
    for path in written:
        raw = path.read_bytes()
        assert not [value for value in planted if value.encode() in raw], path
    # Nor does any tool for looking at Parquet find more than noise.
    for path in written:
        found = subprocess.run(["grep", "-ac", "PLANTED", path], capture_output=True, text=True, check=False)
        assert found.stdout.strip() == "0"
