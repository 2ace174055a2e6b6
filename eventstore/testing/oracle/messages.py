"""Messages of a thread: new ones, siblings, corrections, removals."""

from __future__ import annotations

from typing import Any

from eventstore.testing.oracle.runs import OracleRuns
from eventstore.testing.oracle.tree import dressed
from eventstore.testing.oracle.values import HEAD, NewId, OracleMessage, Words

__all__ = ["OracleMessages"]


class OracleMessages(OracleRuns):
    """A thread with messages."""

    def create(
        self,
        message_id: str,
        role: str,
        words: Words,
        fresh: NewId,
        *,
        parent: str | None = HEAD,
        select: bool = True,
        run_id: str | None = None,
        fence: int | None = None,
        on_busy: str = "enqueue",
    ) -> None:
        """Add a message, or let it wait; ``fresh`` gives ids of results that close calls."""
        self._writable()
        if run_id is not None:
            self._create_in_run(message_id, role, words, run_id, fence, select=select)
            return
        self._unused(message_id)
        if parent == HEAD and self.open_runs():
            if on_busy == "enqueue":
                self._require(words.plain and select, "thread_busy")
                self._event("MessageQueued", message_id)
                message = OracleMessage(message_id, role, None, [words], self.version)
                message.home = self.id
                message.queued, message.status = self.version, "queued"
                self.messages[message_id] = dressed(message)
                return
            self._require(on_busy != "reject", "thread_busy")
            self._require(words.plain, "thread_busy")
            self._make_way(on_busy, fresh)
            self._close_calls(self.head, fresh)
        elif parent not in {HEAD, None}:
            self._placed(str(parent))
        above = self.head if parent == HEAD else parent
        self._paired(above, words)
        self._add("MessageAdded", message_id, role, above, words, select=select)

    def _create_in_run(
        self,
        message_id: str,
        role: str,
        words: Words,
        run_id: str,
        fence: int | None,
        *,
        select: bool,
    ) -> None:
        run = self._writing(run_id, fence)
        self._unused(message_id)
        if run.last_message is not None:
            self._placed(run.last_message)
        self._paired(run.last_message, words)
        moves = select and self.head == run.last_message
        self._add(
            "MessageAdded", message_id, role, run.last_message, words, select=moves, run_id=run_id
        )

    def edit(self, message_id: str, target: str, words: Words, *, select: bool = True) -> None:
        """Add a sibling of a message, or put a new one in its place in the queue."""
        self._writable()
        self._unused(message_id)
        old = self._changeable(target)
        if old.queued is not None:
            self._require(old.role != "tool" and words.answer is None, "InvalidInput")
            self._require(not words.calls or old.role == "assistant", "InvalidInput")
            self._require(words.plain and select, "thread_busy")
            self._event("MessageQueued", message_id)
            new = OracleMessage(message_id, old.role, None, [words], self.version)
            new.home = self.id
            new.queued, new.status, new.replaces = old.queued, "queued", target
            old.queued, old.status = None, "replaced"
            self.messages[message_id] = dressed(new)
            return
        self._beside("MessageEdited", message_id, target, words, select=select)

    def regenerate(
        self,
        message_id: str,
        target: str,
        words: Words,
        *,
        select: bool = True,
        run_id: str | None = None,
        fence: int | None = None,
    ) -> None:
        """Add another answer."""
        if run_id is not None:
            self._answered(self._writing(run_id, fence))
        kind = "MessageRegenerated"
        self._beside(kind, message_id, target, words, select=select, run_id=run_id)

    def _beside(
        self,
        kind: str,
        message_id: str,
        target: str,
        words: Words,
        *,
        select: bool,
        run_id: str | None = None,
    ) -> None:
        self._writable()
        self._unused(message_id)
        old = self._placed(target)
        tools = (bool(words.calls), words.answer is not None)
        right = {"assistant": tools[1] is False, "tool": tools == (False, True)}
        self._require(right.get(old.role, not any(tools)), "InvalidInput")
        self._paired(old.parent, words)
        if kind == "MessageRegenerated":
            self._require(old.role == "assistant", "not_an_answer")
        self._add(kind, message_id, old.role, old.parent, words, select=select, run_id=run_id)
        self.messages[message_id].replaces = target

    def amend(self, target: str, words: Words) -> None:
        """Correct a message."""
        self._writable()
        message = self._changeable(target)
        first = message.wordings[0]
        self._require((words.calls, words.answer) == (first.calls, first.answer), "calls_changed")
        message.wordings.append(words)
        self._event("MessageAmended", target)

    def update_message(self, target: str, metadata: dict[str, Any], name: str | None) -> None:
        """Replace a message's metadata and name."""
        self.check_living()
        message = self._changeable(target)
        message.metadata, message.name = metadata, name
        self._event("MessageUpdated", target)

    def remove(self, target: str) -> None:
        """Remove a message with those below it."""
        self._writable()
        message = self._changeable(target)
        message.took_head = message.queued is None and target in self.path(self.head)
        if message.took_head:
            self.head = message.parent
        message.removed = True
        self._event("MessageRemoved")

    def restore(self, target: str, fresh: NewId) -> None:
        """Restore a message, and move the head back to it if it was there."""
        self._writable()
        message = self._some(target)
        if not message.removed:
            return
        message.removed = False
        self._event("MessageRestored")
        if message.queued is not None:
            if not any(run.started for run in self.open_runs()):
                self._let_in([target], fresh)
        elif (
            message.took_head
            and self.head == message.parent
            and self.next_below(message.parent) == target
        ):
            self._move_head(self.leaf_below(target))
