"""A thread while its events are folded one after the other, changed in place.

It answers as :class:`~eventstore.conversation.state.FoldedThread` does, of which every state can be
kept and looked at later. Whoever wants the last one alone, as a rebuild does, folds here in half
the time.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

from rpds import HashTrieMap

from eventstore.conversation.evolve import evolve
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.keeping import KEEPERS, told
from eventstore.conversation.rows import Row
from eventstore.conversation.state import FoldedThread
from eventstore.core.events import Event

__all__ = ["ThreadDraft"]

K = TypeVar("K")
V = TypeVar("V")


class _Map(dict[K, V]):
    """A dictionary that takes what a persistent map takes, and is changed by it."""

    __slots__ = ()

    def insert(self, key: K, value: V) -> Self:
        self[key] = value
        return self

    def discard(self, key: K) -> Self:
        self.pop(key, None)
        return self


class ThreadDraft(FoldedView):
    """Everything the events taken so far say about one thread."""

    def __init__(self, start: FoldedThread) -> None:
        """Begin with a state, which stays as it is."""
        for name in FoldedThread.__struct_fields__:
            value: Any = getattr(start, name)
            setattr(self, name, _Map(value) if isinstance(value, HashTrieMap) else value)

    def take(self, event: Event) -> list[Row]:
        """Fold one more event in; return the rows it changed."""
        rows = evolve(self, event)
        maps = self.__dict__
        for row in rows:
            KEEPERS[type(row)](self, maps, row)
        maps["events"] = told(maps["events"], event)
        return rows
