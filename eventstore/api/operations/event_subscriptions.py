"""``store.events.subscribe``: follow the log, from a position or from its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventstore.api.operations.events import TYPE_MAX, position_text
from eventstore.api.operations.following import Subscribe
from eventstore.api.operations.inputs import (
    checked_sequence,
)
from eventstore.api.operations.operation import (
    Scope,
)
from eventstore.api.operations.recorded import recorded
from eventstore.core import ids
from eventstore.core.events import (
    Position,
    RecordedEvent,
    StreamKey,
)
from eventstore.core.json_values import check_name
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.storage import whole_store

__all__ = ["subscribe"]


_POLL_SECONDS_MAX: Final = 86_400.0
_PAUSE_SECONDS_MAX: Final = 60.0


def subscribe(
    scope: Scope,
    *,
    after: Position | str | None = None,
    categories: Sequence[str] | None = None,
    stream_id: str | None = None,
    types: Sequence[str] | None = None,
    poll_seconds: float = 1.0,
    pause_seconds: float = 0.0,
) -> Subscribe[RecordedEvent]:
    """Yield the events of the tenant after a position, then each new one, without end.

    Every event is delivered once, and the events of each stream in order of version, whatever
    writers do meanwhile. Keep the ``position`` of the last event that you are done with, and
    begin behind it next time. While the database cannot be reached, the subscription waits for
    it.

    Args:
        after: ``position`` of an event to begin behind, or the text of one.
        categories: Deliver only streams of these categories, for example ``["thread"]``.
        stream_id: Deliver only this stream.
        types: Deliver only events of these types; up to 1,000.
        poll_seconds: How long a new event may take where no hint of a commit arrives: after a
            lost connection, through a pooler, or beside an engine of your own.
        pause_seconds: Least time between two looks at the log. The first event after a quiet time
            still comes at once; in a busy store this many seconds of events are read together.

    Raises:
        InvalidInput: a value is malformed.
        StoreClosed: the store was closed, also while waiting.
        UndecodableEvent, UnknownEventType: the next event cannot be read; none is ever skipped.
        BrokenChain: the event before the next one in its stream is missing.
        StoreUnavailable: the database fails for a reason that does not pass with time.
        Refused: the tables are distributed over several nodes, which have no common order.
    """
    only = whole_store.Filter(
        scope.tenant,
        _names(categories, "categories"),
        None if stream_id is None else StreamKey(scope.tenant, *ids.parse_stream(stream_id)),
        _names(types, "types"),
    )
    start = whole_store.START if after is None else Position.parse(position_text(after))
    seconds = _checked_seconds(poll_seconds)
    pause = _checked_pause(pause_seconds)
    return Subscribe(only, start, seconds, pause, lambda stored: recorded(scope.log, stored))


def _checked_seconds(value: object) -> float:
    if not isinstance(value, (int, float)) or not 0 < value <= _POLL_SECONDS_MAX:
        raise InvalidInput(
            "poll_seconds",
            f"{quoted(value)} is not allowed",
            f"Give more than 0 and up to {_POLL_SECONDS_MAX:,.0f} seconds.",
        )
    return float(value)


def _checked_pause(value: object) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= _PAUSE_SECONDS_MAX:
        raise InvalidInput(
            "pause_seconds",
            f"{quoted(value)} is not allowed",
            f"Give 0 to {_PAUSE_SECONDS_MAX:,.0f} seconds.",
        )
    return float(value)


def _names(given: Sequence[str] | None, field: str) -> list[str] | None:
    if given is None:
        return None
    names = checked_sequence(given, field, "Give a list of names, or leave it out for all.")
    if not names:
        raise InvalidInput(field, "is empty", "Name at least one, or leave it out for all.")
    most = whole_store.NAMES_MAX
    if len(names) > most:
        raise InvalidInput(
            field, f"has {len(names)} names", f"Give 1 to {most}, or leave it out for all."
        )
    return [check_name(name, f"{field}[{index}]", TYPE_MAX) for index, name in enumerate(names)]
