"""Compare the decision tables of threads whose chain holds with their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from eventstore.audit.findings import AuditFinding, finding
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain, KeyUnavailable, UndecodableEvent
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.not_text import is_not_text
from eventstore.storage.stream_heads import head_version
from eventstore.storage.transaction import Transaction
from eventstore.threads.indexes import EXTERNAL_IDS, THREAD_METADATA
from eventstore.threads.mending_slices import look_over
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.thread_table import ThreadKey

__all__ = ["Compared", "compare_tables"]

_FINDINGS_MAX: Final = 20
"""Rows of one thread that are named; the others are counted."""
_ANY_RULE: Final = (LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""Errors of rules of folding, which forged events may break in any way."""
_UNFOLDED: Final = (BrokenChain, UndecodableEvent, KeyUnavailable, *_ANY_RULE)


class Compared(NamedTuple):
    """The result of comparing some threads."""

    compared: int
    not_compared: int
    findings: Sequence[AuditFinding]


def compare_tables(tx: Transaction, log: Log, streams: Sequence[StreamKey]) -> Compared:
    """Compare the rows of threads of a tenant, one after the other in the order of their ids."""
    try:
        return _compared(tx, log, streams)
    except Exception as error:
        if not (isinstance(error, _UNFOLDED) or is_not_text(error)):
            raise
        if len(streams) == 1:
            return Compared(0, 1, [*_unfolded(tx, streams[0], error)])
    found = [compare_tables(tx, log, [one]) for one in streams]
    return Compared(
        sum(one.compared for one in found),
        sum(one.not_compared for one in found),
        [finding for one in found for finding in one.findings],
    )


def _compared(tx: Transaction, log: Log, streams: Sequence[StreamKey]) -> Compared:
    findings: list[AuditFinding] = []
    for wrong in look_over(tx, log, streams).wrong:
        stream, told = wrong.stream.text, [*wrong.told()]
        more = len(told) - _FINDINGS_MAX
        if more > 0:
            told[_FINDINGS_MAX:] = [f"{more} more rows differ"]
        findings += [finding(stream, wrong.version, "projection_differs", one) for one in told]
    return Compared(len(streams), 0, findings)


def _unfolded(tx: Transaction, stream: StreamKey, error: Exception) -> Iterator[AuditFinding]:
    """Yield why a thread cannot be folded, unless the reason is in another thread.

    A fork's source has a finding of its own. That this store has no key for sealed content says
    nothing about the thread: then its tables are not compared.
    """
    if isinstance(error, UndecodableEvent):
        if error.stream_id == stream.text:
            message = f"the {error.event_type} cannot be read"
            yield finding(stream.text, error.version, "unreadable", message)
    elif isinstance(error, _ANY_RULE):
        message = f"its events cannot be folded ({type(error).__name__})"
        yield finding(stream.text, 0, "unreadable", message)
    elif is_not_text(error):
        thread, version = (find_tenant(tx, stream.tenant) or 0, stream.id), head_version(tx, stream)
        for table in _unreadable(tx, thread):
            message = f"{table}: a row holds bytes that are no text"
            yield finding(stream.text, version, "projection_differs", message, _BY_HAND)


def _unreadable(tx: Transaction, thread: ThreadKey) -> Iterator[str]:
    """Yield the names of the tables whose rows for a thread cannot be read."""
    for table in (*ROW_TABLES.values(), THREAD_METADATA, EXTERNAL_IDS):
        try:
            table.between(tx, thread, thread)
        except Exception as error:
            if not is_not_text(error):
                raise
            yield table.name


_BY_HAND: Final = (
    "Delete the thread's rows of this table by hand, since they cannot be read: 'eventstore check"
    " --rebuild' makes them anew from the events."
)
