"""Go on from a snapshot of a folded thread, and keep one.

The words of a state are read from the log by version, in whatever form they have now, so a snapshot
cannot show what was erased or what a destroyed key had sealed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import PROJECTION_VERSION
from eventstore.conversation.snapshot import Snapshot, decoded_snapshot, encoded_snapshot
from eventstore.core.events import Event, StreamKey
from eventstore.storage.folding_pages import decoded_events, decoded_events_at
from eventstore.storage.gaps import missing
from eventstore.storage.log import Log
from eventstore.storage.snapshots import Kept
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction

__all__ = ["keep", "resumed"]

_RANGE: Final = 32
"""Events close to each other that are read as one range, and not by key."""


def keep(tx: Transaction, log: Log, stream: StreamKey, state: FoldedView) -> None:
    """Keep a snapshot of a state."""
    place = place_of(tx, stream)
    assert place is not None  # noqa: S101 (it has events)
    log.snapshots.keep(tx, place, state.version, encoded_snapshot(state))


def resumed(tx: Transaction, log: Log, stream: StreamKey, until: int) -> ThreadDraft | None:
    """Return the last state of a thread up to a version that a snapshot has; None without one.

    Raises:
        UnknownEventType, UndecodableEvent: at an event that holds words of the state.
        BrokenChain: such an event is missing.
    """
    place = place_of(tx, stream)
    kept = None if place is None else log.snapshots.nearest(tx, place, until)
    found = None if kept is None else _decoded(kept, stream)
    if found is None:
        return None
    snapshot, wanted = found
    events = {
        thread: _events(tx, log, stream._replace(id=thread), sorted(versions))
        for thread, versions in wanted
    }
    return snapshot.resumed(events)


def _decoded(
    kept: Kept, stream: StreamKey
) -> tuple[Snapshot, Sequence[tuple[bytes, set[int]]]] | None:
    """Return a snapshot with what it wants; None if it is not one of this thread and version."""
    try:
        found = decoded_snapshot(kept.state)
        thread = found.thread
        if thread.projection_version != PROJECTION_VERSION:
            return None
        wanted = [*found.wanted()]
    except (zlib.error, msgspec.DecodeError, KeyError):  # of another library version, or damaged
        return None
    stands = thread.thread_id == stream.id and thread.version == kept.version
    return (found, wanted) if stands else None


def _events(
    tx: Transaction, log: Log, stream: StreamKey, versions: Sequence[int]
) -> dict[int, Event]:
    """Return the events of some versions, in order."""
    found: dict[int, Event] = {}
    alone: list[int] = []
    for near in _close(versions):
        if len(near) < _RANGE:
            alone += near
        else:
            wanted = {*near}
            for event in decoded_events(tx, log, stream, after=near[0] - 1, until=near[-1]):
                if event.version in wanted:
                    found[event.version] = event
    keys = [(stream.id, version) for version in alone]
    found.update((one.version, one) for _, one in decoded_events_at(tx, log, stream, keys))
    for version in versions:
        if version not in found:
            raise missing(stream, version)
    return found


def _close(versions: Iterable[int]) -> Iterator[list[int]]:
    """Yield versions that follow one another, with at most one other in between, together."""
    near: list[int] = []
    for version in versions:
        if near and version > near[-1] + 2:
            yield near
            near = []
        near.append(version)
    if near:
        yield near
