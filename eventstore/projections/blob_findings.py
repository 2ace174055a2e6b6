"""Comparing with large contents in mind: those left behind, and those that are lost.

A blob is no row that follows from events, so no rebuild mends it, and the finding says what does.
"""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain
from eventstore.projections.comparing import Finding, compare_thread
from eventstore.storage.blob_checks import Unpaired, unpaired_elsewhere, unpaired_in
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = ["blobs_elsewhere", "compare_with_blobs"]


def compare_with_blobs(tx: Transaction, log: Log, stream: StreamKey) -> list[Finding]:
    """Return what of a thread is not what its events say, and what is wrong with its blobs.

    Without all its contents, and those of its source, a thread cannot be folded: then the contents
    that are missing are all that is found.
    """
    blobs = _findings(unpaired_in(tx, stream))
    try:
        return [*blobs, *compare_thread(tx, log, stream)]
    except BrokenChain as error:
        key = ids.parse(ids.THREAD, error.stream_id, "stream_id")
        of_source = _findings(unpaired_in(tx, stream._replace(id=key)))
        missing = [one for one in of_source if one.kind == "missing_blob"]
        if not missing:
            raise
        return [*dict.fromkeys([*blobs, *missing])]


def blobs_elsewhere(tx: Transaction, tenant: str) -> list[Finding]:
    """Return what is wrong with blobs of a tenant's streams that are no threads, or no more."""
    return _findings(unpaired_elsewhere(tx, tenant))


def _findings(found: Iterable[Unpaired]) -> list[Finding]:
    return [
        Finding(one.stream.text, one.version, "extra_blob", _EXTRA)
        if one.is_blob
        else Finding(one.stream.text, one.version, "missing_blob", _MISSING)
        for one in found
    ]


_EXTRA = (
    "blobs: a row that no event's content is in, as an erasure by hand leaves it; it may hold what"
    " was to go: delete it"
)
_MISSING = (
    "blobs: no row for the event, which says that its content is there; nothing but a backup has"
    " it, and the thread cannot be read or compared without"
)
