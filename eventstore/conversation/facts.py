"""The facts of one thing: a thread, a message, a run, a step or an assistant.

``evolve`` folds a whole thread into rows. An auditor asks a smaller question: what did this event
change, and what stood there before? So each event declares, beside its effect on rows, the things
that it changes and the facts that it sets of them (:class:`FactRule`). The facts of a thing follow
from its own events alone. A trail can therefore walk a thread of any length and keep only a few
things. :mod:`~eventstore.conversation.fact_fold` folds them.

Words stay in the log: a fact that consists of words is :class:`Words`, the place of the event that
holds them. So two facts compare without reading anything, and erased words are never kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from eventstore.core import ids
from eventstore.core.events import Event

__all__ = [
    "FactChange",
    "FactRule",
    "Facts",
    "Subject",
    "Words",
    "facts_of_named",
    "facts_of_stream",
    "replaced_fields",
    "shown_id",
    "these",
    "words",
]

Facts: TypeAlias = Mapping[str, Any]
"""Facts of one thing by name; empty before it exists. Never changed: each event makes new ones."""


class Subject(NamedTuple):
    """A thing that has facts: the prefix of its ids, and its 16 bytes."""

    prefix: str
    key: bytes

    @property
    def text(self) -> str:
        """The id as users see it."""
        return ids.show(self.prefix, self.key)


class Words(NamedTuple):
    """The place of words: a field in the content of one or more events of a stream."""

    stream: bytes
    versions: tuple[int, ...]
    field: str


FactChange: TypeAlias = Callable[[Facts, Any, Event, bytes], Facts]
"""Returns the facts that an event sets, from those before it, its data, itself and its stream."""
Test: TypeAlias = Callable[[Any], bool]
"""Answers a question about the data of an event."""


def _never(_: object) -> bool:
    return False


class FactRule(NamedTuple):
    """A rule: the facts that a type of event sets of one thing."""

    prefix: str
    """Prefix of the thing's id: its kind."""
    key: Callable[[Any, bytes], bytes | None]
    """Returns the thing from data and stream; None if this event says nothing of such a thing."""
    change: FactChange
    begins: Test = _never
    """Whether the thing has no facts before."""
    inherits: bool = False
    """Whether it begins with facts of another stream, its source."""


def facts_of_named(
    prefix: str, field: str, change: FactChange, *, begins: Test = _never
) -> FactRule:
    """Return a rule about the thing that a field of the data names, if it names one."""

    def key(data: object, _: bytes) -> bytes | None:
        found: bytes | None = getattr(data, field)
        return found

    return FactRule(prefix, key, change, begins)


def facts_of_stream(
    prefix: str,
    change: FactChange,
    *,
    when: Test | None = None,
    begins: bool = False,
    inherits: bool = False,
) -> FactRule:
    """Return a rule about the thread or assistant whose stream it is, ``when`` it applies."""

    def key(data: object, stream: bytes) -> bytes | None:
        return stream if when is None or when(data) else None

    return FactRule(prefix, key, change, (lambda _: True) if begins else _never, inherits)


# -- parts of such changes -------------------------------------------------------------------------


def shown_id(prefix: str, key: bytes | None) -> str | None:
    """Return an id as users see it."""
    return ids.show_or_none(prefix, key)


def words(stream: bytes, event: Event, *fields: str) -> dict[str, Words]:
    """Return facts whose words are fields of an event's content."""
    return {field: Words(stream, (event.version,), field) for field in fields}


def these(**given: object) -> FactChange:
    """Set the same facts each time."""
    return lambda *_: given


class _Replaces(Protocol):
    """The data of an event that replaces some fields."""

    @property
    def fields(self) -> tuple[str, ...]: ...


def replaced_fields(_: Facts, data: _Replaces, event: Event, stream: bytes) -> Facts:
    """Set the words that an event with ``fields`` replaces."""
    return words(stream, event, *data.fields)
