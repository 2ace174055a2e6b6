"""The difference of a thread at two moments, as a value and as text."""

from __future__ import annotations

from eventstore.conversation.change_text import change_lines, short_id
from eventstore.conversation.changes import Change
from eventstore.conversation.values import BranchDiff

__all__ = ["ThreadDiff"]


class ThreadDiff(BranchDiff):
    """The difference of a thread at two versions.

    The fields of :class:`BranchDiff` compare the active paths. ``changes`` has every field of every
    thing that differs; it is empty if nothing does.
    """

    thread_id: str
    """The thread."""
    from_version: int
    """Version on the ``before`` side: the first path."""
    to_version: int
    """Version on the ``after`` side: the second path."""
    changes: tuple[Change, ...]
    """Fields of the thread, its messages, runs and steps, each with both values."""
    erased: tuple[str, ...]
    """Messages whose words an erasure between the two removed, from both sides."""

    def text(self) -> str:
        """Return the difference in lines, ``-`` for the old and ``+`` for the new wording.

        It holds the words of users as they are, also characters that steer a terminal.
        """
        lines = [f"{self.thread_id}: version {self.from_version} → {self.to_version}"]
        if not self.changes:
            lines.append("no difference")
        if self.only_a or self.only_b:
            lines.append(
                f"active path: {self.common} messages in common, then"
                f" {len(self.only_a)} before and {len(self.only_b)} after"
            )
        lines += change_lines(self.changes)
        lines += [f"! message {short_id(key)} was erased in between" for key in self.erased]
        return "\n".join(lines)
