"""Compare a thread's rows with its events.

Rows kept live and rows folded again come from the same ``evolve``, so no finding is a law, tested
after every kind of write. A finding means that the tables were changed by hand or a rule changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from eventstore.conversation.rows import RunRow
from eventstore.core.events import StreamKey
from eventstore.core.values import Value
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.expected import Expected, expected_rows
from eventstore.threads.indexes import ContentIndex, IndexEntry, stored_entries
from eventstore.threads.leases import LEASES, lease_key
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.snapshot_checks import StoredSnapshots
from eventstore.threads.thread_table import ThreadKey

__all__ = ["Finding", "compare_thread"]


class Finding(Value):
    """One row that differs from the events, or an event or large content that is missing."""

    stream_id: str
    """The stream that it belongs to."""
    version: int
    """The thread's version by its events; for an event or a blob, the version of the event."""
    kind: str
    """``"missing_row"``, ``"extra_row"`` or ``"different_row"``, which a rebuild mends;
    ``"missing_event"``, ``"missing_blob"`` or ``"extra_blob"``, which it does not."""
    message: str
    """A sentence that describes the difference."""


def compare_thread(tx: Transaction, log: Log, stream: StreamKey) -> list[Finding]:
    """Return every row of a thread that differs from its events."""
    tenant = find_tenant(tx, stream.tenant) or 0
    index = ContentIndex()
    snapshots = StoredSnapshots(tx, (tenant, stream.id))
    events = decoded_events(tx, log, stream)
    expected = expected_rows(tx, log, stream, events, index, snapshots=snapshots)
    actual = {
        (kind, kind.key_of(row)): row
        for kind, table in ROW_TABLES.items()
        for row in table.all(tx, tenant, stream.id)
    }
    differences = [
        *_differences(expected.rows, actual),
        *_lease_differences(tx, (tenant, stream.id), expected),
        *_index_differences(index.entries(tx, stream), stored_entries(tx, tenant, stream.id)),
        *[
            ("different_row", f"snapshots: the state after event {version} differs")
            for version in snapshots.wrong
        ],
    ]
    return [
        Finding(stream_id=stream.text, version=expected.version, kind=kind, message=message)
        for kind, message in differences
    ]


def _lease_differences(
    tx: Transaction, thread: ThreadKey, expected: Expected
) -> Iterator[tuple[str, str]]:
    """Compare whether each run that is held has a lease; no event tells when a lease ends."""
    runs = [row for row in expected.rows.values() if isinstance(row, RunRow)]
    wanted = {key for key, held in (lease_key(thread, row) for row in runs) if held}
    found = {*LEASES.between(tx, thread, thread)}
    for key in wanted - found:
        yield "missing_row", f"leases: no row for {_shown(key[-1])}"
    for key in found - wanted:
        yield "extra_row", f"leases: a row for {_shown(key[-1])} that no event made"


def _index_differences(
    expected: set[IndexEntry], actual: set[IndexEntry]
) -> Iterator[tuple[str, str]]:
    """Compare index entries without showing them: they may be personal."""
    for table, *_ in sorted(expected - actual):
        yield "missing_row", f"{table}: a row is missing, or has another value"
    for table, *_ in sorted(actual - expected):
        yield "extra_row", f"{table}: a row that no event made"


def _differences(
    expected: dict[tuple[type[Any], Any], Any], actual: dict[tuple[type[Any], Any], Any]
) -> Iterator[tuple[str, str]]:
    for place in expected.keys() | actual.keys():
        name = ROW_TABLES[place[0]].name
        wanted, found = expected.get(place), actual.get(place)
        if found is None:
            yield "missing_row", f"{name}: no row for {_shown(place[1])}"
        elif wanted is None:
            yield "extra_row", f"{name}: a row for {_shown(place[1])} that no event made"
        elif wanted != found:
            fields = [
                f"{field}: {_shown(getattr(found, field))}, not {_shown(getattr(wanted, field))}"
                for field in wanted.__struct_fields__
                if getattr(wanted, field) != getattr(found, field)
            ]
            yield "different_row", f"{name} {_shown(place[1])}: {'; '.join(fields)}"


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(msgspec.to_builtins(value)) if isinstance(value, msgspec.Struct) else str(value)
