"""``store.events``: the log itself, the application's own streams, and reading everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace
from pydantic import ValidationError

from eventstore.api.operations.inputs import (
    checked_count,
    checked_flag,
    checked_metadata,
    checked_sequence,
    checked_version,
)
from eventstore.api.operations.operation import (
    AppendOptions,
    Paged,
    Read,
    Scope,
    Write,
    WriteOptions,
    write,
)
from eventstore.api.operations.recorded import recorded_each
from eventstore.conversation.events import ContentErased
from eventstore.core import expectations, ids
from eventstore.core.events import (
    Decided,
    NewEvent,
    Position,
    RecordedEvent,
    StreamKey,
)
from eventstore.core.json_values import check_name
from eventstore.errors import InvalidInput, StreamNotFound
from eventstore.read_models.catch_up.pages import last_position as newest_position
from eventstore.storage import read as log_reading
from eventstore.storage import stream_heads, whole_store
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.categories import CATALOGUES

TYPE_MAX: Final = 128
_FIELDS: Final = frozenset(NewEvent.model_fields)


class Receipt(NamedTuple):
    """The place of appended events of the application's own."""

    stream_id: str
    """Stream that they belong to."""
    version: int
    """Version of the stream after the append."""
    positions: tuple[Position, ...]
    """Positions of the events just appended; empty for a repeat."""


_NO_OPTIONS: Final = AppendOptions()


