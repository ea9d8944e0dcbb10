"""Who is on a list, what that costs, and what a hostile platform, bank or enterprise can make of the documents."""

import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from xinyidai.confidential import MessageUnreadable, OpeningKey
from xinyidai.demands import DemandAction, demand_id
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.whitelist.lists import PART_ENTRIES
from xinyidai.whitelist.statements import Subscription

from enclave.authority import grants
from enclave.authority.store import _open
from enclave.whitelist import statements
from enclave.whitelist.lists import ListRules
from tests.support.authority import BANK, ENTERPRISE, OTHER_BANK, Bank, Desk, Enterprise, make_trust, refused, stamp
from tests.support.listing import Listing, demand_terms, firm, matrix_of
from tests.support.town import GOOD, POOR


def joined(listing: Listing, *banks: str) -> str:
    """The enterprise opts in and posts a demand; the demand's id."""
    listing.opt_in(ENTERPRISE, *banks)
    return listing.post(ENTERPRISE)


# --- Who is listed ----------------------------------------------------------------------------------------------------


def test_listed_with_opt_in_demand_and_good_standing_and_for_no_other_bank(listing: Listing) -> None:
    demand = joined(listing, "bank-a")
    found = listing.read(BANK)
    assert (found.members, found.head.version, found.head.bank) == ({ENTERPRISE.uscc: demand}, 1, "bank-a")
    assert listing.read(OTHER_BANK).members == {}
    assert listing.told(ENTERPRISE) == 100


def test_nobody_without_any_one_of_them(listing: Listing) -> None:
    assert listing.read(BANK).members == {}
    demand = listing.post(ENTERPRISE)
    assert listing.read(BANK).members == {} and listing.told(ENTERPRISE) == 0
    listing.opt_in(ENTERPRISE)
    assert listing.read(BANK).members
    listing.close(ENTERPRISE, demand)
    assert listing.read(BANK).members == {}
    listing.post(ENTERPRISE)
    listing.matrix = matrix_of({ENTERPRISE.uscc: POOR}, "snapshot-2")
    assert listing.read(BANK).members == {}


def test_an_opt_in_and_a_demand_end_by_themselves(listing: Listing) -> None:
    joined(listing)
    listing.desk.now += 8 * DAY_SECONDS
    assert listing.read(BANK).members == {}
    listing.post(ENTERPRISE, terms=demand_terms(listing.now, 300))
    assert listing.read(BANK).members
    listing.desk.now += 90 * DAY_SECONDS
    found = listing.read(BANK)
    assert found.members == {} and found.withdrawn == {ENTERPRISE.uscc}


def test_a_demand_that_was_accepted_is_no_longer_open(listing: Listing) -> None:
    demand = joined(listing)
    listing.carry(listing.demand_document(ENTERPRISE, DemandAction.ACCEPT, demand=demand, version=1, offer="0" * 32))
    assert listing.read(BANK).members == {}


def test_a_change_moves_the_end_of_a_demand_once(listing: Listing) -> None:
    demand = joined(listing)
    change = listing.demand_document(
        ENTERPRISE, DemandAction.CHANGE, demand=demand, version=1, terms=demand_terms(listing.now, 1)
    )
    later = listing.demand_document(
        ENTERPRISE, DemandAction.CHANGE, demand=demand, version=2, terms=demand_terms(listing.now, 60)
    )
    for raw in (change, later, change):
        listing.carry(raw)
    listing.desk.now += 30 * DAY_SECONDS
    assert listing.read(BANK).members == {ENTERPRISE.uscc: demand}


def test_a_reset_key_takes_the_enterprise_off(listing: Listing) -> None:
    joined(listing)
    grants.reset_key(listing.desk.connection, listing.desk.trust, ENTERPRISE.uscc, listing.now)
    found = listing.read(BANK)
    assert found.members == {} and listing.told(ENTERPRISE) == 0


# --- What it costs ----------------------------------------------------------------------------------------------------


def test_listed_or_not_costs_the_same_and_the_same_standing_costs_once(listing: Listing) -> None:
    poor = firm(7)
    listing.desk.enrol(poor)
    joined(listing)
    listing.opt_in(poor)
    listing.post(poor)
    for _ in range(3):
        listing.read(BANK)
    assert listing.told(ENTERPRISE) == listing.told(poor) == 100
    listing.read(OTHER_BANK)
    assert listing.told(ENTERPRISE) == listing.told(poor) == 200
    # The same bit to two banks is one bit to both together.
    assert listing.desk.spent(ENTERPRISE) == listing.desk.spent(ENTERPRISE, BANK) == 100
    listing.matrix = matrix_of({ENTERPRISE.uscc: GOOD}, "snapshot-2")
    listing.read(BANK)
    assert listing.told(ENTERPRISE) == listing.told(poor) == 300


