"""The value of a whole thread at one of its versions."""

from __future__ import annotations

from eventstore.conversation.run_values import Run
from eventstore.conversation.values import BranchTree, Message, Thread
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = ["ThreadState"]


class ThreadState(Value):
    """A whole thread at one of its versions."""

    thread: Thread
    """The thread."""
    version: int
    """Version of the thread: the number of events folded."""
    messages: tuple[Message, ...]
    """The active path, oldest first."""
    tree: BranchTree
    """Every visible message with its place in the tree."""
    queued: tuple[Message, ...]
    """Messages that wait for a run to end."""
    runs: tuple[Run, ...]
    """Every run, in the order they were created."""
    labels: Unshown[dict[str, str]]
    """Label to message id."""
