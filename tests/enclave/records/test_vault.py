"""The vault keeps what was committed, shows it as it was, and forgets a category for good when its key is destroyed."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from enclave.environment import EnclaveEnvironmentError
from enclave.records.vault import CategoryDestroyed, SegmentKind, Vault, VaultError
from enclave.records.vault.vault import DAY_SECONDS
from tests.support.ingest import NOW, Domain, SetClock

CATEGORY = "tax_credit"


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[Domain]:
    yield Domain.create(tmp_path / "d")


def taken(domain: Domain, number: int) -> None:
    domain.take_rows(CATEGORY, [{"record_id": f"r{number}", "eval_year": 2025}], f"batch-{number:04d}")


def ids(vault: Vault, version: int | None = None, *, at: int | None = None) -> list[str]:
    table = vault.snapshot(version, at=at).table(CATEGORY)
    return [] if table is None else sorted(table.column("record_id").to_pylist())


class TestTimeTravel:
    def test_every_version_shows_what_it_had(self, domain: Domain) -> None:
        for number in range(3):
            domain.environment.now = NOW + number * DAY_SECONDS
            taken(domain, number)
        assert [ids(domain.vault, version) for version in (1, 2, 3)] == [["r0"], ["r0", "r1"], ["r0", "r1", "r2"]]
        assert ids(domain.vault, at=NOW + DAY_SECONDS + 5) == ["r0", "r1"]
        assert [b.batch for b in domain.vault.snapshot(2).batches] == ["batch-0000", "batch-0001"]

    def test_a_version_that_never_was(self, domain: Domain) -> None:
        taken(domain, 0)
        for version in (0, 2):
            with pytest.raises(VaultError, match="no such version"):
                domain.vault.snapshot(version)
        with pytest.raises(VaultError, match="no such version"):
            domain.vault.snapshot(at=NOW - 1)

    def test_versions_are_forgotten_after_retention_with_their_files(self, domain: Domain) -> None:
        for number in range(3):
            taken(domain, number)
        domain.vault.compact(CATEGORY)
        segments = domain.root / "vault" / "segments" / CATEGORY
        assert len(list(segments.iterdir())) == 4
        domain.environment.now = NOW + 31 * DAY_SECONDS
        assert domain.vault.expire() == 3
        assert len(list(segments.iterdir())) == 1
        assert ids(domain.vault) == ["r0", "r1", "r2"]
        with pytest.raises(VaultError, match="no such version"):
            domain.vault.snapshot(1)


class TestCompaction:
    def test_rows_stay_and_files_become_one(self, domain: Domain) -> None:
        for number in range(5):
            taken(domain, number)
        before, rows = domain.vault.snapshot(), domain.stored(CATEGORY)
        assert domain.vault.compact(CATEGORY) == 5
        after = domain.vault.snapshot()
        assert [len(one.segments(SegmentKind.TAKEN)) for one in (before, after)] == [5, 1]
        assert domain.stored(CATEGORY).equals(rows)
        assert domain.vault.compact(CATEGORY) == 0

    def test_it_waits_until_a_category_is_scattered(self, domain: Domain) -> None:
        for number in range(3):
            taken(domain, number)
        assert domain.vault.compact_if_scattered(CATEGORY, 3) == 0
        assert domain.vault.compact_if_scattered(CATEGORY, 2) == 3


class TestDestruction:
    def test_nothing_can_be_read_afterwards_even_from_a_copy(self, domain: Domain, tmp_path: Path) -> None:
        taken(domain, 0)
        domain.take_rows("annual_report", [{"report_year": 2025}], "batch-9999")
        (segment,) = (domain.root / "vault" / "segments" / CATEGORY).iterdir()
        copy = segment.read_bytes()
        domain.vault.destroy(CATEGORY)
        assert not segment.exists()
        segment.write_bytes(copy)
        again = Vault(domain.root / "vault", domain.environment)
        assert not again.keys.holds(CATEGORY)
        assert again.snapshot().categories == ("annual_report",)
        with pytest.raises(CategoryDestroyed):
            again.snapshot().dataset(CATEGORY)
        with pytest.raises(CategoryDestroyed), again.transaction("write") as changes:
            with changes.new_segment(CATEGORY, SegmentKind.TAKEN, pa.schema([("a", pa.int64())])):
                pass

    def test_a_crash_in_the_middle_is_finished_at_the_next_start(self, domain: Domain) -> None:
        taken(domain, 0)
        with domain.vault.transaction("as destroy, cut short after its first step") as changes:
            changes.destroy(CATEGORY)
        assert domain.vault.keys.holds(CATEGORY)
        assert Vault(domain.root / "vault", domain.environment).recover() == 1
        assert not domain.vault.keys.holds(CATEGORY)


class TestCrashesAndDamage:
    def test_a_failed_transaction_leaves_nothing(self, domain: Domain) -> None:
        taken(domain, 0)
        schema = pa.schema([("a", pa.int64())])
        with pytest.raises(RuntimeError, match="power"), domain.vault.transaction("fails") as changes:
            with changes.new_segment(CATEGORY, SegmentKind.TAKEN, schema) as writer:
                writer.write(pa.table({"a": [1]}))
            raise RuntimeError("power")
        assert domain.vault.manifest().version == 1
        assert domain.vault.recover() == 0

    def test_files_no_manifest_names_are_removed(self, domain: Domain) -> None:
        taken(domain, 0)
        (domain.root / "vault" / "segments" / CATEGORY / f"{'0' * 32}.parquet").write_bytes(b"half")
        assert domain.vault.recover() == 1
        assert ids(domain.vault) == ["r0"]

    def test_one_segment_in_the_place_of_another_is_noticed(self, domain: Domain) -> None:
        taken(domain, 0)
        taken(domain, 1)
        first, second = (domain.root / "vault" / "segments" / CATEGORY).iterdir()
        first.write_bytes(second.read_bytes())
        with pytest.raises(VaultError, match="missing or was changed"):
            ids(domain.vault)

    def test_a_changed_byte_is_noticed(self, domain: Domain) -> None:
        taken(domain, 0)
        (segment,) = (domain.root / "vault" / "segments" / CATEGORY).iterdir()
        raw = bytearray(segment.read_bytes())
        for at in (len(raw) // 4, len(raw) // 2, len(raw) - 20):
            changed = bytearray(raw)
            changed[at] ^= 1
            segment.write_bytes(changed)
            with pytest.raises(VaultError):
                ids(domain.vault)

    def test_the_manifest_opens_under_its_own_sealing_key_alone(self, domain: Domain, tmp_path: Path) -> None:
        taken(domain, 0)
        other = tmp_path / "other.key"
        other.touch(mode=0o600)
        other.write_bytes(bytes(32))
        with pytest.raises(EnclaveEnvironmentError, match="does not open"):
            Vault(domain.root / "vault", SetClock(other)).manifest()

    def test_a_folder_others_may_enter_is_refused(self, domain: Domain) -> None:
        (domain.root / "vault" / "keys").chmod(0o755)
        with pytest.raises(EnclaveEnvironmentError, match="others may access"):
            Vault(domain.root / "vault", domain.environment)
