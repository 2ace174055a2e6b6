"""Runs of a thread: one at a time, and the messages that wait until they end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eventstore.testing.oracle.tree import OracleTree
from eventstore.testing.oracle.values import (
    LEGAL_MOVES,
    TERMINAL,
    NewId,
    OracleMessage,
    OracleRun,
    OracleSight,
    Refusal,
    Words,
)

__all__ = ["OracleRuns"]

_EVENT_OF_END: Final = {
    "completed": "RunCompleted",
    "incomplete": "RunIncomplete",
    "failed": "RunFailed",
    "cancelled": "RunCancelled",
    "expired": "RunExpired",
}

HELD: Final = frozenset({"in_progress", "cancelling"})


class OracleRuns(OracleTree):
    """A thread with runs."""

    def queue(self) -> list[str]:
        """Return the messages that wait, in the order they were sent."""
        waiting = [one for one in self.messages.values() if one.queued is not None]
        return [one.id for one in sorted(waiting, key=_sent) if not one.removed]

    def open_runs(self) -> list[OracleRun]:
        """Return the runs that have not ended, in the order they were sent."""
        return [run for run in self.runs.values() if run.status not in TERMINAL]

    def _run(self, run_id: str) -> OracleRun:
        self.check_living()
        if run_id not in self.runs:
            raise Refusal("RunNotFound")
        return self.runs[run_id]

    def _held(self, run_id: str, fence: int | None) -> OracleRun:
        run = self._run(run_id)
        run.check_fence(fence)
        return run

    def _writing(self, run_id: str, fence: int | None) -> OracleRun:
        if run_id not in self.runs:
            raise Refusal("RunNotFound")
        run = self.runs[run_id]
        run.check_fence(fence)
        if run.status not in {"in_progress", "cancelling"}:
            raise Refusal("run_not_in_progress")
        return run

    # -- runs ----------------------------------------------------------------------------------

    def create_run(self, run_id: str, regenerates: str | None, on_busy: str, fresh: NewId) -> None:
        """Queue a run."""
        self._writable()
        self._require(run_id not in self.runs, "InvalidInput")
        if regenerates is not None:
            self._require(self._placed(regenerates).role == "assistant", "not_an_answer")
        if self.open_runs() and on_busy != "enqueue":
            self._require(on_busy != "reject", "thread_busy")
            self._make_way(on_busy, fresh)
        self._event("RunQueued", run_id)
        self.runs[run_id] = OracleRun(run_id, self.version, regenerates)

    def start_run(
        self,
        run_id: str,
        fresh: NewId,
        *,
        holder: str | None = None,
        take_over: bool = False,
        fence: int | None = None,
    ) -> None:
        """Start a run or continue it; ``fresh`` gives ids of results that close calls."""
        self._writable()
        run = self._run(run_id)
        if fence is not None:
            run.check_fence(fence)
        if take_over and run.status in HELD:
            self._event("RunTakenOver")
            run.held_by(holder, self.version)
            run.taken_over = True
            return
        self._check_move(run, "in_progress")
        self._require(self.open_runs()[0] is run, "not_its_turn")
        if not run.started:
            if run.regenerates is not None:
                above = self._placed(run.regenerates).parent
                if above != self.head:
                    self._move_head(above)
                    self._event("BranchSelected")
            self._close_calls(self.head, fresh)
            run.started, run.started_head, run.last_message = True, self.head, self.head
        run.status = "in_progress"
        self._event("RunStarted")
        run.held_by(holder, self.version)

    def keep_run(self, run_id: str, fence: int) -> None:
        """Renew the lease on a run, which leaves no trace."""
        run = self._held(run_id, fence)
        self._require(run.status not in TERMINAL, "run_ended")
        self._require(run.status in HELD, "run_not_in_progress")

    def require_action(
        self, run_id: str, calls: Sequence[str] | None, fence: int | None = None
    ) -> None:
        """Let a run wait for tool outputs."""
        run = self._held(run_id, fence)
        there = self.open_calls(run.last_message)
        wanted = tuple(there if calls is None else calls)
        self._require(bool(wanted) and set(wanted) <= set(there), "no_open_call")
        self._check_move(run, "requires_action")
        run.status, run.pending = "requires_action", wanted
        self._event("RunActionRequired")

    def submit(self, run_id: str, outputs: Sequence[Words], fresh: NewId) -> None:
        """Submit tool outputs."""
        run = self._run(run_id)
        self._check_move(run, "queued")
        given = [words.answer for words in outputs]
        right = set(given) <= set(run.pending) and len(set(given)) == len(given) > 0
        self._require(right, "unexpected_tool_outputs")
        if run.last_message is not None:
            self._placed(run.last_message)
        moves = self.head == run.last_message
        for words in outputs:
            parent = run.last_message
            self._add("MessageAdded", fresh(), "tool", parent, words, select=moves, run_id=run_id)
        run.pending = tuple(call for call in run.pending if call not in given)
        if not run.pending:
            run.status = "queued"
        self._event("ToolOutputsSubmitted")

    def end_run(self, run_id: str, status: str, fresh: NewId, fence: int | None = None) -> None:
        """End a run: completed, failed, expired or incomplete."""
        run = self._held(run_id, fence)
        self._check_move(run, status)
        if status == "completed":
            self._answered(run)
        self._end(run, status, fresh)
        self._let_in(self.queue(), fresh)

    def cancel_run(self, run_id: str, fresh: NewId, fence: int | None = None) -> None:
        """Cancel a run: at once, or once its loop has kept what it wrote."""
        run = self._run(run_id)
        if run.status == "cancelling" or fence is not None:
            run.check_fence(fence)
        if run.status == "in_progress":
            run.status = "cancelling"
            self._event("RunCancelling")
            return
        if run.status != "requires_action":
            self._check_move(run, "cancelled")
        self._end(run, "cancelled", fresh)
        self._let_in(self.queue(), fresh)

    def update_run(self, run_id: str) -> None:
        """Replace a run's metadata."""
        self._run(run_id)
        self._event("RunUpdated", run_id)

    def start_step(self, run_id: str, step_id: str, fence: int | None = None) -> None:
        """Start a step."""
        run = self._writing(run_id, fence)
        run.steps[step_id] = "in_progress"
        self._event("RunStepStarted", run_id)
        seen = run.last_message
        while seen is not None and self.open_calls(seen):  # no call is shown without results
            seen = self.messages[seen].parent
        worded = [one.id for one in self.up_from(seen) if not one.wordings[-1].erased]
        self.sights[step_id] = OracleSight(run_id, self.version, frozenset(worded))

    def end_step(self, step_id: str, status: str, fence: int | None = None) -> None:
        """End a step."""
        run = next((run for run in self.runs.values() if step_id in run.steps), None)
        if run is None:
            raise Refusal("unknown_step")
        self._writing(run.id, fence)
        self._require(run.steps[step_id] == "in_progress", "step_ended")
        run.steps[step_id] = status
        self._event("RunStepCompleted" if status == "completed" else "RunStepFailed", run.id)

    def _check_move(self, run: OracleRun, status: str) -> None:
        self._require(run.status not in TERMINAL, "run_ended")
        self._require((run.status, status) in LEGAL_MOVES, "illegal_transition")

    def _answered(self, run: OracleRun) -> None:
        self._require(not self.open_calls(run.last_message), "open_tool_calls")

    def _close_calls(
        self,
        end: str | None,
        fresh: NewId,
        *,
        outcome: str = "cancelled",
        run_id: str | None = None,
        select: bool = True,
    ) -> None:
        """Add a result for each call that is open at the end of a path."""
        for call in self.open_calls(end):
            closing, words = fresh(), Words(answer=call, outcome=outcome)
            self._add("MessageAdded", closing, "tool", end, words, select=select, run_id=run_id)
            end = closing

    def _end(self, run: OracleRun, status: str, fresh: NewId) -> None:
        """End a run at once, and close the calls that it leaves open."""
        self._close_calls(
            run.last_message,
            fresh,
            outcome="failed" if status == "failed" else "cancelled",
            run_id=run.id,
            select=self.head == run.last_message,
        )
        if status == "cancelled" and run.status in {"in_progress", "requires_action"}:
            self._event("RunCancelling")
        run.status, run.pending = status, ()
        self._event(_EVENT_OF_END[status], run.id if status == "failed" else None)

    def _make_way(self, on_busy: str, fresh: NewId) -> None:
        """Cancel every run; with ``rollback`` go back to where the current one began."""
        runs = self.open_runs()
        for run in runs:
            self._end(run, "cancelled", fresh)
        if on_busy == "rollback" and runs[0].started:
            back = self._nearest_visible(runs[0].started_head)
            if back != self.head:
                self._move_head(back)
                self._event("BranchSelected")
        self._let_in(self.queue(), fresh)

    def _nearest_visible(self, message_id: str | None) -> str | None:
        above = (message.id for message in self.up_from(message_id))
        return next((one for one in above if self.is_visible(one)), None)

    def _let_in(self, waiting: Iterable[str], fresh: NewId) -> None:
        """Add the waiting messages that were sent before the first run that has not ended."""
        first = min((run.version for run in self.open_runs()), default=None)
        for message_id in waiting:
            message = self.messages[message_id]
            if first is not None and _sent(message) > first:
                break
            self._close_calls(self.head, fresh)
            self._event("MessageAdded")
            message.version, message.queued, message.status = self.version, None, "completed"
            message.parent = self.head
            self.children.setdefault(self.head, []).append(message_id)
            self._move_head(message_id)


def _sent(message: OracleMessage) -> int:
    return message.queued or 0
