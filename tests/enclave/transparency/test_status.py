"""Status lists in the enclave: the state of every authorization, at a random place, among decoys."""

import numpy as np
from xinyidai.identity import Role
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.status_list import ENTRIES, Status, status_uri, verify_status_list

from enclave.transparency import status
from tests.support.authority import BANK, ENCLAVE, ENCLAVES_CA, ENTERPRISE, Desk, refused

ANCHOR = ENCLAVES_CA.anchor(Role.ENCLAVE)


def published(desk: Desk, number: int = 1) -> list[Status]:
    raw = status.publish(desk.connection, desk.trust, desk.environment, number, desk.now)
    token = verify_status_list(raw, status_uri(ENCLAVE, number), ANCHOR, desk.now)
    return [token.status(index) for index in range(ENTRIES)]


def place(desk: Desk, digest: str) -> int:
    found = status.place_of(desk.connection, digest)
    assert found is not None and found.number == 1
    return found.index


def test_a_list_follows_every_change_of_state(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    index = place(desk, digest)
    for action, expected in (
        (None, Status.VALID),
        (Action.PAUSE, Status.SUSPENDED),
        (Action.RESUME, Status.VALID),
        (Action.REVOKE, Status.INVALID),
    ):
        if action is not None:
            desk.state(ENTERPRISE, action, digest)
        assert published(desk)[index] is expected


def test_a_place_is_random_kept_and_nobody_elses(desk: Desk) -> None:
    terms = [ENTERPRISE.terms(BANK, desk.now) for _ in range(40)]
    tokens = [grant.sign(ENTERPRISE.key) for grant in terms]
    places = [desk.submit_token(token).place for token in tokens]
    assert places == [desk.submit_token(token).place for token in tokens]
    indices = [found.index for found in places if found]
    assert len(set(indices)) == 40 and sorted(indices) != indices
    assert set(published(desk)) == {Status.VALID}, "no decoy has ended yet"


def test_decoys_end_over_the_years_and_hide_how_many_were_revoked(desk: Desk) -> None:
    desk.grant(ENTERPRISE, BANK)
    (made_at,) = desk.connection.execute("SELECT made_at FROM status_list").fetchone()

    def ended(years: float) -> int:
        now = made_at + int(years * 365 * DAY_SECONDS)
        return int(np.sum(status._ended_decoys(desk.connection, desk.environment, 1, now)))

    assert ended(0) < ENTRIES * 0.001
    assert ENTRIES * 0.08 < ended(1) < ENTRIES * 0.12
    assert ended(10) == ENTRIES


def test_a_new_authorization_takes_no_place_whose_decoy_has_ended(desk: Desk) -> None:
    desk.grant(ENTERPRISE, BANK)
    desk.now += 360 * DAY_SECONDS
    over = status._ended_decoys(desk.connection, desk.environment, 1, desk.now)
    for _ in range(30):
        assert not over[place(desk, desk.grant(ENTERPRISE, BANK))]


def test_a_list_a_year_old_takes_nobody_new(desk: Desk) -> None:
    desk.grant(ENTERPRISE, BANK)
    desk.now += 366 * DAY_SECONDS
    found = status.place_of(desk.connection, desk.grant(ENTERPRISE, BANK))
    assert found is not None and found.number == 2


def test_there_is_no_list_nobody_is_in(desk: Desk) -> None:
    assert refused(published, desk) is Reason.ENTRY_UNKNOWN
