"""Verify the log of a tenant, or one thread: page by page, each on one snapshot.

A page recomputes the chain of the next events, stream after stream. A stream that ends in it is
compared with its head and with what its own events say about other rows. Threads whose chain holds
are folded in the same page, and their tables compared. One page is in memory at a time, and of a
stream that goes on only its last hash.

Others may write meanwhile. A stream that is judged is judged by one snapshot, in which its last
events and its head are read together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.audit.findings import AuditFinding
from eventstore.audit.leftovers import leftovers
from eventstore.audit.references import ALWAYS_NOTABLE, NOTABLE, anchor_of, check_references
from eventstore.audit.stream_walk import StreamWalk
from eventstore.audit.tables import compare_tables
from eventstore.audit.tree_checks import check_leaves
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage.chain_pages import (
    LAST,
    heads_between,
    page_of_chain,
    stream_categories,
    stream_exists,
    streams_counted,
    with_contents,
)
from eventstore.storage.interning import category_name, find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import next_changed

__all__ = [
    "Verified",
    "Verifying",
    "VerifyingChanged",
    "thread_place",
    "verify_changed_page",
    "verify_page",
    "verify_thread_page",
]

_PAGE_EVENTS: Final = 1_000


class Verified(NamedTuple):
    """The result of one page."""

    streams: int = 0
    events: int = 0
    compared: int = 0
    not_compared: int = 0
    findings: Sequence[AuditFinding] = ()
    streams_at_the_end: int = 0
    """The number of all streams, at the end of a verification of those that changed."""
    read_model: str | None = None
    """The read model that was compared on this page, if it was the last one of its events."""
    since: int | None = None
    """Version of the mark that this verification goes on from."""
    marked: int | None = None
    """Version of the mark that this verification left."""


class Verifying(NamedTuple):
    """The progress of a verification."""

    categories: Sequence[str] | None = None
    """Categories that are left, the current one first; None at the beginning."""
    after: tuple[bytes, int] = (b"", 0)
    """The last event that was taken: its stream and version."""
    judged: bytes = b""
    """The last stream that was judged."""
    last: bytes = LAST
    """The last stream to verify in each category."""
    open: StreamWalk | None = None
    """The walk along a stream of which a page saw only the beginning."""
    sources: tuple[bytes, ...] = ()
    """Threads to verify after the one that was asked for, since it was forked from them."""


class VerifyingChanged(NamedTuple):
    """The progress of a verification of the streams that went on since a tree head."""

    size: int
    """Number of leaves that the head covers."""
    streams: tuple[tuple[int, bytes], ...] | None = None
    """The streams that went on since a mark, in order; None to find those since the tree head."""
    stream: tuple[int, bytes] = (0, b"")
    """The last stream that was begun: the number of its category, and its id."""
    within: Verifying | None = None
    """The place within it, if it was not verified to its end."""


def thread_place(thread_id: bytes, sources: tuple[bytes, ...] = ()) -> Verifying:
    """Return the place at which the verification of one thread begins."""
    return _stream_place(ids.THREAD, thread_id)._replace(sources=sources)


def _stream_place(category: str, key: bytes) -> Verifying:
    before = (int.from_bytes(key) - 1).to_bytes(len(key)) if any(key) else b""
    return Verifying((category,), (before, _END), before, key)


_END: Final = 2**62


def verify_page(
    tx: Transaction, log: Log, tenant: str, place: Verifying
) -> tuple[list[Verified], Verifying | None]:
    """Verify the next events of a tenant; return the result and the next place, None at the end."""
    number = find_tenant(tx, tenant)
    if number is None:
        return [], None
    if place.categories is None:
        names = [name for _, name in stream_categories(tx, number)]
        place = place._replace(categories=names)
    if not place.categories:
        beside = [*leftovers(tx, tenant), *check_leaves(tx, log, tenant)]
        return [Verified(findings=beside)], None
    found, following, _ = _look(tx, log, tenant, place)
    return [found], following


def verify_changed_page(
    tx: Transaction, log: Log, tenant: str, place: VerifyingChanged
) -> tuple[list[Verified], VerifyingChanged | None]:
    """Do the same for the streams that went on since a tree head.

    That the others end where the head says is what :func:`check_leaves` looks at, for all streams.
    """
    number = find_tenant(tx, tenant)
    if number is None:
        return [], None
    within = place.within
    if within is None:
        found = _next_changed(tx, number, place)
        if found is None:
            beside = [*leftovers(tx, tenant), *check_leaves(tx, log, tenant)]
            total = streams_counted(tx, number)
            return [Verified(findings=beside, streams_at_the_end=total)], None
        place = place._replace(stream=found)
        within = _stream_place(category_name(tx, found[0]), found[1])
    verified, following, _ = _look(tx, log, tenant, within)
    return [verified], place._replace(within=following if following.categories else None)


def _next_changed(
    tx: Transaction, tenant: int, place: VerifyingChanged
) -> tuple[int, bytes] | None:
    if place.streams is None:
        return next_changed(tx, tenant, place.stream, place.size)
    at = bisect_right(place.streams, place.stream)
    return place.streams[at] if at < len(place.streams) else None


def verify_thread_page(
    tx: Transaction, log: Log, tenant: str, place: Verifying
) -> tuple[list[Verified], Verifying | None]:
    """Do the same for one thread, and for the threads that it was forked from."""
    found, following, walks = _look(tx, log, tenant, place)
    if following.categories:
        return [found], following
    anchors = [anchor.source for one in walks if (anchor := anchor_of(log, one)) is not None]
    sources = (*place.sources, *anchors)
    return [found], thread_place(sources[0], sources[1:]) if sources else None


def _look(
    tx: Transaction, log: Log, tenant: str, place: Verifying
) -> tuple[Verified, Verifying, list[StreamWalk]]:
    """Verify the next events of a category; also return the walks that ended."""
    assert place.categories  # noqa: S101 (the caller found them)
    names = StreamKey(tenant, place.categories[0], b"")
    category = find_tenant(tx, tenant) or 0, find_category(tx, names.category) or 0
    rows = page_of_chain(tx, category, place.after, place.last, _PAGE_EVENTS)
    walks = _walked(tx, category, names, rows, place.open)
    goes_on = walks.pop() if len(rows) == _PAGE_EVENTS else None
    last = place.last
    if goes_on is not None:
        last = walks[-1].stream.id if walks else place.judged
    ended = _ended(tx, category, names, walks, (place.judged, last))
    found = _checked(tx, log, category, ended)._replace(events=len(rows))
    if goes_on is None:
        return found, Verifying(place.categories[1:], sources=place.sources), ended
    after = (goes_on.stream.id, goes_on.version)
    return found, place._replace(after=after, judged=last, open=goes_on), ended


def _walked(
    tx: Transaction,
    category: tuple[int, int],
    names: StreamKey,
    rows: Sequence[Sequence[object]],
    begun: StreamWalk | None,
) -> list[StreamWalk]:
    """Return the walks along the streams of a page, in order; the last one may go on."""
    notable = NOTABLE.get(names.category, ALWAYS_NOTABLE)
    walks = [] if begun is None else [begun.copied()]
    for row, lost in with_contents(tx, category, rows):
        if not walks or walks[-1].stream.id != row.stream:
            walks.append(StreamWalk(names._replace(id=bytes(row.stream)), notable))
        walks[-1].take(row, lost=lost)
    return walks


def _ended(
    tx: Transaction,
    category: tuple[int, int],
    names: StreamKey,
    walks: Sequence[StreamWalk],
    between: tuple[bytes, bytes],
) -> list[StreamWalk]:
    """Compare the ends of streams with their heads; a stream of which only the head is left, too.

    A stream that was purged since a page saw its beginning is left out.
    """
    heads = heads_between(tx, category, *between)
    known = {walk.stream.id: walk for walk in walks}
    ended = []
    for key in sorted(known.keys() | heads.keys()):
        walk = known.get(key) or StreamWalk(names._replace(id=key), ALWAYS_NOTABLE)
        head = heads.get(key)
        if head is not None or stream_exists(tx, (*category, key)):
            walk.finish(head)
            ended.append(walk)
    return ended


def _checked(
    tx: Transaction, log: Log, category: tuple[int, int], walks: Sequence[StreamWalk]
) -> Verified:
    """Check what the events of streams say about other rows, and the tables of threads."""
    findings: list[AuditFinding] = []
    sound: list[list[StreamKey]] = [[]]
    not_compared = 0
    for walk in walks:
        found = [*walk.findings, *check_references(tx, log, category, walk)]
        findings += found
        if walk.stream.category != ids.THREAD:
            continue
        if found:  # threads with findings are left out of what is folded in one piece
            not_compared += 1
            sound.append([])
        else:
            sound[-1].append(walk.stream)
    compared = 0
    for streams in sound:
        some = compare_tables(tx, log, streams)
        compared += some.compared
        not_compared += some.not_compared
        findings += some.findings
    return Verified(len(walks), 0, compared, not_compared, findings)
