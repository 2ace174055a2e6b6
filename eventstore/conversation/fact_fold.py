"""Folds the facts of one thing, event by event, as the events declare them."""

from __future__ import annotations

from eventstore.conversation.every_event import EVERY_EVENT
from eventstore.conversation.facts import FactRule, Facts, Subject
from eventstore.core.events import Event

__all__ = ["after", "begins", "changed_by", "erased_by", "inherits"]


def _rules(event: Event) -> tuple[FactRule, ...]:
    declared = EVERY_EVENT.get(event.type)
    return () if declared is None else declared.facts


def changed_by(event: Event, stream: bytes) -> tuple[Subject, ...]:
    """Return the things whose facts an event of a stream may change, the one it is about first."""
    found = [(one.prefix, one.key(event.data, stream)) for one in _rules(event)]
    return tuple([Subject(prefix, key) for prefix, key in found if key is not None])


def begins(event: Event) -> bool:
    """Return whether the first thing that an event names has no facts before it."""
    return any(one.begins(event.data) for one in _rules(event))


def inherits(event: Event) -> bool:
    """Return whether an event begins a fork, whose names are those of its source."""
    return any(one.inherits for one in _rules(event))


def erased_by(event: Event) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """Return the messages whose words an event erases, and the versions of their events."""
    data = event.data
    return (data.erased_messages, data.versions) if data.erases else ((), ())


def after(facts: Facts, subject: Subject, event: Event, stream: bytes) -> Facts:
    """Return the facts of a thing after an event that names it."""
    for one in _rules(event):
        if one.prefix == subject.prefix and one.key(event.data, stream) == subject.key:
            return {**facts, **one.change(facts, event.data, event, stream)}
    return facts
