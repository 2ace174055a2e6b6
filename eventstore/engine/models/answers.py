"""The content of an answer: the events that a model yielded, as parts of a message."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from eventstore import ReasoningPart, RefusalPart, TextPart, ToolCallPart
from eventstore.conversation.parts import Part
from eventstore.engine.models.arguments import arguments_of
from eventstore.engine.models.protocol import (
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
)

__all__ = ["content_of"]


def content_of(events: Iterable[ModelEvent]) -> tuple[Part, ...]:
    """Return the parts of an answer: deltas of one kind joined, in their order, then the calls."""
    events = list(events)
    parts: list[Part] = []
    deltas = [e for e in events if isinstance(e, TextDelta | ReasoningDelta | RefusalDelta)]
    for kind, group in groupby(deltas, type):
        text = "".join([delta.text for delta in group])
        if not text:
            continue
        if kind is TextDelta:
            parts.append(TextPart(text=text))
        else:
            parts.append((ReasoningPart if kind is ReasoningDelta else RefusalPart)(text=text))
    calls = [
        ToolCallPart(id=event.id, name=event.name, arguments=arguments_of(event.arguments))
        for event in events
        if isinstance(event, ToolCall)
    ]
    return (*parts, *calls)
