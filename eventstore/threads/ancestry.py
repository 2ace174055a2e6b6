"""Find the ancestors of a fork, however many, and the path that it inherits, in one trip.

A fork's place refers to its source by hop, and the source may be a fork itself. One query for each
ancestor made a fork of a hundredth fork a hundred times as slow. So one statement climbs: from a
thread to its source, and within a thread from a segment to its parent.

None of these facts ever changes. A thread's first event names its source, segments stay where they
hang, and a fork sees its source as of one version. So a store caches them for good, like the
numbers of tenants, and a fork of any depth is read like one of the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import UNNAMED, ForkPoint, Named, Range
from eventstore.storage.transaction import Transaction

__all__ = ["Ancestor", "Ancestry", "climbing", "find_ancestry", "remember_ancestry"]


class Ancestor(NamedTuple):
    """A thread that a fork comes from."""

    thread_id: bytes
    version: int
    """The version as of which the fork sees it."""
    changes_inherited: bool = False
    """True if it has its own rows about inherited messages: by now, perhaps not at that version."""
    named: Named = UNNAMED
    """Events that set title and metadata: by now, perhaps after that version."""


class Ancestry:
    """All ancestors of a fork, the nearest first, and the path that it inherits through them."""

    __slots__ = ("ancestors", "changing", "hops", "inherited")

    def __init__(self, ancestors: Sequence[Ancestor], inherited: Inheritance) -> None:
        self.ancestors: Final = ancestors
        self.inherited: Final = inherited
        self.hops: Final = {one.thread_id: hop for hop, one in enumerate(ancestors, 1)}
        self.changing: Final = [one.thread_id for one in ancestors if one.changes_inherited]

    def at(self, hop: int) -> Ancestor:
        """Return the ancestor that many forks up."""
        return self.ancestors[hop - 1]

    def __len__(self) -> int:
        """Return the size of the cached fact."""
        return len(self.ancestors) + len(self.inherited)


def climbing(start: str, *, until: str = "") -> str:
    """Return SQL of a table ``up``: a place, the place it hangs from, and so on.

    ``up.forks`` counts the forks left to climb until the thread that has the segment; at 0 the row
    is the end of a range, and ``segment`` and ``depth`` are this thread's own. ``start`` is the
    SELECT of the first row; with ``until`` the climb stops at some place.

    The parameters after those of ``start`` are the tenant, twice, and then those of ``until``.
    """
    leaves = "(g.segment IS NULL OR g.parent_hop > 0)"
    return (
        f"WITH RECURSIVE up (step, hop, thread, version, forks, segment, depth) AS ({start}"
        f" UNION ALL SELECT u.step + 1, CASE WHEN {leaves} THEN u.hop + 1 ELSE u.hop END,"
        " coalesce(t.fork_thread, u.thread), coalesce(t.fork_version, u.version),"
        " CASE WHEN g.segment IS NULL THEN u.forks - 1"
        " WHEN g.parent_hop > 0 THEN g.parent_hop - 1 ELSE 0 END,"
        " coalesce(g.parent_segment, u.segment), coalesce(g.parent_depth, u.depth)"
        " FROM up u"
        " LEFT JOIN {segments} g ON u.forks = 0 AND u.segment > 0 AND g.tenant = ?"
        " AND g.thread = u.thread AND g.hop = 0 AND g.segment = u.segment"
        f" LEFT JOIN {{threads}} t ON {leaves} AND t.tenant = ? AND t.thread = u.thread"
        f" WHERE (g.segment IS NOT NULL OR t.fork_thread IS NOT NULL){until})"
    )


_START: Final = (
    "SELECT 0, 1, t.thread, CAST(? AS BIGINT), CAST(? AS INTEGER), CAST(? AS BIGINT),"
    " CAST(? AS BIGINT) FROM {threads} t WHERE t.tenant = ? AND t.thread = ?"
)
_ANCESTRY: Final = (
    climbing(_START) + " SELECT u.hop, u.thread, u.version, u.forks, u.segment, u.depth,"
    " CASE WHEN EXISTS (SELECT 1 FROM {messages} m"
    " WHERE m.tenant = t.tenant AND m.thread = t.thread AND m.hop > 0) THEN 1 ELSE 0 END,"
    " t.title_version, t.metadata_version"
    " FROM up u LEFT JOIN {threads} t ON t.tenant = ? AND t.thread = u.thread ORDER BY u.step"
)


def find_ancestry(tx: Transaction, tenant: int, fork: ForkPoint) -> Ancestry:
    """Return the ancestors of a fork, cached or read now."""
    found = tx.interned.ancestries.get(_key(tx, tenant, fork))
    if found is None:
        found = _read(tx, tenant, fork)
        remember_ancestry(tx, tenant, fork, found)
    return found


def remember_ancestry(tx: Transaction, tenant: int, fork: ForkPoint, ancestry: Ancestry) -> None:
    """Cache the ancestors of a fork, once this transaction has committed."""
    tx.fresh.append((tx.interned.ancestries, _key(tx, tenant, fork), ancestry))


def _key(tx: Transaction, tenant: int, fork: ForkPoint) -> tuple[Any, ...]:
    """Return the key of what a fork inherits: forks made at one place share it.

    Rebuilt rows had been wrong, and so may be facts cached from them.
    """
    return tx.interned.remade.last, tenant, fork.thread_id, fork.place, fork.version


def _read(tx: Transaction, tenant: int, fork: ForkPoint) -> Ancestry:
    hop, segment, depth = fork.place
    start = (fork.version, hop, segment, depth, tenant, fork.thread_id)
    rows = tx.all(_ANCESTRY, (*start, tenant, tenant, tenant))
    ancestors = _ancestors(rows)
    return Ancestry(ancestors, Inheritance.of_path(len(ancestors), list(_ranges(rows))))


def _ancestors(rows: Sequence[Sequence[Any]]) -> list[Ancestor]:
    found: list[Ancestor] = []
    for hop, thread, version, _, __, ___, changing, title, metadata in rows:
        if hop > len(found):
            found.append(Ancestor(bytes(thread), version, bool(changing), Named(title, metadata)))
    return found


def _ranges(rows: Sequence[Sequence[Any]]) -> Iterator[Range]:
    end: tuple[int, int, int] | None = None
    for hop, _, __, forks, segment, depth, *___ in rows:
        if end is not None:
            yield Range(end[0], end[1], depth + 1, end[2])
        end = (hop, segment, depth) if forks == 0 and segment else None
    if end is not None:
        message = f"the tree has no segment {end[1]} at hop {end[0]}"
        raise LookupError(message)
