"""The white list inside the enclave, past the edges: real documents, a real database, a clock of the test's."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from xinyidai.catalogue import builtin_catalogue
from xinyidai.confidential import OpeningKey
from xinyidai.demands import DemandAction, DemandDocument, demand_id
from xinyidai.identifiers import parse_bank_id
from xinyidai.identity import Role
from xinyidai.market import DemandTerms, Guarantee, LoanPurpose
from xinyidai.parties import open_sealed
from xinyidai.purposes import DAY_SECONDS
from xinyidai.whitelist.lists import LIST_TYPE, ListHead, join, parse_part
from xinyidai.whitelist.scorecard import public_scorecard
from xinyidai.whitelist.statements import OptIn, OptOut, Subscription, notice_hash

from enclave.matrix import Matrix, missing_cells
from enclave.whitelist import demands, lists, statements
from enclave.whitelist.lists import ListRules, SealedList
from tests.support.authority import ENCLAVES_CA, Bank, Desk, Enterprise, stamp
from tests.support.parties import uscc_number
from tests.support.town import row_of

CATALOGUE = builtin_catalogue()
SCORECARD = public_scorecard(CATALOGUE)
_IDS = itertools.count()


def firm(number: int, algorithm: str = "Ed25519") -> Enterprise:
    key = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else None
    return Enterprise(uscc_number(number), key=key)


def matrix_of(people: Mapping[str, Mapping[str, float]], name: str = "snapshot-1") -> Matrix:
    """USCC to values; everything else is missing."""
    codes = sorted(people)
    features = len(CATALOGUE.features)
    rows = {id(values): row_of(CATALOGUE, values) for values in {id(v): v for v in people.values()}.values()}
    cells = np.stack([rows[id(people[c])] for c in codes]) if codes else np.zeros((0, features), np.uint16)
    return Matrix(name, "2026-10-31", np.array(codes, "S18"), cells, missing_cells(CATALOGUE))


def demand_terms(now: int, days: int = 7) -> DemandTerms:
    end = now + days * DAY_SECONDS
    return DemandTerms(50_000_000, 12, LoanPurpose.EQUIPMENT, (Guarantee.CREDIT,), "320703", "C", 40, 2, end)


@dataclass(frozen=True, slots=True)
class Opened:
    head: ListHead
    members: dict[str, str]
    """USCC to demand."""
    withdrawn: set[str]


@dataclass
class Listing:
    desk: Desk
    matrix: Matrix
    rules: ListRules = ListRules(standing_days=0)  # noqa: RUF009 (frozen)
    readers: dict[str, OpeningKey] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return self.desk.now

    def opt_in_document(self, enterprise: Enterprise, *banks: str, **changes: Any) -> str:
        draft = OptIn(
            stamp=stamp(enterprise.uscc, self.now),
            enterprise=enterprise.uscc,
            banks=tuple(parse_bank_id(bank) for bank in banks),
            not_after=self.now + 90 * DAY_SECONDS,
            scorecard=SCORECARD.reference,
            scorecard_digest=SCORECARD.digest,
            notice_hash="",
        )
        draft = replace(draft, **changes)
        if "notice_hash" not in changes:
            draft = replace(draft, notice_hash=notice_hash(draft, SCORECARD, CATALOGUE))
        return draft.sign(enterprise.key)

    def opt_out_document(self, enterprise: Enterprise) -> str:
        return OptOut(stamp(enterprise.uscc, self.now), enterprise.uscc).sign(enterprise.key)

    def submit(self, raw: str) -> str:
        return statements.submit_statement(self.desk.connection, self.desk.trust, raw, self.now)

    def opt_in(self, enterprise: Enterprise, *banks: str, **changes: Any) -> str:
        return self.submit(self.opt_in_document(enterprise, *banks, **changes))

    def opt_out(self, enterprise: Enterprise) -> str:
        return self.submit(self.opt_out_document(enterprise))

    def demand_document(self, enterprise: Enterprise, action: DemandAction, **members: Any) -> str:
        if action is DemandAction.POST:
            members.setdefault("terms", demand_terms(self.now))
        document = DemandDocument(stamp(enterprise.uscc, self.now), enterprise.uscc, action, **members)
        return document.sign(enterprise.key)

    def carry(self, raw: str) -> None:
        demands.submit_demand(self.desk.connection, self.desk.trust, raw, self.now)

    def post(self, enterprise: Enterprise, **members: Any) -> str:
        """The demand's id."""
        raw = self.demand_document(enterprise, DemandAction.POST, **members)
        self.carry(raw)
        return demand_id(raw)

    def close(self, enterprise: Enterprise, demand: str) -> None:
        self.carry(self.demand_document(enterprise, DemandAction.WITHDRAW, demand=demand))

    def subscribe(self, bank: Bank) -> None:
        reader = self.readers.setdefault(bank.bank_id, OpeningKey.generate())
        raw = Subscription(stamp(bank.bank_id, self.now), reader.public).sign(bank.key)
        statements.subscribe(self.desk.connection, self.desk.trust, raw, self.now)

    def unsubscribe(self, bank: Bank) -> None:
        raw = Subscription(stamp(bank.bank_id, self.now), None).sign(bank.key)
        statements.subscribe(self.desk.connection, self.desk.trust, raw, self.now)

    def make(self, bank: Bank) -> SealedList:
        return lists.make_list(
            self.desk.connection, self.desk.trust, self.rules, self.matrix, bank.bank_id, self.now,
            lambda: f"{next(_IDS):032x}",
        )  # fmt: skip

    def open(self, bank: Bank, parts: Sequence[str]) -> Opened:
        anchor, at = ENCLAVES_CA.anchor(Role.ENCLAVE), datetime.now(UTC)
        opened = [open_sealed(part, self.readers[bank.bank_id], anchor, LIST_TYPE, at) for part in parts]
        head, members, withdrawn = join([parse_part(claims) for claims in opened])
        return Opened(head, {m.enterprise: m.demand for m in members}, {w.enterprise for w in withdrawn})

    def read(self, bank: Bank) -> Opened:
        """A list made now."""
        return self.open(bank, self.make(bank).parts)

    def told(self, enterprise: Enterprise) -> int:
        """Centibits told of an enterprise besides scores."""
        row = self.desk.connection.execute(
            "SELECT coalesce(sum(centibits), 0) FROM disclosure WHERE enterprise = ?", (enterprise.uscc,)
        )
        found: int = row.fetchone()[0]
        return found
