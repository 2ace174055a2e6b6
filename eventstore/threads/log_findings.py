"""Compare a thread also with the log itself: missing events, and large contents.

Neither follows from other events, so no rebuild mends it; the finding names the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain
from eventstore.storage.blob_checks import Unpaired, unpaired_elsewhere, unpaired_in
from eventstore.storage.gap_checks import Gap, gaps_elsewhere, gaps_in
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.comparing import Finding, compare_thread

__all__ = ["compare_with_log", "losses_elsewhere"]


def compare_with_log(tx: Transaction, log: Log, stream: StreamKey) -> list[Finding]:
    """Return a thread's differences from its events, and the gaps in its log.

    A thread cannot be folded without all its events and contents, and those of its source: then the
    missing ones are the only findings.
    """
    blobs = _of_blobs(unpaired_in(tx, stream))
    try:
        return [*blobs, *compare_thread(tx, log, stream)]
    except BrokenChain as error:
        broken = stream._replace(id=ids.parse(ids.THREAD, error.stream_id, "stream_id"))
        lost = [one for one in _of_blobs(unpaired_in(tx, broken)) if one.kind == "missing_blob"]
        lost += _of_gaps(gaps_in(tx, broken))
        if not lost:
            raise
        return [*dict.fromkeys([*blobs, *lost])]


def losses_elsewhere(tx: Transaction, tenant: str) -> list[Finding]:
    """Return gaps in a tenant's streams that are no threads, and blobs without a stream."""
    return [*_of_blobs(unpaired_elsewhere(tx, tenant)), *_of_gaps(gaps_elsewhere(tx, tenant))]


def _of_gaps(found: Iterable[Gap]) -> list[Finding]:
    return [
        Finding(
            stream_id=one.stream.text,
            version=one.first,
            kind="missing_event",
            message=f"events: version {one.first} is missing{_LOST}"
            if one.first == one.last
            else f"events: versions {one.first} to {one.last} are missing{_LOST}",
        )
        for one in found
    ]


def _of_blobs(found: Iterable[Unpaired]) -> list[Finding]:
    return [
        Finding(
            stream_id=one.stream.text,
            version=one.version,
            kind="extra_blob" if one.is_blob else "missing_blob",
            message=_EXTRA if one.is_blob else _MISSING,
        )
        for one in found
    ]


_LOST = "; nothing but a backup has what it said, and the stream cannot be read beyond"
_EXTRA = (
    "blobs: a row that no event's content is in, as an erasure by hand leaves it; it may hold what"
    " was to go: delete it"
)
_MISSING = (
    "blobs: no row for the event, which says that its content is there; nothing but a backup has"
    " it, and the thread cannot be read or compared without"
)
