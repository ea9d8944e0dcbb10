"""The outbox of events: kept in order, pushed in order with retries, listed without a gap; on SQLite and PostgreSQL."""

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select
from xinyidai.events import AuthorizationEvent, EventKind, Initiator
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.signing import SigningKey

from server.banks.service import Registration, register_bank, remove_bank
from server.db import Database
from server.events import service
from server.events.errors import EndpointInvalid, EventsUnreadable
from server.events.models import Delivery, OutboxEvent
from server.events.service import GIVE_UP_SECONDS, LEASE_SECONDS, Parcel, Pulled

BANK, OTHER, ENCLAVE = parse_bank_id("bank-a"), parse_bank_id("bank-b"), parse_enclave_id("enclave-a")
KEY = SigningKey.generate()
URL = "https://bank.example/events"
NOW = 1_790_000_000


def event(sequence: int, bank: str = BANK, position: int = 0) -> Pulled:
    made = AuthorizationEvent(
        enclave=ENCLAVE,
        event_id=f"event-{bank}-{sequence}",
        bank=parse_bank_id(bank),
        sequence=sequence,
        kind=EventKind.PAUSED,
        enterprise=parse_uscc("914403001922038216"),
        effective_at=NOW,
        initiator=Initiator.ENTERPRISE,
        authorization="0" * 64,
    )
    return Pulled(position or sequence, bank, sequence, made.sign(KEY))


def keep(database: Database, *pulled: Pulled) -> None:
    with database.transaction("keep") as session:
        service.keep_events(session, ENCLAVE, pulled, NOW)


def address(database: Database, bank: str = BANK) -> None:
    with database.transaction("address") as session:
        register_bank(session, Registration(parse_bank_id(bank), "甲银行", "Bank A", bank.ljust(43, "-")), NOW)
        service.set_endpoint(session, parse_bank_id(bank), URL, NOW)


def claim(database: Database, now: int = NOW, bank: str = BANK) -> Parcel | None:
    with database.transaction("claim") as session:
        return service.claim_next(session, bank, now)


def claimed(database: Database, now: int = NOW) -> Parcel:
    found = claim(database, now)
    assert found is not None
    return found


def fail(database: Database, parcel: Parcel, now: int) -> None:
    with database.transaction("fail") as session:
        service.note_failed(session, parcel, now)


def deliver(database: Database, parcel: Parcel) -> None:
    with database.transaction("delivered") as session:
        service.note_delivered(session, parcel)


def test_a_bank_lists_its_own_events_in_order_and_no_others(database: Database) -> None:
    keep(database, event(1, position=1), event(1, OTHER, 2), event(2, position=3))
    keep(database, event(2, position=3), event(3, position=4))
    with database.reading() as session:
        assert service.last_position(session, ENCLAVE) == 4
        everything = service.list_events(session, BANK, ENCLAVE, 0, 10)
        assert len(everything) == 3 and service.list_events(session, BANK, ENCLAVE, 1, 1) == everything[1:2]
        assert len(service.list_events(session, OTHER, ENCLAVE, 0, 10)) == 1


@pytest.mark.parametrize("change", [{"sequence": 2}, {"bank": OTHER}, {"token": "no.jws.here"}])
def test_what_is_not_the_event_it_was_announced_as_is_not_kept(database: Database, change: dict[str, Any]) -> None:
    with pytest.raises(EventsUnreadable):
        keep(database, event(1), dataclasses.replace(event(1, position=2), **change))
    with database.reading() as session:
        assert service.last_position(session, ENCLAVE) == 0


def test_the_next_goes_out_only_when_the_one_before_was_taken(database: Database) -> None:
    keep(database, event(1), event(2))
    assert claim(database) is None
    address(database)
    first = claimed(database)
    # It is ours for as long as the lease; nobody, in this process or another, is handed the second one.
    assert first.sequence == 1 and claim(database) is None and claim(database, NOW + LEASE_SECONDS - 1) is None
    assert claimed(database, NOW + LEASE_SECONDS) == first
    deliver(database, first)
    second = claimed(database, NOW + LEASE_SECONDS)
    assert (second.sequence, second.url) == (2, URL)


def test_pauses_get_longer_and_end_after_a_day_with_the_next_event(database: Database) -> None:
    keep(database, event(1), event(2))
    address(database)
    now, pauses = NOW, []
    while (parcel := claimed(database, now)).sequence == 1:
        fail(database, parcel, now)
        with database.reading() as session:
            row = session.exec(select(OutboxEvent).where(OutboxEvent.sequence == 1)).one()
        pauses.append(row.next_try_at - now)
        if row.state == Delivery.PENDING:
            assert claim(database, row.next_try_at - 1) is None
        now = row.next_try_at
    assert pauses[:4] == [2, 4, 8, 16] and max(pauses) == 3600 and all(a <= b for a, b in itertools.pairwise(pauses))
    assert now - NOW >= GIVE_UP_SECONDS
    with database.reading() as session:
        assert len(service.list_events(session, BANK, ENCLAVE, 0, 10)) == 2


def test_what_was_acknowledged_is_not_pushed_any_more(database: Database) -> None:
    keep(database, event(1), event(2), event(3))
    address(database)
    with database.transaction("acknowledged") as session:
        service.note_acknowledged(session, BANK, ENCLAVE, 2, NOW)
    assert claimed(database).sequence == 3
    with database.reading() as session:
        assert service.banks_due(session, NOW) == [] and service.banks_due(session, NOW + LEASE_SECONDS) == [BANK]
    with database.transaction("remove") as session:
        remove_bank(session, BANK)
        assert service.banks_due(session, NOW + LEASE_SECONDS) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://bank.example/events", "https://", "ftp://bank.example", "https://user:secret@bank.example/",
        "https://bank.example/#part", "https://bank.example/a b", "https://银行.example/", "https://x/" + "a" * 512, "https://[",
        "",
    ],
)  # fmt: skip
def test_only_plain_https_addresses_are_taken(url: str) -> None:
    with pytest.raises(EndpointInvalid):
        service.check_url(url)


@given(st.text())
def test_an_address_is_taken_or_refused_and_nothing_else(text: str) -> None:
    try:
        assert service.check_url(f"https://bank.example/{text}").startswith("https://bank.example/")
    except EndpointInvalid:
        return
