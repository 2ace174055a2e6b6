"""The content that an erasure finds in the log of a thread, and the copies that it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from eventstore.conversation import events as e
from eventstore.conversation.rows import MessageRow
from eventstore.core.events import Trace

__all__ = ["Copy", "Found", "gone_of", "linked_by_edits", "subject_of"]

_SUBJECT: Final[Mapping[str, str]] = {
    one.name: one.subject for one in e.THREAD_EVENTS if one.subject is not None
}
"""The field that names the message or run of an event, by event type."""


class Copy(NamedTuple):
    """A place that may also hold the words of an erased message."""

    kind: Literal["edit", "run", "source"]
    owner: bytes
    """Thread whose events hold them."""
    id: bytes


class Found(NamedTuple):
    """The content that an erasure removes in one thread, as of a version of the thread."""

    version: int
    messages: tuple[bytes, ...]
    runs: tuple[bytes, ...]
    versions: tuple[int, ...]
    """Versions of the events that lose their content."""
    gone: dict[int, int]
    """Events that lost it before, by version, each with the version of the erasing event."""
    left: tuple[Copy, ...]
    """Places that may hold copies and stay."""
    near: frozenset[bytes]
    """Messages and runs that led to these events."""
    rows: tuple[MessageRow, ...]
    """Rows of the messages that lose their words."""
    seen: tuple[tuple[bytes, int], ...] = ()
    """Messages that lose some of their wordings, each with the version of the first of these."""
    unworded: tuple[bytes, ...] = ()
    """Messages whose present wording is lost."""
    unlabelled: tuple[bytes, ...] = ()
    untitled: bool = False
    renamed: bool = False
    """Title or metadata of the thread are lost."""
    recorded: int = 0
    """Version of the last erasure of the whole thread, if that is what is asked for."""


def subject_of(trace: Trace) -> bytes | None:
    """Return the message or the run that an event is about."""
    field = _SUBJECT.get(trace.type)
    return None if field is None else getattr(trace.data, field)


def gone_of(traces: Iterable[Trace]) -> dict[int, int]:
    """Return the events that lost their content, each with the last event that erased it."""
    gone: dict[int, int] = {}
    for trace in traces:
        if trace.data.erases:
            gone.update(dict.fromkeys(trace.data.versions, trace.version))
    return gone


def linked_by_edits(traces: Iterable[Trace], messages: Iterable[bytes]) -> list[bytes]:
    """Return the other messages that edits and regenerations connect with these."""
    linked: dict[bytes, list[bytes]] = {}
    for trace in traces:
        replaced = getattr(trace.data, "replaces", None)
        if replaced is not None:
            linked.setdefault(trace.data.message_id, []).append(replaced)
            linked.setdefault(replaced, []).append(trace.data.message_id)
    given = dict.fromkeys(messages)
    keys, known = [*given], {*given}
    for key in keys:  # grows meanwhile
        for near in linked.get(key, ()):
            if near not in known:
                known.add(near)
                keys.append(near)
    return keys[len(given) :]
