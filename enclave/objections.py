"""What an enterprise reads of its objections, and what the platform is told of them: that they are there, and how
far."""

import json
from dataclasses import dataclass
from typing import Final

from xinyidai.disputes import MAX_LISTED, ObjectionEntry, ObjectionsAnswer, ObjectionsRequest, RuleName, stage

from enclave.authority.deadlines import DeadlineRule
from enclave.authority.disputes import Dispute, changed_after, disputes
from enclave.authority.store import Store
from enclave.authority.trust import Trust
from enclave.environment import Environment

_LIST_BYTES: Final = 40_000
"""What the list may take of a document, in which everything else is short."""
_DECIDED: Final = "decided"


@dataclass(frozen=True, slots=True)
class ObjectionProgress:
    """Nothing of the record, and not the outcome either: an objection that was upheld says that there was a record."""

    objection_id: str
    enterprise: str
    state: str
    """marked, transferred, decided or withdrawn."""
    opened_at: int
    transferred_at: int
    """0: not yet; likewise below."""
    decide_by: int
    cap_at: int
    decided_at: int
    change: int


class ObjectionDesk:
    def __init__(self, store: Store, trust: Trust, environment: Environment, rule: DeadlineRule) -> None:
        self._store, self._trust, self._environment, self._rule = store, trust, environment, rule

    async def answer(self, request: ObjectionsRequest) -> str:
        """Both sides of every objection, sealed for who asked, newest first, as many as fit."""
        known = await self._store.run(disputes, self._environment, request.enterprise)
        now = self._environment.clock()
        entries: list[ObjectionEntry] = []
        room = _LIST_BYTES
        for one in reversed(known):
            entry = self._entry(one, now)
            room -= len(json.dumps(entry.claims(), ensure_ascii=False).encode())
            if room < 0 or len(entries) == MAX_LISTED:
                break
            entries.append(entry)
        rule = RuleName(self._rule.code, self._rule.zh, self._rule.en)
        answer = ObjectionsAnswer(
            self._trust.enclave_id, request.enterprise, request.stamp.nonce, now, len(known), rule, tuple(entries)
        )
        return answer.seal(self._trust.receipt_key, request.reader)

    async def progress_after(self, change: int, count: int) -> list[ObjectionProgress]:
        """Of objections that changed after a change number, in the order of their changes."""
        found = await self._store.run(changed_after, self._environment, change, count)
        return [self._progress(one) for one in found]

    async def progress_of(self, enterprise: str) -> list[ObjectionProgress]:
        """Of one enterprise's, newest first."""
        found = await self._store.run(disputes, self._environment, enterprise)
        return [self._progress(one) for one in reversed(found) if not one.noticed]

    def _entry(self, one: Dispute, now: int) -> ObjectionEntry:
        decide_by, cap_at = self._rule.decide_by(one.opened_at, one.transferred_at), self._rule.cap_at(one.opened_at)
        return ObjectionEntry(
            one.objection_id,
            one.objection,
            stage(one.progress, now, decide_by, cap_at),
            one.opened_at,
            one.transferred_at or 0,
            decide_by,
            cap_at,
            one.decided_at or 0,
            one.reply,
        )

    def _progress(self, one: Dispute) -> ObjectionProgress:
        known = one.progress in ("marked", "transferred", "withdrawn")
        return ObjectionProgress(
            one.objection_id,
            one.enterprise,
            one.progress if known else _DECIDED,
            one.opened_at,
            one.transferred_at or 0,
            self._rule.decide_by(one.opened_at, one.transferred_at),
            self._rule.cap_at(one.opened_at),
            one.decided_at or 0,
            one.change,
        )
