"""Whatever banks, enterprises and operators do with loans and their risk, in whatever order, with crashes in between:
no fen is made or lost, and nothing is in an undefined state.

The long campaign (XYD_CAMPAIGN=long) takes ten thousand steps.
"""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlmodel import Session
from xinyidai.loans import RiskClass

from server.db import Database, migrate
from server.errors import Refused
from tests.support.lending import SCHEME, Lending
from tests.support.market import RULES, Market

LONG = os.environ.get("XYD_CAMPAIGN") == "long"
PARTIES = ("guarantor", "province", "national")
FEN = st.integers(1, 120_000_000)
_MEMORY = Path("/dev/shm")


class Crash(Exception):
    """The power fails before the commit."""


class CrashingLending(Lending):
    """Every transaction may die at its end."""

    crashes = False

    def do(self, work: Callable[[Session], Any]) -> Any:
        def dies(session: Session) -> Any:
            done = work(session)
            if self.crashes:
                raise Crash
            return done

        return super().do(dies)


class AnyOrder(RuleBasedStateMachine):
    loans = Bundle("loans")

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a folder: what is tested is the order of things, not the disk.
        self._folder = TemporaryDirectory(prefix="xyd-risk-", dir=_MEMORY if _MEMORY.is_dir() else None)
        url = f"sqlite:///{Path(self._folder.name) / 'server.sqlite'}"
        migrate(url)
        self._lending = CrashingLending(Market(Database(url), RULES))

    @initialize()
    def begin(self) -> None:
        self._lending.publish(SCHEME.replace("least_filed_fen = 300_000_000", "least_filed_fen = 100_000_000"))

    def _try(self, crashes: bool, work: Callable[[], Any]) -> None:
        """What is refused, or crashes, leaves everything as it was."""
        before = self._lending.everything()
        self._lending.crashes = crashes
        try:
            work()
        except (Refused, Crash):
            assert self._lending.everything() == before
        finally:
            self._lending.crashes = False

    @rule(target=loans, enterprise=st.integers(0, 2), number=st.integers(1, 2), fen=FEN, filed=st.booleans())
    def lend(self, enterprise: int, number: int, fen: int, filed: bool) -> Any:
        loan = self._lending.lend(enterprise, number, fen=fen), number
        if filed:
            self._try(False, lambda: self._lending.file(*loan))
        return loan

    @rule(enterprise=st.integers(0, 2), crashes=st.booleans())
    def cancel(self, enterprise: int, crashes: bool) -> None:
        demand = self._lending.won(enterprise, 1)
        self._try(crashes, lambda: self._lending.register(demand))

    @rule(loan=loans, part=st.integers(1, 4), interest=st.integers(0, 10**6), crashes=st.booleans())
    def repay(self, loan: tuple[str, int], part: int, interest: int, crashes: bool) -> None:
        left = self._lending.loan(loan[0]).principal_left_fen
        self._try(crashes, lambda: self._lending.repay(loan[0], -(-left // part), interest, loan[1]))

    @rule(loan=loans, found=st.sampled_from(RiskClass), crashes=st.booleans())
    def classify(self, loan: tuple[str, int], found: RiskClass, crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.classify(loan[0], found, loan[1]))

    @rule(loan=loans, crashes=st.booleans())
    def file(self, loan: tuple[str, int], crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.file(*loan))

    @rule(loan=loans, crashes=st.booleans())
    def claim(self, loan: tuple[str, int], crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.claim(*loan))

    @rule(loan=loans, crashes=st.booleans())
    def goes_bad_and_is_claimed(self, loan: tuple[str, int], crashes: bool) -> None:
        self._try(False, lambda: self._lending.classify(loan[0], RiskClass.LOSS, loan[1]))
        self._try(crashes, lambda: self._lending.claim(*loan))

    @rule(loan=loans, crashes=st.booleans())
    def approve(self, loan: tuple[str, int], crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.approve(loan[0]))

    @rule(loan=loans, crashes=st.booleans())
    def reject(self, loan: tuple[str, int], crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.reject(loan[0]))

    @rule(loan=loans, by=st.sampled_from(["Zhao", "Qian"]), crashes=st.booleans())
    def pay(self, loan: tuple[str, int], by: str, crashes: bool) -> None:
        self._try(False, lambda: self._lending.approve(loan[0]))
        self._try(crashes, lambda: self._lending.pay(loan[0], by))

    @rule(loan=loans, fen=FEN, crashes=st.booleans())
    def recover(self, loan: tuple[str, int], fen: int, crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.recover(loan[0], fen, loan[1]))

    @rule(loan=loans, crashes=st.booleans())
    def recover_all(self, loan: tuple[str, int], crashes: bool) -> None:
        def work() -> None:
            filing = self._lending.filing_or_none(loan[0])
            left = filing.claimed_fen - filing.recovered_fen if filing else 1
            self._lending.recover(loan[0], left, loan[1])

        self._try(crashes, work)

    @rule(loan=consumes(loans))
    def write_off(self, loan: tuple[str, int]) -> None:
        self._try(False, lambda: self._lending.write_off(loan[0]))

    @rule(party=st.sampled_from(PARTIES), fen=st.integers(1, 10**8), reference=st.integers(0, 5), crashes=st.booleans())
    def contribute(self, party: str, fen: int, reference: int, crashes: bool) -> None:
        self._try(crashes, lambda: self._lending.contribute(party, fen, str(reference)))

    @rule(holder=st.sampled_from(["", "bank-1", "bank-2"]))
    def resume(self, holder: str) -> None:
        self._try(False, lambda: self._lending.resume(holder))

    @rule(target=loans, days=st.sampled_from([1, 5, 31, 95]))
    def time_passes(self, days: int) -> Any:
        self._lending.pass_days(days)
        return multiple()

    @invariant()
    def defined(self) -> None:
        self._lending.check()

    def teardown(self) -> None:
        self._lending.market.database.close()
        self._folder.cleanup()


AnyOrder.TestCase.settings = settings(
    deadline=None,
    max_examples=200 if LONG else 4,
    stateful_step_count=50 if LONG else 25,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = AnyOrder.TestCase
