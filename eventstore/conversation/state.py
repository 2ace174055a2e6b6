"""A thread folded from its events, in memory, as an immutable value.

Persistent maps share unchanged entries, so the states after each of n events together need the
memory of n changes, and any of them can be read later: replay walks through them. The class
implements :class:`~eventstore.conversation.view.ThreadView`, so the deciders run on it in tests,
and the decision tables are compared with its rows.

A fork is folded from a **prefix**: the path that it inherits (:func:`prefix_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec
from msgspec.structs import replace
from rpds import HashTrieMap

from eventstore.conversation import tree
from eventstore.conversation.folded_view import FoldedView, Stretch
from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.keeping import keep, with_event
from eventstore.conversation.rows import ROW_KINDS, ForkPoint, Place, Row, ThreadRow
from eventstore.conversation.rules import evolve
from eventstore.core.events import Event

__all__ = ["FoldedThread", "fold", "prefix_of"]


_EMPTY: Final[HashTrieMap[Any, Any]] = HashTrieMap()
"""All states share it, since it never changes."""
_NO_ROWS: Final = MappingProxyType(dict.fromkeys(ROW_KINDS, _EMPTY))


class FoldedThread(FoldedView, msgspec.Struct, frozen=True):
    """The state of one thread after some of its events."""

    thread_id: bytes
    thread: ThreadRow | None = None
    rows: Mapping[type[Any], HashTrieMap[Any, Any]] = _NO_ROWS
    """Rows by kind and key, except the thread's own and touches. Never changed."""
    places: HashTrieMap[Place, bytes] = _EMPTY
    ends: HashTrieMap[Stretch, int] = _EMPTY
    hanging: HashTrieMap[Place, tuple[Stretch, ...]] = _EMPTY
    """Segments that hang from a place."""
    bends: HashTrieMap[Stretch, tuple[int, ...]] = _EMPTY
    """Depths of a segment's branch points, sorted."""
    gone: HashTrieMap[Stretch, tuple[int, ...]] = _EMPTY
    """Depths of a segment's removed messages, sorted."""
    waiting: tuple[bytes, ...] = ()
    active_runs: tuple[bytes, ...] = ()
    labelled: HashTrieMap[str, bytes] = _EMPTY
    touches: HashTrieMap[bytes, Sequence[int]] = _EMPTY
    events: HashTrieMap[int, Event] = _EMPTY
    """The thread's own events, by version; they hold the content."""
    changes_inherited: bool = False
    """For a fork: whether it has events about a message that it inherits."""
    inherited: Inheritance | None = None
    """For a fork: the path that it inherits."""
    ancestors: tuple[FoldedView, ...] = ()
    """For a fork: its source, the source of that, and so on, each as of the version it was forked
    at. A flat tuple, so that a message of the hundredth ancestor costs no more than one of the
    first.
    """
    changing: tuple[int, ...] = ()
    """Hops of the ancestors that changed messages that they inherit, nearest first."""

    # -- folding -------------------------------------------------------------------------------

    def after(self, event: Event) -> Self:
        """Return the state after one more event."""
        return self.with_rows(evolve(self, event), event)

    def with_rows(self, rows: Iterable[Row], event: Event) -> Self:
        """Return the state with an event's rows in place."""
        changes: dict[str, Any] = {"rows": {**self.rows}}
        for row in rows:
            keep(self, changes, row)
        return replace(self, events=with_event(self.events, event), **changes)


def fold(start: FoldedThread, events: Iterable[Event]) -> FoldedThread:
    """Fold events, in order, into a state."""
    state = start
    for event in events:
        state = state.after(event)
    return state


def prefix_of(source: FoldedView, fork_id: bytes, fork: ForkPoint) -> FoldedThread:
    """Return the state in which a fork begins: the path to the fork's message, one hop further.

    ``source`` must be the source as of the fork's version, and must not change any more. Nothing is
    copied: reads go to the ancestors, in the order of their hops.
    """
    return FoldedThread(
        fork_id,
        inherited=tree.inherited_from(source, source.inherited, fork.place),
        ancestors=(source, *source.ancestors),
        changing=(*[1] * source.changes_inherited, *[hop + 1 for hop in source.changing]),
    )
