"""Folds the events of a thread one after another, in place.

It answers the same questions as :class:`~eventstore.conversation.state.FoldedThread`, which keeps
every state. A rebuild needs only the last state, and folds here in half the time.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

from rpds import HashTrieMap

from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.keeping import keep, with_event
from eventstore.conversation.rows import Row
from eventstore.conversation.rules import evolve
from eventstore.conversation.state import FoldedThread
from eventstore.core.events import Event

__all__ = ["ThreadDraft"]

K = TypeVar("K")
V = TypeVar("V")


class _Map(dict[K, V]):
    """A mutable dictionary with the methods of a persistent map."""

    __slots__ = ()

    def insert(self, key: K, value: V) -> Self:
        self[key] = value
        return self

    def discard(self, key: K) -> Self:
        self.pop(key, None)
        return self


class ThreadDraft(FoldedView):
    """The state of one thread after the events folded so far."""

    def __init__(self, start: FoldedThread) -> None:
        """Begin with a state, which is not changed."""
        for name in FoldedThread.__struct_fields__:
            value: Any = getattr(start, name)
            setattr(self, name, _Map(value) if isinstance(value, HashTrieMap) else value)
        self.rows = {kind: _Map(rows) for kind, rows in start.rows.items()}

    def take(self, event: Event) -> list[Row]:
        """Fold one more event; return the rows that it changes."""
        rows = evolve(self, event)
        maps = self.__dict__
        for row in rows:
            keep(self, maps, row)
        maps["events"] = with_event(maps["events"], event)
        return rows

    def settled(self) -> FoldedThread:
        """Return the state as a value, which no further event changes."""
        fields = {name: getattr(self, name) for name in FoldedThread.__struct_fields__}
        maps = {name: HashTrieMap(one) for name, one in fields.items() if isinstance(one, _Map)}
        maps["touches"] = HashTrieMap({key: tuple(one) for key, one in self.touches.items()})
        rows = {kind: HashTrieMap(kept) for kind, kept in self.rows.items()}
        return FoldedThread(**{**fields, **maps, "rows": rows})
