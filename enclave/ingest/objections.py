"""The department's side of objections: what enterprises object to in its categories, and its signed decisions.

It goes straight from the data domain to the department and back; nothing of it passes the platform. Decisions are
written to the authority's database, which the scoring process reads before every charge: they hold from the next one
on.
"""

from collections.abc import Mapping
from typing import Final

from xinyidai.disputes import stage
from xinyidai.identity import TrustAnchor
from xinyidai.reasons import Reason
from xinyidai.v1 import records_pb2

from enclave.authority.deadlines import DeadlineRule
from enclave.authority.disputes import OPEN, Dispute, decide, transfer
from enclave.authority.store import Store
from enclave.authority.trust import Addressee
from enclave.environment import Environment
from enclave.errors import Refused

MAX_PAGE: Final = 200


class DepartmentDesk:
    def __init__(
        self,
        store: Store,
        addressee: Addressee,
        environment: Environment,
        anchor: TrustAnchor,
        departments: Mapping[str, tuple[str, ...]],
        rule: DeadlineRule,
    ) -> None:
        self._store, self._addressee, self._environment = store, addressee, environment
        self._anchor, self._departments, self._rule = anchor, departments, rule

    async def objections(
        self, department: str, *, everything: bool, after: int, count: int
    ) -> tuple[list[records_pb2.ObjectionItem], int]:
        """(a page of objections in the categories a department writes, where to go on or 0); `everything`: decided ones
        too. Raises `Refused`."""
        categories = self._departments.get(department)
        if categories is None:
            raise Refused(Reason.DEPARTMENT_NOT_REGISTERED, "the data holder does not take records of this department")
        now = self._environment.clock()
        own = await self._store.run(transfer, self._environment, categories, now)
        shown = [one for one in own if one.sequence > after and (everything or one.state == OPEN)]
        items = [self._item(one, now) for one in shown[:count]]
        return items, shown[count - 1].sequence if len(shown) > count else 0

    async def decide(self, department: str, raw: str) -> Dispute:
        """Raises `Refused` or `DocumentError`."""
        now = self._environment.clock()
        return await self._store.run(
            decide, self._addressee, self._environment, self._anchor, self._departments, raw, now, department
        )

    def close(self) -> None:
        self._store.close()

    def _item(self, one: Dispute, now: int) -> records_pb2.ObjectionItem:
        decide_by, cap_at = self._rule.decide_by(one.opened_at, one.transferred_at), self._rule.cap_at(one.opened_at)
        return records_pb2.ObjectionItem(
            objection_id=one.objection_id,
            enterprise=one.enterprise,
            category=one.record.category,
            record_id=one.record.record_id,
            kind=one.objection.kind,
            text=one.objection.text,
            evidence=one.objection.evidence,
            state=stage(one.progress, now, decide_by, cap_at),
            opened_at=one.opened_at,
            decide_by=decide_by,
            cap_at=cap_at,
            decided_at=one.decided_at or 0,
            reply=one.reply,
        )
