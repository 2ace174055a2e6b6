"""A whole thread: its life, its forks, and its branches."""

from __future__ import annotations

from typing import Any

from eventstore.testing.oracle.messages import OracleMessages
from eventstore.testing.oracle.values import Refusal, copied

__all__ = ["OracleThread"]


class OracleThread(OracleMessages):
    """One thread."""

    def update(self, title: str | None, metadata: dict[str, Any]) -> None:
        """Replace title and metadata."""
        self.check_living()
        self.title, self.metadata = title, metadata
        self.events.append("ThreadUpdated")

    def archive(self) -> None:
        """Archive the thread."""
        self.check_living()
        self._require(not self.open_runs(), "thread_busy")
        if not self.archived:
            self.archived = True
            self.events.append("ThreadArchived")

    def unarchive(self) -> None:
        """Unarchive it."""
        self.check_living()
        if self.archived:
            self.archived = False
            self.events.append("ThreadUnarchived")

    def delete(self) -> None:
        """Delete it."""
        self.check_living()
        if self.open_runs():
            raise Refusal("thread_busy")
        self.deleted = True
        self.events.append("ThreadDeleted")

    def restore_thread(self) -> None:
        """Restore it."""
        if self.deleted:
            self.deleted = False
            self.events.append("ThreadRestored")

    def fork(self, fork_id: str, at_message: str | None) -> OracleThread:
        """Return a fork of this thread as it stands: the path, copied."""
        self.check_living()
        end = at_message or self.head
        if end is None:
            raise Refusal("nothing_to_fork")
        self._placed(end)
        fork = OracleThread(fork_id, self.title, dict(self.metadata), ["ThreadForked"])
        fork.head, fork.source = end, self.id
        for message in reversed(list(self.up_from(end))):
            inherited = copied(message)
            inherited.origin = message.origin or (self.id, message.version)
            fork.messages[message.id] = inherited
            fork.children[message.parent] = [message.id]
            fork.active[message.parent] = message.id
        return fork

    # -- branches ------------------------------------------------------------------------------

    def select(self, branch: str) -> None:
        """Select the path through a message, named by id or label."""
        self._writable()
        if not branch.startswith("msg_"):
            self._require(branch in self.labels, "MessageNotFound")
            branch = self.labels[branch]
        leaf = self.leaf_below(self._placed(branch).id)
        if leaf != self.head:
            self._move_head(leaf)
            self._event("BranchSelected")

    def label(self, target: str, label: str | None) -> None:
        """Label a message, or remove its label."""
        self.check_living()
        self._some(target)
        if label is not None:
            self._changeable(target)
            self._require(self.labels.get(label, target) == target, "label_in_use")
        self.labels = {one: bearer for one, bearer in self.labels.items() if bearer != target}
        if label is not None:
            self.labels[label] = target
        self._event("BranchLabelled", None if label is None else target)
