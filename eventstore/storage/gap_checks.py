"""Find versions that a head counts but no event has, in one stream or in many.

Triggers forbid deleting events, so a gap means that triggers were bypassed or a file is damaged.
``threads/log_findings.py`` calls it; readers notice a gap themselves, see ``gaps``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage.interning import category_name, find_category, find_tenant
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.transaction import Transaction

__all__ = ["Gap", "gaps_elsewhere", "gaps_in"]


class Gap(NamedTuple):
    """Missing versions of a stream, from the first to the last."""

    stream: StreamKey
    first: int
    last: int


_VERSIONS: Final = (
    "SELECT version FROM {events} WHERE tenant = ? AND category = ? AND stream = ? ORDER BY version"
)
_SHORT: Final = (
    "SELECT s.category, s.stream FROM {streams} s WHERE s.tenant = ? AND s.category <> ?"
    " AND s.version <> (SELECT count(*) FROM {events} e WHERE e.tenant = s.tenant"
    " AND e.category = s.category AND e.stream = s.stream) ORDER BY 1, 2"
)


def gaps_in(tx: Transaction, stream: StreamKey) -> Iterator[Gap]:
    """Yield the gaps of one stream, in order."""
    place = place_of(tx, stream)
    if place is None:
        return
    expected = 1
    for (version,) in [*tx.all(_VERSIONS, place), (head_version(tx, stream) + 1,)]:
        if version > expected:
            yield Gap(stream, expected, version - 1)
        expected = version + 1


def gaps_elsewhere(tx: Transaction, tenant: str) -> Iterator[Gap]:
    """Yield the gaps of a tenant's streams that are no threads."""
    number, threads = find_tenant(tx, tenant), find_category(tx, ids.THREAD) or 0
    for category, stream in tx.all(_SHORT, (number, threads)):
        yield from gaps_in(tx, StreamKey(tenant, category_name(tx, category), bytes(stream)))
