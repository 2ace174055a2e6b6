"""What is copied of a fork's prefix: an event into a ``PrefixCopied``, and what that one means.

Before a thread is purged, each fork of it gets the events behind what it inherits, one by one, so
that each keeps its own subject and can be erased by itself. Nothing else about the fork changes:
places stay as they are, hops and all, so that its own rows, and those of its forks, still hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from eventstore.conversation import events as e
from eventstore.conversation.rows import MessageRow, Place, SegmentRow
from eventstore.conversation.view import Told
from eventstore.core.events import Event, EventContent

__all__ = ["copied_content", "inherited_row", "inherited_segment", "told"]


def copied_content(content: EventContent | None) -> e.CopiedContent | None:
    """Return an event's content as a copy holds it; None if it was erased."""
    if content is None:
        return None
    said = {name: getattr(content, name) for name in _FIELDS if hasattr(content, name)}
    if isinstance(content, e.MessageContent):  # None is what is left out, as there
        said = {name: value for name, value in said.items() if value is not None}
    return e.CopiedContent(**said)


_FIELDS: Final = ("parts", "metadata", "name", "external_id", "title")


def told(copy: Event) -> Told:
    """Return the event that was copied, as it would be read from the thread it was recorded in."""
    data: e.PrefixCopied = copy.data
    content: e.CopiedContent | None = copy.content
    restore = _CONTENTS.get(data.source_type, _as_said)
    return Told(
        data.source_id,
        replace(
            copy,
            type=data.source_type,
            version=data.source_version,
            recorded_at_us=data.recorded_at_us,
            content=None if content is None else restore(content),
            actor=data.actor,
        ),
    )


def _as_said(content: e.CopiedContent) -> e.MessageContent:
    return e.MessageContent(
        parts=[] if content.parts is UNSET else content.parts,
        metadata=None if content.metadata is UNSET else content.metadata,
        name=None if content.name is UNSET else content.name,
        external_id=content.external_id,
    )


def _as_amended(content: e.CopiedContent) -> e.AmendedContent:
    return e.AmendedContent(parts=[] if content.parts is UNSET else content.parts)


def _as_details(content: e.CopiedContent) -> e.MessageDetails:
    return e.MessageDetails(metadata=content.metadata, name=content.name)


def _as_thread_details(content: e.CopiedContent) -> e.ThreadDetails:
    metadata = {} if content.metadata is None else content.metadata
    return e.ThreadDetails(title=content.title, metadata=metadata)


_CONTENTS: Final[Mapping[str, Callable[[e.CopiedContent], Any]]] = {
    "MessageAmended": _as_amended,
    "MessageUpdated": _as_details,
    "ThreadCreated": _as_thread_details,
    "ThreadUpdated": _as_thread_details,
}
"""By type of what was copied; every other one bore a message."""


def inherited_row(data: e.PrefixCopied) -> MessageRow | None:
    """Return the row of an inherited message as the fork found it; None for a later change."""
    if data.place is None or data.message_id is None:
        return None
    return MessageRow(
        message_id=data.message_id,
        version=data.added_version,
        role=data.role,
        place=Place(*data.place),
        parent_id=data.parent_id,
        status=data.status,
        queued_version=data.queued_version,
        replaces=data.replaces,
        run_id=data.run_id,
        open_calls=data.open_calls,
        changed=data.changed,
        revision=data.revision,
    )


def inherited_segment(data: e.PrefixCopied) -> SegmentRow | None:
    """Return the row of the segment that a copied message begins, if it begins one."""
    if data.place is None or data.hangs_from is None:
        return None
    hop, segment, _ = data.place
    return SegmentRow(hop=hop, segment=segment, parent=Place(*data.hangs_from))
