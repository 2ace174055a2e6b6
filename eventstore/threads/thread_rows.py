"""The table ``threads``: one row a thread, with what deciding needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from eventstore.conversation.rows import ForkPoint, Named, Place, ThreadRow
from eventstore.core import ids
from eventstore.storage.interning import find_category
from eventstore.storage.statements import Update
from eventstore.storage.transaction import Transaction
from eventstore.threads.row_table import RowTable
from eventstore.threads.thread_table import ThreadKey

__all__ = ["DECODED", "STANDING", "THREADS", "ends_of", "mend_heads"]


def _encode(row: ThreadRow) -> tuple[Any, ...]:
    fork = row.fork
    return (
        row.created_position,
        row.created_at_us,
        int(row.archived),
        int(row.deleted),
        *row.named,
        row.open_runs,
        row.queued_messages,
        row.removed_messages,
        *(
            (None,) * 6
            if fork is None
            else (fork.thread_id, fork.message_id, *fork.place, fork.version)
        ),
        row.projection_version,
    )


def _decode(columns: Sequence[Any]) -> ThreadRow:
    """Decode a row; the thread's id and the columns of ``streams`` come first."""
    fork = None
    if columns[13] is not None:
        source, message, hop, segment, depth, version = columns[13:19]
        fork = ForkPoint(source, message, Place(hop, segment, depth), version)
    thread_id, version, updated_at_us, head, created_position, created_at_us = columns[:6]
    return ThreadRow(
        thread_id,
        version,
        created_position,
        created_at_us,
        updated_at_us,
        head,
        archived=bool(columns[6]),
        deleted=bool(columns[7]),
        named=Named(columns[8], columns[9]),
        open_runs=columns[10],
        queued_messages=columns[11],
        removed_messages=columns[12],
        fork=fork,
        projection_version=columns[19],
    )


_VALUES: Final = (
    "created_position",
    "created_at",
    "archived",
    "deleted",
    "title_version",
    "metadata_version",
    "open_runs",
    "queued_messages",
    "removed_messages",
    "fork_thread",
    "fork_message",
    "fork_hop",
    "fork_segment",
    "fork_depth",
    "fork_version",
    "projection_version",
)
_CATEGORY: Final = f"(SELECT id FROM {{categories}} WHERE name = '{ids.THREAD}')"

DECODED: Final = (
    "t.thread",
    "s.version",
    "s.recorded_at",
    "s.summary",
    *[f"t.{name}" for name in _VALUES],
)
"""Columns for ``THREADS.decode``, selected from :data:`STANDING`."""
STANDING: Final = (
    "{threads} t JOIN {streams} s"
    f" ON s.tenant = t.tenant AND s.category = {_CATEGORY} AND s.stream = t.thread"
)
"""Threads with their streams."""

THREADS: Final = RowTable[ThreadRow](
    ThreadRow,
    "threads",
    key=(),
    values=_VALUES,
    encode=_encode,
    decode=_decode,
    select=f"SELECT {', '.join(DECODED)} FROM {STANDING} WHERE t.tenant = ? AND t.thread = ?",
)

_MOVE: Final = Update("streams", ("summary",), ("tenant", "category", "stream"))
_STANDING: Final = (
    "SELECT stream, version, summary FROM {streams}"
    " WHERE tenant = ? AND category = ? AND stream >= ? AND stream <= ?"
)


class Ends(NamedTuple):
    """The ends of threads according to their streams."""

    versions: dict[ThreadKey, int]
    heads: dict[ThreadKey, bytes | None]


def ends_of(tx: Transaction, threads: Sequence[ThreadKey]) -> Ends:
    """Return the ends of threads of one tenant, in order."""
    tenant, first = threads[0]
    category = find_category(tx, ids.THREAD)
    found = tx.all(_STANDING, (tenant, category, first, threads[-1][1]))
    return Ends(
        {(tenant, bytes(stream)): version for stream, version, _ in found},
        {(tenant, bytes(stream)): head for stream, _, head in found},
    )


def mend_heads(
    tx: Transaction, threads: Sequence[ThreadKey], heads: Mapping[ThreadKey, bytes | None]
) -> None:
    """Set the heads of threads to those of their events; an append writes one with the stream's.

    The threads are of one tenant and in order, each locked by this transaction.
    """
    category, standing = find_category(tx, ids.THREAD), ends_of(tx, threads).heads
    moved = [thread for thread in heads if heads[thread] != standing.get(thread)]
    tx.write(_MOVE, [(heads[one], one[0], category, one[1]) for one in moved])
