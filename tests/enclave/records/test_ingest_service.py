"""What one department can find out about another: nothing, not even by how an answer is come to."""

import hashlib
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from xinyidai.batches import BatchHeader
from xinyidai.identity import Role
from xinyidai.reasons import Reason

import enclave
from enclave.errors import Refused
from enclave.ingest.service import IngestService
from enclave.ingest.staging import Staging
from tests.support.certificates import Leaf, make_authority
from tests.support.ingest import Domain, packed
from tests.support.records import record_table

OURS = str(Path(next(iter(enclave.__path__))))
DAY = 86_400
RIGHTS = {"swj": ("tax_payment", "tax_credit"), "gjj": ("housing_fund",)}


class Departments:
    """The tax office and the housing fund before one data domain."""

    def __init__(self, root: Path) -> None:
        self.domain = Domain.create(root)
        self.authority = make_authority()
        self.service = self.with_rights(RIGHTS)

    def with_rights(self, rights: dict[str, tuple[str, ...]]) -> IngestService:
        domain, anchor = self.domain, self.authority.anchor(Role.DEPARTMENT)
        keys = domain.vault.keys
        staging = Staging(domain.root / "staging", domain.environment, keys, 1024**2, department_bytes=512 * 1024)
        (audience,) = self.batch("gjj", "housing_fund", "any-batch")[0].audience
        return IngestService(audience, anchor, rights, domain.catalogue, domain.vault, staging, domain.environment)

    def batch(self, department: str, category: str, batch: str, **row: Any) -> tuple[BatchHeader, bytes]:
        table = record_table(self.domain.catalogue, category, [row, {**row, "record_id": "=bad"}])
        return packed(self.domain.catalogue, category, table, batch, department)

    def upload(self, header: BatchHeader, content: bytes, leaf: Leaf | None = None) -> None:
        name = str(header.department)
        signer = leaf or self.authority.issue(Role.DEPARTMENT, name)
        with self.service.receiving(name, header.sign(signer.signing_key()), 0) as appender:
            appender.append(content)

    def refused(self, work: Callable[[], Any]) -> tuple[Reason, str]:
        with pytest.raises(Refused) as caught:
            work()
        return caught.value.reason, str(caught.value)


@pytest.fixture
def departments(tmp_path: Path) -> Departments:
    """The tax office has a committed batch with a row set aside, and one on its way; the fund has one of its own."""
    made = Departments(tmp_path / "d")
    for department, category in (("swj", "tax_payment"), ("gjj", "housing_fund")):
        made.upload(*made.batch(department, category, f"{department}-committed"))
        assert made.service.commit(department, f"{department}-committed").quarantined == 1
    made.upload(*made.batch("swj", "tax_payment", "swj-on-its-way"))
    return made


CALLS: dict[str, Callable[[IngestService, str], Any]] = {
    "report": lambda service, batch: service.find("gjj", batch),
    "commit": lambda service, batch: service.commit("gjj", batch),
    "quarantined": lambda service, batch: service.quarantined("gjj", batch, 0, 100),
}


@pytest.mark.parametrize("call", CALLS)
def test_another_departments_batch_and_none_take_the_same_steps_to_the_same_answer(
    departments: Departments, call: str
) -> None:
    """Every function called and every file looked at, so that there is nothing for a clock to tell apart."""
    ask = CALLS[call]
    seen, answers = [], set()
    for batch in ("never-sent-1", "swj-committed", "swj-on-its-way"):
        with Steps() as steps:
            answers.add(departments.refused(lambda b=batch: ask(departments.service, b)))  # type: ignore[misc]
        seen.append(steps.taken)
    assert answers == {(Reason.BATCH_UNKNOWN, "this department sent no such batch")}
    assert len(seen[0]) > 5 and seen[0] == seen[1] == seen[2]


def test_another_departments_category_and_none_take_the_same_steps_to_the_same_answer(departments: Departments) -> None:
    leaf = departments.authority.issue(Role.DEPARTMENT, "gjj")
    header, _ = departments.batch("gjj", "housing_fund", "gjj-tries-01")
    seen, answers = [], set()
    for category in ("no_such_thing", "tax_payment", "annual_report"):
        token = replace(header, category=category).sign(leaf.signing_key())
        with Steps() as steps, ExitStack() as stack:
            answers.add(
                departments.refused(lambda t=token: stack.enter_context(departments.service.receiving("gjj", t, 0)))  # type: ignore[misc]
            )
        seen.append(steps.taken)
    assert [reason for reason, _ in answers] == [Reason.CATEGORY_FORBIDDEN]
    assert len(seen[0]) > 4 and seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("batch", ["swj-committed", "swj-on-its-way"])
