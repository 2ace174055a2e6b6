"""The mark of a verification: an event in the tenant's own stream, and so chained itself.

It says how far the log was verified, and with which ends of streams. The next verification looks at
what came since: it recomputes the streams that went on, the stream of the mark among them, and
compares the ends of the others with the mark. **It trusts the mark:** whoever can write to the
database can alter an old event and leave its hash, or write a new mark with a chain that fits. A
full verification finds the first, a signed tree head the second.
"""

from __future__ import annotations

from typing import NamedTuple

from eventstore.conversation.store_events import MarkVerified, TenantVerified
from eventstore.core.events import Position, StreamKey
from eventstore.errors import InvalidInput
from eventstore.read_models.catch_up.pages import last_position
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import head_version
from eventstore.storage.traces import traces, traces_back
from eventstore.storage.transaction import Transaction
from eventstore.storage.verified_marks import digest_of_ends, streams_since
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import Appended, AppendRequest, Failed
from eventstore.write_path.store_streams import store_stream

__all__ = ["Mark", "ends_differ", "last_mark", "mark", "position_to_mark", "streams_behind"]


class Mark(NamedTuple):
    """A mark, and the version of its event."""

    version: int
    position: Position
    digest: bytes


def position_to_mark(tx: Transaction) -> Position:
    """Return how far a verification that begins now will have looked."""
    return last_position(tx)


def mark(tx: Transaction, log: Log, request: AppendRequest, position: Position) -> Appended:
    """Append the mark of a verification that found nothing; ``request`` says for whom."""
    stream = request.stream
    number = find_tenant(tx, stream.tenant) or 0
    streams, digest = digest_of_ends(tx, number, position)
    command = MarkVerified(position=(*position,), streams=streams, digest=digest)
    made = AppendRequest(stream, (command,), metadata=request.metadata, actor=request.actor)
    [outcome] = append_many(tx, [made], log)
    if isinstance(outcome, Failed):
        raise outcome.error
    assert isinstance(outcome, Appended)  # noqa: S101 (it never waits)
    return outcome


def last_mark(tx: Transaction, log: Log, tenant: str) -> Mark:
    """Return the last mark of a tenant.

    Raises:
        InvalidInput: there is none.
    """
    stream = store_stream(tenant)
    for one in traces_back(tx, log, stream, until=head_version(tx, stream)):
        if isinstance(one.data, TenantVerified):
            return Mark(one.version, Position(*one.data.position), one.data.digest)
    raise InvalidInput(
        "changed_only",
        "needs a tree_head, or the mark of an earlier verification",
        "Verify everything once with mark=True.",
    )


def streams_behind(tx: Transaction, tenant: str, known: Mark) -> list[tuple[int, bytes]]:
    """Return the streams that went on since a mark."""
    return streams_since(tx, find_tenant(tx, tenant) or 0, known.position)


def ends_differ(tx: Transaction, log: Log, tenant: str, known: Mark) -> tuple[bool, bool]:
    """Return whether the ends as of a mark are others now, and whether purges may be the reason."""
    _, digest = digest_of_ends(tx, find_tenant(tx, tenant) or 0, known.position)
    if digest == known.digest:
        return False, False
    stream: StreamKey = store_stream(tenant)
    gone = {"ThreadPurged", "StreamsPurged"}
    later = traces(tx, log, stream, after=known.version - 1)
    return True, any(one.type in gone for one in later)
