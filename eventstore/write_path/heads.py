"""Take the heads of streams before anything is decided, and write where they end afterwards.

A head that is taken stays locked until the transaction ends, so versions are numbered without gaps
and duplicates (see :mod:`~eventstore.storage.ordering`). The writer keeps heads from one
transaction to the next; where one is remembered instead of read, moving it compares it with the
database's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from eventstore.core import chain
from eventstore.core.events import StreamKey
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.ordering import HeadRow, Moved, Place, Placing
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest, StreamSession

__all__ = [
    "HEADS_MAX",
    "NO_EVENTS",
    "StreamHead",
    "TakenHeads",
    "Watched",
    "confirm_absent",
    "locked_head",
    "take_heads",
    "write_heads",
]

Watched: TypeAlias = tuple[StreamKey, ...] | None
"""The other streams that a request is decided by; None if it is decided by its own alone."""

NO_EVENTS: Final = HeadRow(0, 0, chain.GENESIS, 0, 0)
"""The head of a stream that does not exist."""

_HEADS: Final = "heads of streams"
_REMADE: Final = "rows were made"
HEADS_MAX: Final = 16_384
"""Heads the writer keeps from one transaction to the next, about 500 bytes each."""
_INSERT: Final = Insert(
    "streams",
    (
        *("version", "recorded_at", "hash", "epoch", "xid"),
        *("summary", "tenant", "category", "stream"),
    ),
)


class StreamHead:
    """A stream's head, as this transaction moves it."""

    __slots__ = ("key", "place", "prefix", "row", "stored")

    def __init__(self, key: StreamKey, place: Place | None, row: HeadRow | None) -> None:
        self.key: StreamKey = key
        self.place: Place | None = place
        """The key of its row; None until its names are interned with the tenant's first event."""
        self.prefix: bytes = chain.stream_prefix(key.tenant, key.text)
        self.stored: HeadRow = row or NO_EVENTS
        self.row: HeadRow = self.stored
        """The head in the database, and the head after the decided events are written."""


class TakenHeads(msgspec.Struct, frozen=True):
    """The heads of one batch, locked until the transaction ends."""

    heads: dict[StreamKey, StreamHead]
    """The heads of the batch, among others that are remembered."""
    placing: Placing
    """Draws the positions of the events to come."""
    locked: set[StreamKey]
    """Streams that another transaction has locked; requests to them are postponed."""
    absent: list[StreamKey]
    """Streams without a head, which nothing could lock."""


def take_heads(
    tx: Transaction,
    requests: Sequence[AppendRequest],
    watched: Sequence[Watched],
    *,
    patient: bool,
) -> TakenHeads:
    """Lock every head that a batch decides on; ``patient``: wait for those locked elsewhere.

    Facts kept of a stream from an earlier transaction hold if its head has not moved.
    """
    heads: dict[StreamKey, StreamHead] = tx.cache.setdefault(_HEADS, {})
    single, events = tx.ordering.single_writer, 0
    wanted: dict[StreamKey, Place | None] = {}
    for request, others in zip(requests, watched, strict=True):
        events += len(request.commands)
        for key in (request.stream, *(others or ())):
            if key not in wanted and not (single and key in heads):
                wanted[key] = _place(tx, key)
    places = [place for place in wanted.values() if place is not None] if wanted else []
    taken = tx.ordering.take(tx, places, events, patient=patient)
    if not single:
        _forget_rows_made_again(tx)
    locked: set[StreamKey] = set()
    absent: list[StreamKey] = []
    for key, place in wanted.items():
        row = None if place is None else taken.rows.get(place)
        if key not in heads or heads[key].row != (row or NO_EVENTS):
            for known in tx.cache.values():
                known.pop(key, None)
            heads[key] = StreamHead(key, place, row)
        if place in taken.held:
            locked.add(key)
        elif row is None and not single:
            absent.append(key)
    return TakenHeads(heads, taken.placing, locked, absent)


def _place(tx: Transaction, key: StreamKey) -> Place | None:
    tenant = find_tenant(tx, key.tenant)
    category = find_category(tx, key.category)
    return None if tenant is None or category is None else (tenant, category, key.id)


def _forget_rows_made_again(tx: Transaction) -> None:
    """Drop everything kept of streams if another connection of this store rebuilt rows.

    A rebuild moves no head. It is announced before its heads are released, so a transaction that
    has locked them sees it.
    """
    made: dict[None, object] = tx.cache.setdefault(_REMADE, {})
    last = tx.interned.remade.last
    if made.get(None) is not last:
        for known in tx.cache.values():
            known.clear()
        made[None] = last


def locked_head(tx: Transaction, stream: StreamKey) -> HeadRow | None:
    """Return the locked head of a stream; None if the stream has no event yet.

    Valid only for the stream of a request and the streams it looks at: heads of other streams may
    be outdated.
    """
    head: StreamHead | None = tx.cache[_HEADS].get(stream)
    return None if head is None or not head.row.version else head.row


def confirm_absent(tx: Transaction, taken: TakenHeads) -> None:
    """Check again that missing streams which the batch did not make are still missing.

    A missing row cannot be locked: another transaction may have made the stream since, after a
    request was refused because of its absence. (A stream that is made here meets its own key.)
    """
    missing = [key for key in taken.absent if taken.heads[key].row is NO_EVENTS]
    places = [place for key in missing if (place := _place(tx, key)) is not None]
    if places:
        tx.ordering.confirm_absent(tx, places)


def write_heads(
    tx: Transaction, moved: Iterable[tuple[StreamHead, StreamSession[Any, Any]]]
) -> None:
    """Write where streams end now: new rows, and rows that move from where they were taken."""
    new: list[tuple[Any, ...]] = []
    old: list[Moved] = []
    for head, session in moved:
        row, place = head.row, head.place
        assert place is not None  # noqa: S101 (its events interned the names)
        if head.stored is NO_EVENTS:
            ends = row.version, row.recorded_at_us, row.hash, row.epoch, row.xid
            new.append((*ends, session.summary(), *place))
        else:
            old.append(Moved(head.stored, row, session.summary(), place))
        head.stored = row
    if new:
        tx.write(_INSERT, new)
    if old:
        tx.ordering.move(tx, old)
