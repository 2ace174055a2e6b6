"""Leave snapshots of long threads: after the append that makes one due, and before a store closes.

Nothing depends on a snapshot. So whatever goes wrong here is logged and left to the next reader,
who folds more events: the append before it is committed, and must not look lost.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

from eventstore.api.operations.operation import Read, Scope
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage.snapshots import BYTES_MAX
from eventstore.threads import leaving
from eventstore.write_path.requests import Appended, Maintenance, Request

__all__ = ["left_to_readers", "parting", "snapshots_due"]

_log = logging.getLogger("eventstore.threads")


def snapshots_due(scope: Scope, request: Request, outcome: Appended) -> Read[None] | None:
    """Return a read that leaves snapshots after an append of this store; None if none is due."""
    stream, version = request.stream, outcome.version
    if not leaving.passes(version, len(outcome.positions)):
        return None
    if stream is None or stream.category != ids.THREAD:
        return None
    return Read(lambda tx: leaving.leave_snapshots(tx, scope.log, stream, version))


def parting(scope: Scope) -> Maintenance[None] | None:
    """Return a write of the snapshots that wait, before a store closes; None without any.

    So a process that only reads leaves those that it took to the next one.
    """
    snapshots = scope.log.snapshots
    if not snapshots.waiting:
        return None
    return Maintenance(partial(snapshots.write, most=BYTES_MAX), keeps_rows=True)


@contextmanager
def left_to_readers(stream: StreamKey | None) -> Generator[None]:
    """Log an error of the block instead of raising it."""
    try:
        yield
    except Exception:  # noqa: BLE001 (whatever it is: the append is committed)
        name = "" if stream is None else stream.text
        _log.warning("no snapshot was taken of %s: its next reader does it", name, exc_info=True)