def append(
    scope: Scope,
    stream_id: str,
    events: Sequence[NewEvent | Mapping[str, Any]],
    *,
    expected_version: int | Literal["no_stream", "stream_exists", "any"],
    options: AppendOptions = _NO_OPTIONS,
) -> Write[Receipt]:
    """Append events of your own to a stream of your own, all or none.

    Args:
        stream_id: Category and 32 lowercase hex digits, for example ``invoice_…``.
        events: NewEvents, or dicts of their fields.
        expected_version: Version that the stream must be at, ``"no_stream"``,
            ``"stream_exists"``, or ``"any"``.

    Raises:
        InvalidInput: a value is malformed, or the category belongs to the library.
        WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    category, key = ids.parse_stream(stream_id)
    if category in CATALOGUES:
        raise InvalidInput(
            "stream_id",
            f"the category {category!r} belongs to the library",
            "Use store.threads, store.messages and the like, or a category of your own.",
        )
    given = checked_sequence(events, "events", "Give NewEvents, or dicts of their fields.")
    if not 0 < len(given) <= scope.log.limits.batch_size_max:
        most = scope.log.limits.batch_size_max
        raise InvalidInput("events", f"has {len(given)} items", f"Give 1 to {most} NewEvents.")
    expected = expectations.parse(expected_version)  # None too: it is always given
    decided = [_decided(scope.log, one, index) for index, one in enumerate(given)]
    stream = StreamKey(scope.tenant, category, key)
    guarded = WriteOptions(expected_version=expected, **msgspec.structs.asdict(options))
    return replace(
        write(scope, stream, (decided,), guarded),
        answer=lambda appended: Receipt(stream.text, appended.version, appended.positions),
    )


def _event(given: NewEvent | Mapping[str, Any], field: str) -> NewEvent:
    if isinstance(given, NewEvent):
        return given
    try:
        return NewEvent.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    # Raised out here, or pydantic's error with its input would be the context of ours.
    where = ".".join([field, *[str(step) for step in first["loc"][:1] if step in _FIELDS]])
    raise InvalidInput(where, first["msg"], "Give a NewEvent.")


def _decided(log: Log, given: NewEvent | Mapping[str, Any], index: int) -> Decided:
    field = f"events[{index}]"
    event = _event(given, field)
    if event.metadata:
        raise InvalidInput(
            f"{field}.metadata",
            "belongs to the whole append, not to one event",
            "Use store.acting() or actor=.",
        )
    limits = log.limits._replace(metadata_bytes_max=log.limits.content_bytes_max)
    return Decided(
        _checked_type(event.type, f"{field}.type"),
        checked_metadata(event.data, limits, f"{field}.data") or {},
        checked_metadata(event.content, limits, f"{field}.content"),
        None
        if event.event_id is None
        else ids.parse(ids.EVENT, event.event_id, f"{field}.event_id"),
    )


def _checked_type(name: str, field: str) -> str:
    if name == ContentErased.__name__:
        raise InvalidInput(
            field, f"{name!r} belongs to the library, in every stream", "Use another name."
        )
    return check_name(name, field, TYPE_MAX)


# -- reading ---------------------------------------------------------------------------------------


def read(
    scope: Scope,
    stream_id: str,
    *,
    after: int = 0,
    limit: int | None = None,
    backwards: bool = False,
) -> Paged[RecordedEvent]:
    """Yield the events of a stream.

    Args:
        stream_id: Id of a thread, an assistant, or a stream of your own.
        after: Version to begin behind; backwards, the version to stop in front of.
        limit: Most events to yield; None is all of them.
        backwards: Begin with the last event.

    Raises:
        InvalidInput: a value is malformed.
        StreamNotFound: the stream has no events in this tenant.
        BrokenChain: the next event is missing.
    """
    category, key = ids.parse_stream(stream_id)
    stream = StreamKey(scope.tenant, category, key)
    after, limit = checked_version(after, "after", 0), _checked_count(limit)
    checked_flag(backwards, "backwards")

    def page(place: tuple[int, int | None]) -> Read[Any]:
        return Read(lambda tx: look(tx, *place))

    def look(tx: Transaction, edge: int, left: int | None) -> tuple[Iterator[RecordedEvent], Any]:
        head = stream_heads.head_version(tx, stream)
        if head == 0:
            raise StreamNotFound(stream_id)
        size = log_reading.PAGE if left is None else min(left, log_reading.PAGE)
        if backwards:
            edge = min(edge, head)
            found = log_reading.recorded_backwards(tx, stream, after=after, until=edge, limit=size)
            edge -= len(found.rows)
            done = edge <= after
        else:
            found = log_reading.recorded_in_stream(tx, stream, after=edge, limit=size)
            edge += len(found.rows)
            done = edge >= head
        rest = None if left is None else left - len(found.rows)
        return recorded_each(scope.log, found), None if done or rest == 0 else (edge, rest)

    return Paged((2**62 if backwards else after, limit), page)


def _checked_count(limit: int | None) -> int | None:
    return None if limit is None else checked_count(limit, "limit")


def position_text(after: Position | str) -> str:
    return str(after) if isinstance(after, Position) else after


def read_all(
    scope: Scope, *, after: Position | str | None = None, limit: int | None = None
) -> Paged[RecordedEvent]:
    """Yield every event of the tenant, in the order of the store.

    Args:
        after: ``position`` of an event to begin behind, or the text of one.
        limit: Most events to yield; None is all of them.

    Raises:
        InvalidInput: a value is malformed.
        BrokenChain: an event is missing between two of its stream that were read together.
            ``projections.compare()`` finds every one that is missing.
        Refused: the tables are distributed over several nodes, which have no common order.
    """
    start = whole_store.START if after is None else Position.parse(position_text(after))
    limit = _checked_count(limit)

    def page(place: tuple[Position, int | None]) -> Read[Any]:
        return Read(lambda tx: look(tx, *place), snapshot=False)

    def look(
        tx: Transaction, edge: Position, left: int | None
    ) -> tuple[Iterator[RecordedEvent], Any]:
        size = log_reading.PAGE if left is None else min(left, log_reading.PAGE)
        found = whole_store.recorded_in_all(tx, scope.tenant, after=edge, limit=size)
        rest = None if left is None else left - len(found.rows)
        done = not found.more or rest == 0
        following = None if done else (log_reading.position_of(found.rows[-1]), rest)
        return recorded_each(scope.log, found), following

    return Paged((start, limit), page, ahead=True)


def last_position(scope: Scope) -> Read[Position]:
    """Return the position of the newest event: a subscription behind it begins with news.

    Raises:
        Refused: the tables are distributed over several nodes, which have no common order.
    """
    del scope  # the order is that of the whole store
    return Read(newest_position)


# -- following -------------------------------------------------------------------------------------