def test_the_id_another_department_used_is_as_free_as_any(departments: Departments, batch: str) -> None:
    header, content = departments.batch("gjj", "housing_fund", batch)
    departments.upload(header, content)
    taken = departments.service.commit("gjj", batch)
    assert (taken.department, taken.category, taken.taken) == ("gjj", "housing_fund", 1)
    theirs = departments.service.commit("swj", batch)
    assert (theirs.department, theirs.category) == ("swj", "tax_payment")


def test_a_right_that_was_withdrawn_since_stops_the_commit(departments: Departments) -> None:
    later = departments.with_rights({**RIGHTS, "swj": ("tax_credit",)})
    assert departments.refused(lambda: later.commit("swj", "swj-on-its-way"))[0] is Reason.CATEGORY_FORBIDDEN
    gone = departments.with_rights({"gjj": RIGHTS["gjj"]})
    for call in (gone.find, gone.commit, gone.committed):
        assert departments.refused(lambda c=call: c("swj", "swj-committed"))[0] is Reason.DEPARTMENT_NOT_REGISTERED  # type: ignore[misc]


def test_what_was_begun_and_left_is_removed_after_days(departments: Departments) -> None:
    service, environment = departments.service, departments.domain.environment
    environment.now += 5 * DAY
    departments.upload(*departments.batch("gjj", "housing_fund", "gjj-on-its-way"))
    environment.now += 3 * DAY
    assert service.remove_abandoned(7 * DAY) == 1
    assert departments.refused(lambda: service.find("swj", "swj-on-its-way"))[0] is Reason.BATCH_UNKNOWN
    assert service.commit("gjj", "gjj-on-its-way").rows == 2
    assert service.committed("swj", "swj-committed").rows == 2


def test_what_is_being_sent_is_not_abandoned(departments: Departments) -> None:
    header, content = departments.batch("gjj", "housing_fund", "gjj-slowly")
    signed = header.sign(departments.authority.issue(Role.DEPARTMENT, "gjj").signing_key())
    with departments.service.receiving("gjj", signed, 0) as appender:
        departments.domain.environment.now += 8 * DAY
        assert departments.service.remove_abandoned(7 * DAY) == 1  # the tax office's
        appender.append(content)
    assert departments.service.commit("gjj", "gjj-slowly").rows == 2


def test_a_batch_begun_under_another_catalogue_is_not_read_by_this_one(departments: Departments) -> None:
    """The same column may be of another unit by now."""
    domain = departments.domain
    domain.catalogue = replace(domain.catalogue, canonical=domain.catalogue.canonical + b" ")
    later = departments.with_rights(RIGHTS)
    assert departments.refused(lambda: later.commit("swj", "swj-on-its-way"))[0] is Reason.CATALOGUE_UNKNOWN
    assert departments.refused(lambda: later.find("swj", "swj-on-its-way"))[0] is Reason.BATCH_UNKNOWN


def test_what_can_never_be_committed_keeps_no_space_and_no_id(departments: Departments) -> None:
    header, content = departments.batch("gjj", "housing_fund", "gjj-unreadable")
    broken = content[:-4] + b"????"
    departments.upload(replace(header, digest=hashlib.sha256(broken).hexdigest()), broken)
    assert departments.refused(lambda: departments.service.commit("gjj", "gjj-unreadable"))[0] is Reason.BATCH_CONTENT
    departments.upload(header, content)
    assert departments.service.commit("gjj", "gjj-unreadable").rows == 2


def test_a_destroyed_category_takes_and_shows_nothing_and_gets_no_new_key(departments: Departments) -> None:
    departments.domain.vault.destroy("tax_payment")
    header, content = departments.batch("swj", "tax_payment", "swj-afterwards")
    for work in (
        lambda: departments.upload(header, content),
        lambda: departments.service.commit("swj", "swj-on-its-way"),
        lambda: departments.service.quarantined("swj", "swj-committed", 0, 100),
    ):
        assert departments.refused(work)[0] is Reason.CATEGORY_DESTROYED
    assert not departments.domain.vault.keys.holds("tax_payment")
    # What became of a batch is still told: that is no record.
    assert departments.service.committed("swj", "swj-committed").taken == 1


class Steps:
    """The enclave's own functions while they run, in order, and what each of them calls."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def __enter__(self) -> "Steps":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_filename.startswith(OURS):
            if event == "call":
                self.taken.append(frame.f_code.co_qualname)
            elif event == "c_call":
                self.taken.append(argument.__qualname__)
