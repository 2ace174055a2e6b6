"""Read the runs and steps of a thread as they were at an earlier version."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Final

from msgspec.structs import replace

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import RunRow, StepRow, ThreadRow, TouchRow
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.conversation.state import FoldedThread
from eventstore.core import ids
from eventstore.core.events import StreamKey, Trace
from eventstore.storage.traces import traces_back
from eventstore.threads import folding
from eventstore.threads.past_moves import BORN, moves
from eventstore.threads.stored_thread import StoredThread

__all__ = ["PastRuns"]

_RUNS: Final = 8
"""Runs that are read at a time, to check whether one was open."""


class PastRuns(StoredThread):
    """The floor of ``PastThread`` about runs. In a run's row ``steps`` shows nothing."""

    _as_of: int

    @cached_property
    def folded(self) -> FoldedView:
        """The state that the events give."""
        tenant, thread = self.tenant_name, self.thread_id
        return folding.fold_thread(self._tx, self._log, tenant, thread, until=self._as_of)

    def few_touches(self, subject_id: bytes) -> list[int] | None:
        """Return the versions of events about a thing until then; None if there are many."""
        where = "subject = ? AND version <= ? ORDER BY version LIMIT ?"
        most = folding.EVENTS_MAX
        found = self._find(TouchRow, where, (subject_id, self._as_of, most + 1))
        return [row.version for row in found] if len(found) <= most else None

    def _back(self) -> Iterator[Trace]:
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        return traces_back(self._tx, self._log, stream, until=self._as_of)

    def _was_busy(self) -> bool:
        """Return whether a run was open, going back from the last one created.

        Runs start in the order of their creation, so runs created before one that started and ended
        had ended, too.
        """
        before = self._as_of + 1
        while before:
            where = f"version < ? ORDER BY version DESC LIMIT {_RUNS}"
            found: list[RunRow] = self._find(RunRow, where, (before,))
            for row in found:
                run = self._run_as_it_was(row)
                if run.status not in TERMINAL:
                    return True
                if run.started:
                    return False
            before = found[-1].version if len(found) == _RUNS else 0
        return False

    def run_then(self, row: RunRow) -> RunRow | None:
        """Return a run as it was."""
        if row.version > self._as_of:
            return None
        run = self._run_as_it_was(row)
        if row.last_message is None or self.message(row.last_message) is not None:
            return replace(run, last_message=row.last_message if run.started else None)
        return replace(run, last_message=self._last_message_of(run))

    def lease_of(self, _: bytes) -> None:
        """Return None: no event tells until when a run was held."""

    def _run_as_it_was(self, row: RunRow) -> RunRow:
        """Return a run's earlier row, except its last message, which no touch records."""
        if row.changed <= self._as_of:
            return row
        few = self.few_touches(row.run_id)
        if few is None:
            return self.folded.row(RunRow, row.run_id) or row
        alone = ThreadRow(self.thread_id, 0, 0, 0, 0)
        draft = ThreadDraft(FoldedThread(self.thread_id, alone))
        for version in (row.version, *few):
            draft.take(self.event(version))
        return draft.row(RunRow, row.run_id) or row

    def _last_message_of(self, run: RunRow) -> bytes | None:
        """Return the last message that a run had written, or the message it had started on."""
        if not run.started:
            return None
        for trace in islice(self._back(), folding.EVENTS_MAX):
            if trace.version <= run.version:
                return run.started_head
            if trace.type in BORN and moves(trace.data, run.run_id):
                message_id: bytes = trace.data.message_id
                return message_id
        row = self.folded.row(RunRow, run.run_id)
        return run.started_head if row is None else row.last_message

    def step_then(self, row: StepRow) -> StepRow | None:
        """Return a step as it was."""
        if row.version > self._as_of:
            return None
        return row if self.touches_of(row.step_id) else replace(row, status="in_progress")