def test_a_standing_is_determined_anew_only_so_often(listing: Listing) -> None:
    listing.rules = ListRules(standing_days=28)
    joined(listing)
    assert listing.read(BANK).members
    listing.matrix = matrix_of({ENTERPRISE.uscc: POOR}, "snapshot-2")
    listing.desk.now += DAY_SECONDS
    assert listing.read(BANK).members and listing.told(ENTERPRISE) == 100
    listing.desk.now += 28 * DAY_SECONDS
    listing.post(ENTERPRISE)
    assert listing.read(BANK).members == {} and listing.told(ENTERPRISE) == 200


def test_what_a_budget_does_not_cover_is_not_told(listing: Listing) -> None:
    joined(listing)
    listing.desk.state(ENTERPRISE, Action.SET_BUDGET, bank="bank-a", centibits=99)
    assert listing.read(BANK).members == {} and listing.told(ENTERPRISE) == 0
    assert listing.read(OTHER_BANK).members
    listing.desk.now += 1
    listing.desk.state(ENTERPRISE, Action.SET_BUDGET, bank="bank-a", centibits=100)
    assert listing.read(BANK).members


# --- What a relay sees ------------------------------------------------------------------------------------------------


def test_the_parts_follow_from_the_candidates_and_never_from_the_members(desk: Desk) -> None:
    """The worst case for hiding: as many as fill a part, all or none in good standing."""
    counts = []
    for values in (GOOD, POOR):
        connection = _open(
            Path(desk.connection.execute("PRAGMA database_list").fetchone()[2]).with_name(f"{id(values)}")
        )
        listing = Listing(Desk(connection, desk.trust, desk.now), matrix_of({}))
        listing.subscribe(BANK)
        firms = [f"{n:018d}" for n in range(PART_ENTRIES + 3)]
        _fill(connection, firms, listing.now)
        listing.matrix = matrix_of(dict.fromkeys(firms, values))
        made = listing.make(BANK)
        counts.append((len(made.parts), {len(part) for part in made.parts}))
        assert len(listing.open(BANK, made.parts).members) == (len(firms) if values is GOOD else 0)
        connection.close()
    assert counts[0] == counts[1] and counts[0][0] == 2 and len(counts[0][1]) == 1


def _fill(connection: sqlite3.Connection, firms: list[str], now: int) -> None:
    """Past the signatures, of which so many would take minutes."""
    end, digest = now + DAY_SECONDS, statements.scorecard_of(make_trust()).digest
    connection.execute("BEGIN")
    rows = [(name, "in", "0" * 64, digest, end, now) for name in firms]
    connection.executemany("INSERT INTO white_list_opt_in VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO white_list_opt_in_bank VALUES (?, '')", [(name,) for name in firms])
    connection.executemany(
        "INSERT INTO white_list_demand VALUES (?, ?, ?, '', '', 1, ?, ?, 0)",
        [(name, name, "0" * 32, now, end) for name in firms],
    )
    connection.execute("COMMIT")


def test_a_list_is_for_one_bank_and_cannot_be_swapped(listing: Listing) -> None:
    joined(listing)
    with pytest.raises(MessageUnreadable):
        listing.open(OTHER_BANK, listing.make(BANK).parts)


