"""A batch on its way: encrypted on the disk, resumable at any byte, and never more than was announced."""

import hashlib
from pathlib import Path

import pytest
from xinyidai.batches import CHUNK_BYTES, BatchHeader
from xinyidai.reasons import Reason

from enclave.errors import Refused
from enclave.ingest.staging import Staging, room_for
from tests.support.ingest import Domain, packed
from tests.support.records import record_table

CONTENT = b"PLANTED-IN-STAGING" * 1000


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    return Domain.create(tmp_path / "d")


@pytest.fixture
def staging(domain: Domain) -> Staging:
    return Staging(domain.root / "staging", domain.environment, domain.vault.keys, 1024**2, department_bytes=512 * 1024)


def header(domain: Domain, content: bytes = CONTENT, batch: str = "batch-0001", department: str = "swj") -> BatchHeader:
    table = record_table(domain.catalogue, "tax_payment", [{}])
    digest = hashlib.sha256(content).hexdigest()
    return packed(domain.catalogue, "tax_payment", table, batch, department, size=len(content), digest=digest)[0]


def send(staging: Staging, announced: BatchHeader, content: bytes, step: int = 1000) -> None:
    appender = staging.appender(staging.begin(announced))
    try:
        for at in range(appender.received, len(content), step):
            appender.append(content[at : at + step])
    finally:
        appender.close()


def reason_of(caught: pytest.ExceptionInfo[Refused]) -> Reason:
    return caught.value.reason


def test_content_comes_back_whole_and_is_unreadable_on_the_disk(domain: Domain, staging: Staging) -> None:
    send(staging, header(domain), CONTENT)
    staged = staging.find("swj", "batch-0001")
    assert staged is not None
    assert staged.header == header(domain)
    assert staging.content(staged).to_pybytes() == CONTENT
    (file,) = (domain.root / "staging").iterdir()
    assert b"PLANTED" not in file.read_bytes()
    assert b"batch-0001" not in file.read_bytes()
    staging.remove("swj", "batch-0001")
    assert staging.find("swj", "batch-0001") is None


