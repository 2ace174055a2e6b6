"""Check that a stream's versions follow one another, from 1 to the version of its head.

Triggers forbid deleting events, so a gap means that triggers were bypassed, or that the file was
damaged. A reader of the stream gets the error at the gap, after the events before it: later events
are never shown or folded as if nothing were missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain

__all__ = ["missing", "unbroken", "unbroken_pages"]

Row: TypeAlias = Sequence[Any]


def missing(stream: StreamKey, version: int) -> BrokenChain:
    """Return the error for a missing event."""
    return BrokenChain(stream.text, version, "the event is missing")


def unbroken(stream: StreamKey, rows: Sequence[Row], after: int, version_at: int) -> Sequence[Row]:
    """Return the rows, in order of version, up to a gap; ``version_at`` is the version's column.

    Raises:
        BrokenChain: the first row does not follow ``after``.
    """
    if not rows or rows[-1][version_at] - after == len(rows):
        return rows
    count = next(n for n, row in enumerate(rows) if row[version_at] != after + n + 1)
    if count == 0:
        raise missing(stream, after + 1)
    return rows[:count]


def unbroken_pages(
    stream: StreamKey,
    read_page: Callable[[int], tuple[Sequence[Row], bool]],
    head: Callable[[], int],
    version_at: int,
    *,
    after: int,
    until: int,
) -> Iterator[Sequence[Row]]:
    """Yield the rows of a stream with ``after < version <= until``, a page at a time.

    ``read_page`` returns the rows after a version, and whether there may be more; ``head`` is the
    version of the stream's head.

    Raises:
        BrokenChain: at the first event that is missing, also at the end.
    """
    ended: int | None = None
    while True:
        rows, more = read_page(after)
        found = unbroken(stream, rows, after, version_at)
        if found:
            yield found
            after = found[-1][version_at]
        if more or len(found) < len(rows):
            continue
        if after >= until or after >= head():
            return
        if ended == after:
            raise missing(stream, after + 1)
        ended = after  # others may have appended between the two statements: look again
