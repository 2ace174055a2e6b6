"""Read when something last happened in streams: the time of their last events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.storage.among import among, in_few
from eventstore.storage.transaction import Transaction

__all__ = ["Activity", "last_activity"]

_LAST: Final = (
    "SELECT stream, version, recorded_at FROM {streams} WHERE tenant = ? AND category = ?"
    " AND stream"
)


class Activity(NamedTuple):
    """The last event of a stream."""

    version: int
    at_us: int


def last_activity(
    tx: Transaction, category: tuple[int, int], streams: Sequence[bytes]
) -> dict[bytes, Activity]:
    """Return the last activity of streams; ``category`` holds the numbers of tenant and category.

    Streams without events are left out.
    """
    found: dict[bytes, Activity] = {}
    for few in in_few(streams):
        asked, names = among(few)
        for stream, version, at_us in tx.all(f"{_LAST} {asked}", (*category, *names)):
            found[bytes(stream)] = Activity(version, at_us)
    return found