@pytest.mark.parametrize("lost", [1, 15, 900, 1031, 5000])
def test_what_a_crash_cut_short_is_sent_again_and_nothing_else(domain: Domain, staging: Staging, lost: int) -> None:
    send(staging, header(domain), CONTENT[:10_000])
    (file,) = (domain.root / "staging").iterdir()
    file.write_bytes(file.read_bytes()[:-lost])
    resumed = staging.begin(header(domain))
    assert resumed.received == 10_000 - 1000 * (1 + (lost - 1) // 1032)
    send(staging, header(domain), CONTENT)
    staged = staging.begin(header(domain))
    assert staging.content(staged).to_pybytes() == CONTENT


def test_an_incomplete_batch_has_no_content(domain: Domain, staging: Staging) -> None:
    send(staging, header(domain), CONTENT[:10_000])
    with pytest.raises(Refused) as caught:
        staging.content(staging.begin(header(domain)))
    assert reason_of(caught) is Reason.BATCH_INCOMPLETE


def test_other_bytes_than_signed_are_dropped(domain: Domain, staging: Staging) -> None:
    send(staging, header(domain), bytes(len(CONTENT)))
    with pytest.raises(Refused) as caught:
        staging.content(staging.begin(header(domain)))
    assert reason_of(caught) is Reason.BATCH_CONTENT
    assert staging.find("swj", "batch-0001") is None


def test_a_frame_moved_or_changed_on_the_disk_is_noticed(domain: Domain, staging: Staging) -> None:
    send(staging, header(domain), CONTENT)
    (file,) = (domain.root / "staging").iterdir()
    raw = bytearray(file.read_bytes())
    frame = 4 + 12 + 1000 + 16
    last_short = len(raw) - frame
    raw[last_short - frame : last_short], raw[last_short:] = raw[last_short:], raw[last_short - frame : last_short]
    file.write_bytes(raw)
    staged = staging.find("swj", "batch-0001")
    assert staged is not None
    with pytest.raises(Refused) as caught:
        staging.content(staged)
    assert reason_of(caught) is Reason.BATCH_CONTENT


def test_bounds(domain: Domain, staging: Staging) -> None:
    appender = staging.appender(staging.begin(header(domain)))
    for chunk, reason in (
        (b"", Reason.REQUEST_TOO_LARGE),
        (bytes(CHUNK_BYTES + 1), Reason.REQUEST_TOO_LARGE),
        (bytes(len(CONTENT) + 1), Reason.BATCH_CONTENT),
    ):
        with pytest.raises(Refused) as caught:
            appender.append(chunk)
        assert reason_of(caught) is reason
    appender.close()
    with pytest.raises(Refused) as caught:
        staging.begin(header(domain, b"another"))
    assert reason_of(caught) is Reason.BATCH_CONFLICT


class TestSpace:
    """Room for a megabyte, half of it for one department; each of these batches takes about a fifth of it."""

    LARGE = bytes(120_000)

    def begin(self, domain: Domain, staging: Staging, department: str, batch: str) -> None:
        staging.begin(header(domain, self.LARGE, batch, department))

    def refused(self, domain: Domain, staging: Staging, department: str, batch: str) -> Reason:
        with pytest.raises(Refused) as caught:
            self.begin(domain, staging, department, batch)
        return reason_of(caught)

    def test_it_is_set_aside_before_a_byte_arrives(self, domain: Domain, staging: Staging) -> None:
        """Batches begun and left empty hold what they announced: else all of them together could fill the disk."""
        for number in range(2):
            self.begin(domain, staging, "swj", f"batch-{number:04d}")
        assert self.refused(domain, staging, "swj", "batch-0002") is Reason.BATCH_SPACE

    def test_one_department_holds_up_no_other(self, domain: Domain, staging: Staging) -> None:
        for department in ("swj", "gjj"):
            for number in range(2):
                self.begin(domain, staging, department, f"batch-{number:04d}")
        assert self.refused(domain, staging, "swj", "batch-0002") is Reason.BATCH_SPACE
        staging.begin(header(domain, b"a few bytes", "batch-0000", "rsj"))
        assert self.refused(domain, staging, "rsj", "batch-0001") is Reason.OVERLOADED

    def test_it_is_free_again_after_a_commit_and_known_after_a_restart(self, domain: Domain, staging: Staging) -> None:
        for number in range(2):
            self.begin(domain, staging, "swj", f"batch-{number:04d}")
        again = Staging(
            domain.root / "staging", domain.environment, domain.vault.keys, 1024**2, department_bytes=512 * 1024
        )
        assert self.refused(domain, again, "swj", "batch-0002") is Reason.BATCH_SPACE
        again.remove("swj", "batch-0000")
        self.begin(domain, again, "swj", "batch-0002")

    def test_chunks_of_a_byte_take_no_more_than_was_set_aside(self, domain: Domain, staging: Staging) -> None:
        announced = header(domain, self.LARGE)
        with pytest.raises(Refused) as caught:
            send(staging, announced, self.LARGE, step=1)
        assert reason_of(caught) is Reason.REQUEST_TOO_LARGE
        (file,) = (domain.root / "staging").iterdir()
        assert file.stat().st_size <= room_for(len(self.LARGE))


def test_batches_of_a_destroyed_category_are_cleared(domain: Domain, staging: Staging) -> None:
    send(staging, header(domain), CONTENT)
    (domain.root / "staging" / "cut-short.batch").write_bytes(b"\0\0")
    staging.clear_category(("annual_report",))
    assert staging.find("swj", "batch-0001") is not None
    staging.clear_category(("tax_payment",))
    assert list((domain.root / "staging").iterdir()) == []
