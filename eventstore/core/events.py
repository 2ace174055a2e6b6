"""The three shapes of an event: decided, folded, recorded.

A decider returns :class:`Decided` values; appending numbers, chains and encodes them; ``evolve``
takes :class:`Event`, the typed value with its place in the stream; readers of the log get
:class:`RecordedEvent`, which holds everything that is stored, decoded for people.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple, Self

import msgspec
from pydantic import ConfigDict, Field
from pydantic_core import core_schema

from eventstore.core import ids
from eventstore.core.quoting import quoted
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value
from eventstore.errors import InvalidInput

__all__ = [
    "NOBODY",
    "Decided",
    "Event",
    "EventContent",
    "EventData",
    "NewEvent",
    "Position",
    "RecordedEvent",
    "StreamKey",
    "Trace",
    "instant",
    "made",
    "microseconds",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST_US: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_US: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_POSITION: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})\Z")


def instant(us: int) -> datetime:
    """Return microseconds since 1970 as an aware UTC datetime."""
    return _EPOCH + timedelta(0, 0, us)


def microseconds(moment: datetime, field: str) -> int:
    """Return an aware datetime as microseconds since 1970.

    Raises:
        InvalidInput: for anything else; a naive datetime means different moments on different
        hosts, and one that a zone's offset takes out of the calendar could not be shown again.
    """
    if not isinstance(moment, datetime):
        raise InvalidInput(
            field,
            f"expected a datetime, got {type(moment).__name__}",
            "Give a datetime with a time zone.",
        )
    if moment.utcoffset() is None:
        raise InvalidInput(
            field, "the datetime has no time zone", "Use datetime.now(UTC) or add tzinfo."
        )
    us = (moment - _EPOCH) // _MICROSECOND
    if not _FIRST_US <= us <= _LAST_US:
        raise InvalidInput(
            field,
            "the datetime falls outside the years 1 to 9999 in UTC",
            "Give one that stays within them when converted to UTC.",
        )
    return us


class EventData(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of an event's ``data``: structure, hashed, never erased. The class name is the type."""

    erases: ClassVar[bool] = False
    """Whether it erases content: that of the events of its stream in ``versions``."""


class EventContent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of an event's ``content``: everything that can be personal. May be erased."""


made: Final = tuple.__new__
"""Makes a named tuple, as in ``made(StreamKey, (tenant, category, id))``: its class would take
a frame more, and a message needs three."""


class StreamKey(NamedTuple):
    """Key of a stream: the tenant's name, the category, and the 16 bytes of the id."""

    tenant: str
    category: str
    id: bytes

    @property
    def text(self) -> str:
        """The stream's id as users see it."""
        return ids.show(self.category, self.id)


NOBODY: Final = b""
"""Subject of an event that a decider gives to nobody, whoever the request names."""


class Decided(msgspec.Struct, frozen=True, gc=False):
    """One event as a decider returns it; a dict as ``data`` is an application's own event."""

    type: str
    data: EventData | dict[str, Any]
    content: EventContent | dict[str, Any] | None = None
    event_id: bytes | None = None
    subject: bytes | None = None
    """Subject whose data the content is; None means that of the request, or the stream's own."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event with its place in the stream, as ``evolve`` folds it."""

    type: str
    version: int
    recorded_at_us: int
    position: int
    data: Any
    content: Any
    actor: str | None
    subject: bytes | None = None
    """Subject whose data the content is; None means the stream's own subject."""

    @property
    def trace(self) -> Trace:
        """The event without its content."""
        return Trace(self.version, self.type, self.data, self.content is not None, self.subject)


class Trace(NamedTuple):
    """One event without its content. An erasure leaves this much."""

    version: int
    type: str
    data: Any
    has_content: bool
    """There is content, and it was not erased."""
    subject: bytes | None = None
    """Subject whose data the content is or was; None means the stream's own subject."""


class Position(NamedTuple):
    """A place in the order of the whole store. Opaque: compare it, keep it, hand it back.

    ``str()`` gives a text that ``after=`` takes; JSON of a value has that text.
    """

    epoch: int
    """Number of times a dump was restored into another server; 0 on SQLite."""
    transaction: int
    """Order key of the transaction; 0 on SQLite."""
    sequence: int
    """Order within the transaction."""

    def __str__(self) -> str:
        return f"{self.epoch}-{self.transaction}-{self.sequence}"

    @classmethod
    def parse(cls, text: object, field: str = "after") -> Self:
        """Return the position that ``str()`` wrote.

        Raises:
            InvalidInput: naming ``field``.
        """
        match = _POSITION.match(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidInput(
                field, f"{quoted(text)} is not a position", "Give one that this store returned."
            )
        return cls(*map(int, match.groups()))

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: object) -> core_schema.CoreSchema:

        def placed(given: object) -> Position:
            if isinstance(given, tuple) and list(map(type, given)) == [int] * 3:
                return cls(*given)
            try:
                return cls.parse(given)
            except InvalidInput as error:
                raise ValueError(error.problem) from None

        return core_schema.no_info_plain_validator_function(
            placed,
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )


class NewEvent(Value):
    """An event of the application's own, for ``store.events.append``."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", hide_input_in_errors=True)

    type: str
    """Kind of event, up to 128 characters."""
    data: dict[str, Any] = Field(default_factory=dict, repr=False)
    """JSON object that is hashed and kept for ever."""
    content: Unshown[dict[str, Any] | None] = None
    """JSON object that can be erased."""
    metadata: Unshown[dict[str, Any] | None] = None
    """Not accepted here: ``store.acting()`` sets it once for the append."""
    event_id: str | None = None
    """Id chosen by the caller: ``event_`` and 32 lowercase hex digits."""


class RecordedEvent(Value):
    """An event as the log holds it, decoded; ids inside ``data`` are text."""

    position: Position
    """Place in the whole store: opaque and ordered; ``str()`` serialises it."""
    stream_id: str
    """Stream that it belongs to."""
    version: int
    """1, 2, 3 … within the stream, without gaps."""
    event_id: str
    """Id of the event."""
    type: str
    """Kind of event."""
    schema_version: int
    """Version of the shape that it was recorded in."""
    data: Unshown[dict[str, Any]]
    """Structure: ids, parent, role, status; hashed and kept for ever."""
    content: Unshown[dict[str, Any] | None]
    """None if there never was any, or if it was erased."""
    metadata: Unshown[dict[str, Any]]
    """``actor``, ``correlation_id`` and ``causation_id``, where they were given."""
    recorded_at: datetime
    """Time at which it was recorded."""
    hash: str
    """Hash over it and everything before it in the stream: 64 hex digits."""
