"""One batch into the vault: read, check, align, and commit all of it or nothing."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.batches import BatchHeader
from xinyidai.catalogue import Catalogue
from xinyidai.reasons import Reason

from enclave.errors import Refused
from enclave.records.intake.checks import Checked, Checker
from enclave.records.intake.duplicates import find_repeated
from enclave.records.intake.identity import LINK_SCHEMA, Links, links_of
from enclave.records.intake.wire import ContentError, read_content
from enclave.records.schema import columns_of
from enclave.records.vault import Batch, CategoryDestroyed, Fault, SegmentKind, Transaction, Vault
from enclave.records.vault.segments import BATCH_COLUMN, SegmentWriter

SLICE_ROWS: Final = 131_072
_WRITERS: Final = 2
"""Threads that check and write, each a segment of its own; Arrow lets the interpreter go while it works."""


def known_batch(vault: Vault, header: BatchHeader) -> Batch | None:
    """The batch if it was committed. Raises `Refused` when its id was used for something else."""
    return _known(vault.manifest().batch(header.department, header.batch), header)


def _known(found: Batch | None, header: BatchHeader) -> Batch | None:
    if found is not None and (found.digest, found.category) != (header.digest, header.category):
        raise Refused(Reason.BATCH_CONFLICT, "this batch id was committed with another content; use a new id")
    return found


def take_batch(vault: Vault, catalogue: Catalogue, header: BatchHeader, content: Any) -> Batch:
    """Store a batch whose signature, size and digest were checked. The same batch again changes nothing.

    `content`: a `pyarrow.Buffer`. Raises `Refused`; nothing is stored then.
    """
    fields = columns_of(catalogue, catalogue.category(header.category))
    try:
        with vault.transaction("take batch") as changes:
            known = _known(changes.manifest.batch(header.department, header.batch), header)
            if known is not None:
                return known
            table = read_content(content, header.format, header.rows, fields)
            checker = Checker(header.category, fields, vault.now())
            batch = _Intake(changes, header, checker, table, vault.now()).run()
            changes.put_batch(batch)
        return batch
    except ContentError as error:
        raise Refused(Reason.BATCH_CONTENT, str(error)) from None
    except pa.ArrowException:
        raise Refused(Reason.BATCH_CONTENT, "the content breaks the rules of its format; export it again") from None
    except CategoryDestroyed as error:
        raise Refused(Reason.CATEGORY_DESTROYED, str(error)) from None


@dataclass(slots=True)
class _Found:
    """What one thread made of its slices."""

    taken: int
    faults: Counter[tuple[str, str]]
    keyed: list[pa.Table]
    quarantined: list[pa.Table]
    links: list[pa.Table]


class _Intake:
    def __init__(self, changes: Transaction, header: BatchHeader, checker: Checker, table: pa.Table, now: int) -> None:
        self._changes, self._header, self._checker, self._table = changes, header, checker, table
        self._now = now
        self._sequence = changes.next_sequence()

    def run(self) -> Batch:
        repeated = find_repeated(self._table)
        copies, conflicts = (_marked(rows, self._table.num_rows) for rows in (repeated.copies, repeated.conflicts))
        found = self._check_all(conflicts, copies)
        keyed = pa.concat_tables([self._checker.stored.empty_table(), *(t for one in found for t in one.keyed)])
        faults: Counter[tuple[str, str]] = sum((one.faults for one in found), Counter())
        self._write(SegmentKind.QUARANTINED, self._checker.quarantine, [t for one in found for t in one.quarantined])
        matched, waiting = self._align([t for one in found for t in one.links], keyed)
        self._write(SegmentKind.TAKEN, self._checker.stored, [matched])
        self._write(SegmentKind.WAITING, self._checker.stored, [waiting])
        return Batch(
            sequence=self._sequence,
            department=self._header.department,
            batch=self._header.batch,
            category=self._header.category,
            digest=self._header.digest,
            rows=self._table.num_rows,
            taken=sum(one.taken for one in found) + matched.num_rows,
            duplicated=len(repeated.copies),
            waiting=waiting.num_rows,
            faults=tuple(Fault(fault, column, rows) for (fault, column), rows in sorted(faults.items())),
            committed_at=self._now,
        )

    def _check_all(self, conflicts: NDArray[np.bool_], copies: NDArray[np.bool_]) -> list[_Found]:
        starts = range(0, self._table.num_rows, SLICE_ROWS)
        halves = [part for part in np.array_split(np.array(starts, np.int64), _WRITERS) if part.size]
        with ExitStack() as stack, ThreadPoolExecutor(_WRITERS) as pool:
            writers = [
                stack.enter_context(
                    self._changes.new_segment(self._header.category, SegmentKind.TAKEN, self._checker.stored)
                )
                for _ in halves
            ]
            work = [
                pool.submit(self._check_half, half, w, conflicts, copies)
                for half, w in zip(halves, writers, strict=True)
            ]
            return [one.result() for one in work]

    def _check_half(
        self, starts: NDArray[np.int64], writer: SegmentWriter, conflicts: NDArray[np.bool_], copies: NDArray[np.bool_]
    ) -> _Found:
        found = _Found(0, Counter(), [], [], [])
        for checked in self._slices(starts, conflicts, copies):
            writer.write(checked.good)
            found.taken += checked.good.num_rows
            found.faults.update(checked.faults)
            found.links.append(links_of(self._header.category, checked.good))
            if checked.keyed.num_rows:
                found.keyed.append(checked.keyed)
            if checked.quarantined.num_rows:
                found.quarantined.append(checked.quarantined)
        return found

    def _slices(
        self, starts: NDArray[np.int64], conflicts: NDArray[np.bool_], copies: NDArray[np.bool_]
    ) -> Iterator[Checked]:
        for start in starts.tolist():
            end = start + SLICE_ROWS
            yield self._checker.check(
                self._table.slice(start, SLICE_ROWS), self._sequence, conflicts[start:end], copies[start:end]
            )

    def _write(self, kind: SegmentKind, schema: pa.Schema, tables: list[pa.Table]) -> None:
        if sum(table.num_rows for table in tables):
            with self._changes.new_segment(self._header.category, kind, schema) as writer:
                for table in tables:
                    writer.write(table)

    def _align(self, given: list[pa.Table], keyed: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Keep what the batch says of who is who, match its own keyed rows and, when it said anything new, the rows
        that wait in any category. Returns the batch's (matched, waiting)."""
        pairs = pa.concat_tables([LINK_SCHEMA.empty_table(), *given])
        if not pairs.num_rows and not keyed.num_rows:
            return keyed, keyed
        segments = self._changes.live(SegmentKind.LINKS)
        stored = [table for one in segments if (table := self._changes.read([one])) is not None]
        links = Links(pa.concat_tables([LINK_SCHEMA.empty_table(), *stored]))
        new = links.unknown(pairs.group_by(["key", "uscc"]).aggregate([]).select(["key", "uscc"]))
        if new.num_rows:
            self._write(SegmentKind.LINKS, LINK_SCHEMA, [new])
            links = Links(pa.concat_tables([*stored, new]))
            for segment in self._changes.live(SegmentKind.WAITING):
                self._match_waiting(segment, links)
        return _matched(keyed, links)

    def _match_waiting(self, segment: Any, links: Links) -> None:
        rows = self._changes.read([segment])
        matched, waiting = _matched(rows, links)
        if not matched.num_rows:
            return
        self._changes.remove(segment)
        for kind, part in ((SegmentKind.TAKEN, matched), (SegmentKind.WAITING, waiting)):
            with self._changes.new_segment(segment.category, kind, part.schema) as writer:
                writer.write(part)
        for count in pc.value_counts(matched.column(BATCH_COLUMN)).to_pylist():
            earlier = self._changes.batch_of_sequence(count["values"])
            moved = int(count["counts"])
            self._changes.put_batch(replace(earlier, taken=earlier.taken + moved, waiting=earlier.waiting - moved))


def _matched(rows: pa.Table, links: Links) -> tuple[pa.Table, pa.Table]:
    """(rows with the USCC their key is linked to, rows that still wait)."""
    usccs = links.match(rows.column("uscc").combine_chunks())
    known = pc.is_valid(usccs)
    named = rows.set_column(rows.column_names.index("uscc"), "uscc", usccs)
    return named.filter(known), rows.filter(pc.invert(known))


def _marked(rows: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    marked = np.zeros(count, np.bool_)
    marked[rows] = True
    return marked
