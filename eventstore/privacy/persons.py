"""Erase everything that was written in the name of a person, one stream after another.

Each stream is erased in a transaction of its own: a thread with its forks as one message is, others
by their versions. At the end one ``SubjectErased`` goes to the tenant's stream of the category
``store``. Each erasing event bears the person's subject, so the certificate is made of these
events: the same when the erasure was interrupted and done again, or asked for once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from eventstore.conversation.store_events import EraseSubject, EraseVersions
from eventstore.core import ids
from eventstore.core.events import Position, StreamKey, instant
from eventstore.errors import SubjectNotFound
from eventstore.privacy.erasure import ErasedEvent, Erasure
from eventstore.privacy.remains import projections_behind
from eventstore.storage import read
from eventstore.storage.erasing import hold, keys_of, list_content
from eventstore.storage.interning import category_name
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.subjects import (
    ErasureOf,
    content_versions,
    erasures_of,
    is_known,
    next_stream_of,
)
from eventstore.storage.traces import traces_back
from eventstore.storage.transaction import Transaction
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import Appended, AppendRequest, Failed

__all__ = ["erase_stream", "next_stream", "record"]


def next_stream(
    tx: Transaction, tenant: str, subject: bytes, after: tuple[int, bytes]
) -> tuple[tuple[int, bytes], StreamKey] | None:
    """Return the next stream that holds events of a person; None at the end.

    Raises:
        SubjectNotFound: nothing was ever written in that name.
    """
    if not is_known(tx, tenant, subject):
        raise SubjectNotFound(ids.show(ids.SUBJECT, subject))
    return next_stream_of(tx, tenant, subject, after)


def erase_stream(tx: Transaction, log: Log, request: AppendRequest, subject: bytes) -> Appended:
    """Erase content of a person in a stream that is no thread's; it need not be there any more."""
    stream = request.stream
    hold(tx, stream)
    place = place_of(tx, stream)
    versions = [] if place is None else content_versions(tx, place, subject)
    if not versions:
        return Appended(None, 0, ())
    command = EraseVersions(versions=tuple(versions), subject_id=subject)
    outcome = _appended(tx, log, replace(request, commands=(command,)))
    list_content(tx, stream, outcome.version, versions, keys_of(tx, stream, versions))
    return outcome


def record(tx: Transaction, log: Log, request: AppendRequest, subject: bytes) -> Appended[Erasure]:
    """Record that a person was erased, unless nothing was erased since it was last recorded.

    ``request`` goes to the store's stream. The result is the certificate, still without copies.
    """
    erasures = erasures_of(tx, request.stream.tenant, subject)
    streams = len({(one.category, one.stream) for one in erasures})
    events = sum(len(one.versions) for one in erasures)
    known = _recorded(tx, log, request.stream, subject)
    last = max((one.position for one in erasures), default=None)
    positions: tuple[Position, ...] = ()
    if known is None or (last is not None and known.position < last):
        command = EraseSubject(subject_id=subject, streams=streams, events=events)
        outcome = _appended(tx, log, replace(request, commands=(command,)))
        positions = outcome.positions
        known = read.event_at(tx, request.stream, outcome.version)
    made = _certificate(tx, known, subject, erasures)
    return Appended(made, known.version, positions)


def _recorded(
    tx: Transaction, log: Log, stream: StreamKey, subject: bytes
) -> read.StoredEvent | None:
    for one in traces_back(tx, log, stream, until=head_version(tx, stream)):
        if one.type == "SubjectErased" and one.data.subject_id == subject:
            return read.event_at(tx, stream, one.version)
    return None


def _appended(tx: Transaction, log: Log, request: AppendRequest) -> Appended:
    [outcome] = append_many(tx, [request], log)
    if isinstance(outcome, Failed):
        raise outcome.error
    assert isinstance(outcome, Appended)  # noqa: S101 (it never waits)
    return outcome


def _certificate(
    tx: Transaction,
    recorded: read.StoredEvent,
    subject: bytes,
    erasures: Sequence[ErasureOf],
) -> Erasure:
    last = max((one.position for one in erasures), default=None)
    behind = () if last is None else projections_behind(tx, last)
    return Erasure(
        thread_id=None,
        message_id=None,
        subject_id=ids.show(ids.SUBJECT, subject),
        version=recorded.version,
        erased_at=instant(recorded.recorded_at_us),
        actor=read.actor_of(recorded.metadata),
        erased=tuple(
            ErasedEvent(stream_id=stream, version=version)
            for stream, version in sorted(
                {
                    (ids.show(category_name(tx, one.category), one.stream), version)
                    for one in erasures
                    for version in one.versions
                }
            )
        ),
        copies=(),
        remains=behind,
        pending=bool(behind),
    )
