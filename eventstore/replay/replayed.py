"""A replayed thread: the folded state, presented as the values that users get.

A step shares all unchanged state with the step before, so walking n steps costs n. Values
(messages, runs) are made on access: ``messages`` is a sequence that knows its length and makes each
message on access. Making the whole path at each step costs n².
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.present import message_value, thread_value
from eventstore.conversation.present_runs import run_value
from eventstore.conversation.rows import RunRow
from eventstore.conversation.run_values import Run
from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.values import BranchTree, Message, Thread
from eventstore.core import ids
from eventstore.core.events import RecordedEvent
from eventstore.core.values import Value
from eventstore.replay.path import MessagePath
from eventstore.threads import paths

__all__ = ["ReplayStep", "ReplayedThread", "StepState"]


class ReplayedThread:
    """A thread at one of its versions, made only from its events."""

    __slots__ = ("_state",)

    def __init__(self, state: FoldedView) -> None:
        self._state = state

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReplayedThread):
            return NotImplemented
        return self._state is other._state or self.value() == other.value()

    def __hash__(self) -> int:
        return hash((self._state.thread_id, self._state.version))

    def __repr__(self) -> str:
        thread = ids.show(ids.THREAD, self._state.thread_id)
        return f"<{thread} at version {self.version}: {len(self.messages)} messages>"

    @property
    def folded(self) -> FoldedView:
        """The rows of this version."""
        return self._state

    @property
    def version(self) -> int:
        """Version of the thread: the number of events folded."""
        return self._state.version

    @property
    def thread(self) -> Thread:
        """The thread."""
        assert self._state.thread is not None  # noqa: S101 (its first event made it)
        return thread_value(self._state, self._state.thread)

    @property
    def head_id(self) -> str | None:
        """The last message of the active path."""
        row = self._state.thread
        return None if row is None else ids.show_or_none(ids.MESSAGE, row.head)

    @property
    def messages(self) -> MessagePath:
        """The active path, oldest first. ``len()`` makes no message."""
        row = self._state.thread
        head = None if row is None or row.head is None else self._state.message(row.head)
        return MessagePath(self._state, None if head is None else head.place)

    @property
    def tree(self) -> BranchTree:
        """Every visible message with its place in the tree."""
        labels = {key: label for label, key in self._state.labelled.items()}
        return paths.tree_value(self._state, labels)

    def message(self, message_id: str) -> Message | None:
        """A message by id, on the active path or not; None if it does not exist yet."""
        row = self._state.message(ids.parse(ids.MESSAGE, message_id, "message_id"))
        return None if row is None else message_value(self._state, row)

    @property
    def queued(self) -> tuple[Message, ...]:
        """Messages that wait for a run to end."""
        return paths.message_values(self._state, self._state.queued_messages())

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run, in the order they were created."""
        rows = sorted(self._state.rows[RunRow].values(), key=lambda row: row.version)
        return tuple(run_value(self._state, row) for row in rows)

    @property
    def labels(self) -> dict[str, str]:
        """Labels, each with its message's id."""
        return {
            label: ids.show(ids.MESSAGE, key) for label, key in sorted(self._state.labelled.items())
        }

    def value(self) -> ThreadState:
        """Everything at once, as one frozen value."""
        tree = self.tree
        return ThreadState(
            thread=self.thread,
            version=self.version,
            messages=tuple(node.message for node in tree.nodes if node.active),
            tree=tree,
            queued=self.queued,
            runs=self.runs,
            labels=self.labels,
        )

    def model_dump(self, *, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Return everything as a dict; see :class:`ThreadState` for its fields.

        Args:
            mode: ``"json"`` leaves only what JSON has.
        """
        return self.value().model_dump(mode=mode)

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return everything as JSON; see :class:`ThreadState` for its fields.

        Args:
            indent: Blanks before each level; None writes one line.
        """
        return self.value().model_dump_json(indent=indent)


class ReplayStep(NamedTuple):
    """One event, and the thread right after it."""

    event: RecordedEvent
    """The event."""
    state: ReplayedThread
    """The thread right after it."""

    def value(self) -> StepState:
        """Return the step as one frozen value, whose state is whole."""
        return StepState(event=self.event, state=self.state.value())

    def model_dump(self, *, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Return event and state as a dict.

        Args:
            mode: ``"json"`` leaves only what JSON has.
        """
        return self.value().model_dump(mode=mode)

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return event and state as JSON.

        Args:
            indent: Blanks before each level; None writes one line.
        """
        return self.value().model_dump_json(indent=indent)


class StepState(Value):
    """One event, and the whole thread right after it."""

    event: RecordedEvent
    """The event."""
    state: ThreadState
    """The thread right after it."""
