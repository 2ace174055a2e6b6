"""Read what the values of many runs need: their events and leases, some runs in a statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage.folding_pages import decoded_events_at
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.run_lists import FoundRun
from eventstore.threads.stored_thread import StoredThread

__all__ = ["views_of"]

_AT_ONCE: Final = 32
_TOUCHES: Final = "SELECT thread, subject, version FROM {{touches}} WHERE {}"
_TOUCH: Final = "tenant = ? AND thread = ? AND subject = ?"
_LEASES: Final = "SELECT thread, run, ends_at FROM {{leases}} WHERE {}"
_LEASE: Final = "tenant = ? AND thread = ? AND run = ?"

_Key = tuple[bytes, bytes]


def views_of(
    tx: Transaction, log: Log, tenant_name: str, tenant: int, found: Sequence[FoundRun]
) -> dict[bytes, StoredThread]:
    """Return views of the threads of runs, by thread, which know all that the runs' values need."""
    views = {one.thread_id: StoredThread(tx, log, tenant_name, one.thread_id) for one in found}
    runs = [(one.thread_id, one.row.run_id) for one in found]
    touched: dict[_Key, list[int]] = defaultdict(list)
    for thread, run, version in _rows(tx, _TOUCHES, _TOUCH, tenant, runs):
        touched[thread, run].append(version)
    leased = {(thread, run): ends for thread, run, ends in _rows(tx, _LEASES, _LEASE, tenant, runs)}
    for thread, run in runs:
        views[thread].know_run(run, sorted(touched[thread, run]), leased.get((thread, run)))
    events = [(one.thread_id, one.row.version) for one in found]
    events += [(thread, version) for (thread, _), each in touched.items() for version in each]
    stream = StreamKey(tenant_name, ids.THREAD, found[0].thread_id if found else b"")
    for thread, event in decoded_events_at(tx, log, stream, events):
        views[thread].know_event(event)
    return views


def _rows(
    tx: Transaction, sql: str, each: str, tenant: int, keys: Sequence[_Key]
) -> Iterator[tuple[bytes, bytes, Any]]:
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        asked = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
        given = [value for key in asked for value in (tenant, *key)]
        for thread, key, value in tx.all(sql.format(" OR ".join([each] * len(asked))), given):
            yield bytes(thread), bytes(key), value
