"""Departments that open an upload and say nothing: they hold nothing up, and lose nothing that arrived."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xinyidai.reasons import Reason
from xinyidai.v1 import records_pb2

from tests.support.departments import RunningDomain, batches_of, refusal, signed, upload_messages
from tests.support.records import uscc


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[RunningDomain]:
    made = RunningDomain(tmp_path / "d", silence_seconds=1)
    yield made
    made.close()


def then_silent(messages: Iterator[Any], until: threading.Event) -> Iterator[Any]:
    yield from messages
    until.wait(30)


def test_a_silent_upload_is_closed_and_taken_up_again(domain: RunningDomain, tmp_path: Path) -> None:
    rows = [{"record_id": f"s{at}", "paid": at / 7, "uscc": uscc(at % 999)} for at in range(2_000)]
    (packed,) = batches_of(domain, "rsj", "social_insurance", rows, tmp_path)
    token, half = signed(packed.header, domain.credentials("rsj")), len(packed.content) // 2
    over = threading.Event()
    with domain.stub("rsj") as stub:
        for messages in (iter(()), upload_messages(token, packed.content[:half])):
            reason, message = refusal(lambda m=messages: stub.Upload(then_silent(m, over), timeout=20))  # type: ignore[misc]
            assert reason is Reason.OVERLOADED and "what arrived is kept" in message
        found = stub.GetBatch(records_pb2.GetBatchRequest(batch=packed.header.batch), timeout=5)
        assert found.received == half
    over.set()
    started: list[int] = []
    with domain.uploader("rsj") as uploader:
        assert uploader.deliver(packed, started.append).taken == 2_000
    assert started[0] == half
