"""The white list against a simple model of it: after any sequence, with crashes in between, each list holds exactly
those whose opt-in, demand and standing hold; nobody who left; and the ledger what was told."""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from xinyidai.purposes import DAY_SECONDS
from xinyidai.statements import Action

from enclave.authority.store import _open
from enclave.matrix import Matrix
from tests.support.authority import BANK, OTHER_BANK, Bank, Desk
from tests.support.listing import Listing, demand_terms, firm, matrix_of
from tests.support.town import GOOD, POOR

FIRMS = tuple(firm(number) for number in range(3))
BANKS = (BANK, OTHER_BANK)
NUMBERS = st.sampled_from(range(len(FIRMS)))


class PowerCut(Exception):
    pass


class Dying:
    """A snapshot whose reading is the last thing that happens."""

    def __init__(self, matrix: Matrix) -> None:
        self.snapshot_id, self.as_of, self.accounted = f"{matrix.snapshot_id} again", matrix.as_of, matrix.accounted

    def row(self, enterprise: str) -> None:
        raise PowerCut


class ListMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "authority.sqlite"
        self.desk = Desk(_open(self.path))
        self.good = [True, True, False]
        self.snapshot = 1
        self.listing = Listing(self.desk, matrix_of({}))
        self.load()
        self.opted: list[tuple[set[str], int] | None] = [None] * len(FIRMS)
        self.held: list[list[str]] = [[] for _ in FIRMS]
        self.demands: list[dict[str, int]] = [{} for _ in FIRMS]
        self.told: dict[tuple[int, str], tuple[int, bool]] = {}
        self.charged: dict[tuple[int, str], int] = {}
        self.versions: dict[str, int] = {}
        for each in FIRMS:
            self.desk.enrol(each)
        for bank in BANKS:
            self.listing.subscribe(bank)
        for number in range(len(FIRMS)):
            self.opt_in(number, ())
            self.post(number)

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.connection.close()
            self.folder.cleanup()

    def load(self) -> None:
        people = {str(FIRMS[i].uscc): GOOD if self.good[i] else POOR for i in range(len(FIRMS))}
        self.listing.matrix = matrix_of(people, f"snapshot-{self.snapshot}")

    @rule(number=NUMBERS, banks=st.sampled_from([(), ("bank-a",), ("bank-a", "bank-b")]))
    def opt_in(self, number: int, banks: tuple[str, ...]) -> None:
        self.desk.now += 1
        self.held[number].append(self.listing.opt_in_document(FIRMS[number]))
        self.desk.now += 1
        self.listing.opt_in(FIRMS[number], *banks)
        named = set(banks) or {bank.bank_id for bank in BANKS}
        self.opted[number] = (named, self.desk.now + 90 * DAY_SECONDS)

    @rule(number=NUMBERS)
    def opt_out(self, number: int) -> None:
        self.desk.now += 1
        self.listing.opt_out(FIRMS[number])
        self.opted[number] = None

    @rule(number=NUMBERS)
    def a_platform_brings_what_it_held_back(self, number: int) -> None:
        for raw in self.held[number]:
            try:
                self.listing.submit(raw)
            except Exception as error:
                assert getattr(error, "reason", None) is not None
            else:
                raise AssertionError("an old opt-in was taken")

    @rule(number=NUMBERS)
    def post(self, number: int) -> None:
        name = self.listing.post(FIRMS[number], terms=demand_terms(self.desk.now, 30))
        self.demands[number][name] = self.desk.now + 30 * DAY_SECONDS

    @rule(number=NUMBERS, data=st.data())
    def withdraw(self, number: int, data: st.DataObject) -> None:
        if names := sorted(self.demands[number]):
            name = data.draw(st.sampled_from(names))
            self.listing.close(FIRMS[number], name)
            del self.demands[number][name]

    @rule(days=st.sampled_from([1, 5, 40]))
    def wait(self, days: int) -> None:
        self.desk.now += days * DAY_SECONDS

    @rule(number=NUMBERS)
    def load_another_snapshot(self, number: int) -> None:
        self.good[number] = not self.good[number]
        self.snapshot += 1
        self.load()

    @rule(number=NUMBERS, centibits=st.sampled_from([0, 100, 300, 3_200]))
    def set_budget(self, number: int, centibits: int) -> None:
        self.desk.now += 1
        self.desk.state(FIRMS[number], Action.SET_BUDGET, bank="bank-a", centibits=centibits)
        self.budget = getattr(self, "budget", {}) | {number: centibits}

    @rule()
    def crash(self) -> None:
        """The process dies; what was answered is on disk."""
        self.desk.connection.close()
        self.desk.connection = _open(self.path)

    @rule(bank=st.sampled_from(BANKS))
    def a_crash_while_a_list_is_made_leaves_nothing(self, bank: Bank) -> None:
        charges, matrix = self._charges(), self.listing.matrix
        self.listing.matrix = Dying(matrix)  # type: ignore[assignment]
        with suppress(PowerCut):
            self.listing.make(bank)
            self.listing.read(bank)
        self.listing.matrix = matrix
        assert self._charges() == charges

    @rule(bank=st.sampled_from(BANKS))
    def make(self, bank: Bank) -> None:
        found = self.listing.read(bank)
        expected = {FIRMS[i].uscc for i in range(len(FIRMS)) if self._expected(i, bank.bank_id)}
        assert set(found.members) == expected
        gone = {FIRMS[i].uscc for i in range(len(FIRMS)) if not self._opted(i, bank.bank_id)}
        assert found.withdrawn <= gone
        assert found.head.version > self.versions.get(bank.bank_id, 0)
        self.versions[bank.bank_id] = found.head.version

    @rule(number=NUMBERS)
    def another_snapshot_for_both_banks(self, number: int) -> None:
        self.load_another_snapshot(number)
        for bank in BANKS:
            self.make(bank)

    def _opted(self, number: int, bank: str) -> bool:
        opted = self.opted[number]
        return opted is not None and bank in opted[0] and opted[1] > self.desk.now

    def _expected(self, number: int, bank: str) -> bool:
        """Whether it is listed; notes what is told and charged on the way."""
        open_demand = any(end > self.desk.now for end in self.demands[number].values())
        if not self._opted(number, bank) or not open_demand:
            return False
        key = (number, bank)
        known = self.told.get(key)
        if known is None or known[0] != self.snapshot:
            limit = getattr(self, "budget", {}).get(number, 3_200) if bank == "bank-a" else 3_200
            if self.charged.get(key, 0) + 100 > limit or self._total(number) + 100 > 12_800:
                return False
            self.charged[key] = self.charged.get(key, 0) + 100
            self.told[key] = (self.snapshot, self.good[number])
        return self.told[key][1]

    def _total(self, number: int) -> int:
        return sum(spent for (firm_number, _), spent in self.charged.items() if firm_number == number)

    def _charges(self) -> int:
        found: int = self.desk.connection.execute("SELECT count(*) FROM disclosure").fetchone()[0]
        return found

    @invariant()
    def the_ledger_has_what_was_told(self) -> None:
        if hasattr(self, "charged"):
            for number, each in enumerate(FIRMS):
                assert self.listing.told(each) == self._total(number)


TestListMachine = ListMachine.TestCase
TestListMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
