"""``store.audit.trail``: who did what, when and why, with before and after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Final

from eventstore.api.operations.inputs import checked_sequence
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import Paged, PageDone, Read, Scope
from eventstore.audit.trail import StreamPlace, TenantPlace, stream_page, tenant_page
from eventstore.audit.trail_values import TrailEntry, TrailFilter
from eventstore.core import ids
from eventstore.core.events import StreamKey, microseconds
from eventstore.core.json_values import check_name
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput, ThreadNotFound
from eventstore.storage import read as log_reading
from eventstore.storage import stream_heads
from eventstore.storage.transaction import Transaction
from eventstore.storage.whole_store import START
from eventstore.write_path.categories import CATALOGUES

_TYPES: Final = frozenset(name for one in CATALOGUES.values() for name in one.types)


def trail(
    scope: Scope,
    thread_id: str | None = None,
    *,
    actor: str | None = None,
    type: str | Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    event_id: str | None = None,
) -> Paged[TrailEntry]:
    """Yield who did what, when and why: each event with the fields that it changed.

    Before and after are folded from the events. Words that were erased are shown as erased. Entries
    of a thread come in the order of its versions, those of a tenant in the order of the store.

    Its cost is linear in the events read, which are all events of the thread or tenant: filters
    save making entries, and ``since`` also saves reading what came before it in a thread. A page of
    events is in memory at a time.

    To follow causes, give ``event_id=entry.causation_id``; to follow effects,
    ``causation_id=entry.event_id``; for everything done for one request, its ``correlation_id``.

    Args:
        thread_id: The thread; the whole tenant if left out, with its assistants and purges, and
            without streams of the application's own.
        actor: Only what this actor did.
        type: Only events of this type, or of these types; ``eventstore log`` shows them.
        since: Only what was recorded then or later; with a time zone.
        until: Only what was recorded earlier than then; with a time zone.
        correlation_id: Only what was done under this correlation id.
        causation_id: Only what this event or request led to.
        event_id: Only this event.

    Raises:
        InvalidInput: an argument is malformed, or there is no such type of event.
        ThreadNotFound: there is none.
        BrokenChain: the next event is missing.
        Refused: without ``thread_id``, if the tables are distributed over several nodes, which
            have no common order.
    """
    key = None if thread_id is None else thread_key(scope, thread_id)
    wanted = TrailFilter(
        _named(actor, "actor"),
        None if type is None else _types(type),
        None if since is None else microseconds(since, "since"),
        None if until is None else microseconds(until, "until"),
        _named(correlation_id, "correlation_id"),
        _named(causation_id, "causation_id"),
        None
        if event_id is None
        else ids.show(ids.EVENT, ids.parse(ids.EVENT, event_id, "event_id")),
    )

    def page(place: object) -> Read[PageDone[TrailEntry]]:
        if key is None:
            begun = place if isinstance(place, TenantPlace) else TenantPlace(START, {})
            return Read(lambda tx: tenant_page(tx, scope.log, scope.tenant, begun, wanted))
        return Read(lambda tx: of_thread(tx, key, place))

    def of_thread(tx: Transaction, stream: StreamKey, place: object) -> PageDone[TrailEntry]:
        if stream_heads.head_version(tx, stream) == 0:  # also if it was purged meanwhile
            raise ThreadNotFound(stream.text)
        begun = (
            place if isinstance(place, StreamPlace) else StreamPlace(_first(tx, stream, wanted), {})
        )
        return stream_page(tx, scope.log, stream, begun, wanted)

    return Paged((), page)


def _first(tx: Transaction, stream: StreamKey, wanted: TrailFilter) -> int:
    """Return the version behind which the wanted entries of a thread begin."""
    since = wanted.since_us
    return 0 if since is None else log_reading.version_at_time(tx, stream, since - 1)


def _named(value: str | None, field: str) -> str | None:
    return None if value is None else check_name(value, field)


def _types(given: str | Sequence[str]) -> frozenset[str]:
    remedy = "Give the name of a type of event, or several."
    names = [given] if isinstance(given, str) else checked_sequence(given, "type", remedy)
    for name in names:
        if not isinstance(name, str) or name not in _TYPES:
            near = get_close_matches(str(name), sorted(_TYPES), 3) or sorted(_TYPES)
            raise InvalidInput(
                "type", f"{quoted(name)} is no type of event", f"Use one of: {', '.join(near)}."
            )
    return frozenset(names)