def test_a_part_cut_short_does_not_open(listing: Listing) -> None:
    (part,) = listing.make(BANK).parts
    for damaged in (part[:-8], part[: len(part) // 2], part.replace(".", "", 1)):
        with pytest.raises(MessageUnreadable):
            listing.open(BANK, [damaged])


# --- Hostile documents ------------------------------------------------------------------------------------------------


def test_an_opt_in_held_back_or_replayed_undoes_no_opt_out(listing: Listing) -> None:
    listing.post(ENTERPRISE)
    used, held = listing.opt_in_document(ENTERPRISE), listing.opt_in_document(ENTERPRISE)
    listing.submit(used)
    listing.desk.now += 30
    listing.opt_out(ENTERPRISE)
    assert refused(listing.submit, used) is Reason.NONCE_SPENT
    assert refused(listing.submit, held) is Reason.STATEMENT_SUPERSEDED
    assert listing.read(BANK).members == {}
    listing.desk.now += 1
    listing.opt_in(ENTERPRISE)
    assert listing.read(BANK).members


def test_an_opt_out_holds_whenever_it_arrives(listing: Listing) -> None:
    listing.post(ENTERPRISE)
    early = listing.opt_out_document(ENTERPRISE)
    listing.desk.now += 60
    listing.opt_in(ENTERPRISE)
    listing.submit(early)
    assert listing.read(BANK).members == {}


def test_only_the_enterprise_itself_opts_in(listing: Listing) -> None:
    impostor = Enterprise()
    assert refused(listing.opt_in, impostor) is Reason.SIGNATURE_INVALID
    assert refused(listing.opt_in, firm(8)) is Reason.KEY_NOT_REGISTERED
    assert refused(listing.submit, ENTERPRISE.access(listing.now)) is Reason.DOCUMENT_MALFORMED


def test_an_opt_in_beyond_its_bounds_is_refused(listing: Listing) -> None:
    for changes, reason in (
        ({"notice_hash": "0" * 64}, Reason.NOTICE_MISMATCH),
        ({"scorecard_digest": "0" * 64}, Reason.CATALOGUE_UNKNOWN),
        ({"not_after": listing.now + 367 * DAY_SECONDS}, Reason.DOCUMENT_MALFORMED),
        ({"not_after": listing.now}, Reason.DOCUMENT_MALFORMED),
    ):
        assert refused(listing.opt_in, ENTERPRISE, **changes) is reason
    assert refused(listing.submit, listing.opt_in_document(ENTERPRISE, stamp=stamp(ENTERPRISE.uscc, 0))) in (
        Reason.DOCUMENT_EXPIRED,
        Reason.DOCUMENT_MALFORMED,
    )


def test_a_demand_cannot_be_forged_nor_signed_by_another(listing: Listing) -> None:
    listing.opt_in(ENTERPRISE)
    impostor = Enterprise()
    assert refused(listing.post, impostor) is Reason.SIGNATURE_INVALID
    raw = listing.demand_document(ENTERPRISE, DemandAction.POST)
    head, _, signature = raw.split(".")
    body = listing.demand_document(ENTERPRISE, DemandAction.POST).split(".")[1]
    assert refused(listing.carry, f"{head}.{body}.{signature}") is Reason.SIGNATURE_INVALID
    assert refused(listing.carry, listing.demand_document(ENTERPRISE, DemandAction.READ)) is Reason.REQUEST_INVALID
    assert listing.read(BANK).members == {}


def test_a_demand_that_was_withdrawn_does_not_come_back_under_another_name(listing: Listing) -> None:
    """(r, n - s) for (r, s), and other spare bits of base64: the same demand, with another digest."""
    enterprise = firm(9, "ES256")
    listing.desk.enrol(enterprise)
    listing.matrix = matrix_of({enterprise.uscc: GOOD})
    listing.opt_in(enterprise)
    raw = listing.demand_document(enterprise, DemandAction.POST)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    body, _, encoded = raw.rpartition(".")
    signature = urlsafe_b64decode(encoded + "==")
    twin = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    other = f"{body}.{urlsafe_b64encode(twin).rstrip(b'=').decode()}"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = other[:-1] + alphabet[alphabet.index(other[-1]) ^ 1]
    assert refused(listing.carry, spare) is Reason.SIGNATURE_INVALID
    listing.carry(other)
    assert listing.read(BANK).members
    listing.close(enterprise, demand_id(raw))
    for again in (raw, other):
        listing.carry(again)
    assert listing.read(BANK).members == {}


def test_a_withdrawal_that_overtakes_its_demand_holds(listing: Listing) -> None:
    listing.opt_in(ENTERPRISE)
    raw = listing.demand_document(ENTERPRISE, DemandAction.POST)
    listing.close(ENTERPRISE, demand_id(raw))
    listing.carry(raw)
    assert listing.read(BANK).members == {}


def test_only_the_bank_itself_subscribes_and_the_last_key_counts(listing: Listing) -> None:
    joined(listing)
    stranger = OpeningKey.generate()
    forged = Subscription(stamp(BANK.bank_id, listing.now), stranger.public).sign(OTHER_BANK.key)
    desk = listing.desk
    assert refused(statements.subscribe, desk.connection, desk.trust, forged, desk.now) is Reason.CERTIFICATE_INVALID
    first = listing.read(BANK).head.version
    held = Subscription(stamp(BANK.bank_id, listing.now), stranger.public).sign(BANK.key)
    listing.desk.now += 10
    listing.subscribe(BANK)
    late = refused(statements.subscribe, desk.connection, desk.trust, held, desk.now)
    assert late is Reason.STATEMENT_SUPERSEDED and listing.read(BANK).head.version == first + 1
    listing.desk.now += 10
    listing.unsubscribe(BANK)
    assert refused(listing.make, BANK) is Reason.SUBSCRIPTION_UNKNOWN
    assert refused(listing.make, Bank("bank-c")) is Reason.SUBSCRIPTION_UNKNOWN
