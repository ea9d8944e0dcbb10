"""Leaving while lists are being made, on the enclave's own threads: no list asked for after an opt-out returned, and
none with a later version than one of these, has the enterprise."""

import asyncio
import time
from pathlib import Path

from enclave.authority.store import Store, _open
from enclave.outreach import Outreach
from enclave.whitelist.lists import ListRules, SealedList
from tests.support.authority import BANK, Desk, _machine
from tests.support.listing import Listing, firm, matrix_of
from tests.support.town import GOOD

FIRMS = 8
AT_ONCE = 3


async def test_no_list_made_after_an_opt_out_returned_has_the_enterprise(tmp_path: Path) -> None:
    path = tmp_path / "authority.sqlite"
    firms = [firm(number) for number in range(FIRMS)]
    matrix = matrix_of({each.uscc: GOOD for each in firms})
    desk = Desk(_open(path), now=int(time.time()))
    listing = Listing(desk, matrix)
    listing.subscribe(BANK)
    for each in firms:
        desk.enrol(each)
        listing.opt_in(each)
        listing.post(each)
    assert len(listing.read(BANK).members) == FIRMS
    desk.now += 1  # an opt-out may be as old as the opt-in
    leaving = {str(each.uscc): listing.opt_out_document(each) for each in firms}
    desk.connection.close()

    store, (environment, _) = Store(path), _machine()
    outreach = Outreach(desk.trust, store, environment, lambda: matrix, ListRules())
    before: dict[str, list[asyncio.Task[SealedList]]] = {}
    after: dict[str, list[asyncio.Task[SealedList]]] = {}

    def make() -> list[asyncio.Task[SealedList]]:
        return [asyncio.create_task(outreach.make_list(BANK.bank_id)) for _ in range(AT_ONCE)]

    async def leave(enterprise: str) -> None:
        before[enterprise] = make()
        await outreach.submit_statement(leaving[enterprise])
        after[enterprise] = make()

    await asyncio.gather(*(leave(each.uscc) for each in firms))
    made = [await task for tasks in (*before.values(), *after.values()) for task in tasks]
    opened = [listing.open(BANK, entry.parts) for entry in made]
    assert len({found.head.version for found in opened}) == len(made) == 2 * AT_ONCE * FIRMS
    for enterprise, tasks in after.items():
        first = min([task.result().version for task in tasks])
        assert all(enterprise not in found.members for found in opened if found.head.version >= first)
    assert listing.open(BANK, (await outreach.make_list(BANK.bank_id)).parts).members == {}
    store.close()
