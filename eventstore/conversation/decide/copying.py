"""Deciding what a fork has to hold itself, so that it reads the same once its source is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation import tree
from eventstore.conversation.copies import copied_content
from eventstore.conversation.decide.common import existing_thread
from eventstore.conversation.history import told_born, told_changes, told_details
from eventstore.conversation.rows import ROOT, ForkPoint, MessageRow, Place
from eventstore.conversation.view import ThreadHistory, Told
from eventstore.core.events import Decided

__all__ = ["copy_prefix"]


def copy_prefix(view: ThreadHistory, command: c.CopyPrefix) -> list[Decided]:
    """Decide the copies of everything a fork inherits.

    None if it stands by itself already, or was purged since its source looked for it.
    """
    source = view.source
    fork = None if view.thread is None else view.thread.fork
    if source is None or fork is None or fork.thread_id != command.source_id:
        return []
    return [*_details(source), *_path(view, source, fork)]


def _details(source: ThreadHistory) -> Iterator[Decided]:
    """Copy what says the source's title and metadata: one event, or two."""
    thread = existing_thread(source)
    title, metadata = told_details(source, thread)
    if title is not None and metadata is not None and title.event == metadata.event:
        yield _copy(title, None)
        return
    for one, field in ((title, "title"), (metadata, "metadata")):
        if one is not None:
            said = {field: getattr(one.event.content, field)}
            yield replace(_copy(one, None), content=e.CopiedContent(**said))


def _path(view: ThreadHistory, source: ThreadHistory, fork: ForkPoint) -> Iterator[Decided]:
    """Copy the inherited path, from its root down."""
    for stretch in reversed(list(tree.ranges(source, fork.place))):
        for depth in range(stretch.start, stretch.end + 1):
            place = Place(stretch.hop, stretch.segment, depth)
            row = source.message_at(place)
            assert row is not None  # noqa: S101 (a range names only messages there are)
            above = tree.parent_place(source, place) if depth == stretch.start else None
            yield from _message(view, source, row, above)


def _message(
    view: ThreadHistory, source: ThreadHistory, row: MessageRow, above: Place | None
) -> Iterator[Decided]:
    """Copy what bore a message, then its changes; ``above`` is where its segment hangs from."""
    assert row.place is not None  # noqa: S101 (it stands on a path)
    hop = row.place.hop
    born = told_born(source, row, hop)
    changes = told_changes(source, row, hop) if row.changed is not None else []
    worded = [one for one in changes if one.event.type == "MessageAmended"]
    here = view.message(row.message_id)
    reworded = here is not None and here.revision > row.revision
    shown = None if reworded else (worded or [born])[-1]
    data = e.PrefixCopied(
        **_named(born, row.message_id, shown=shown is born),
        original_created_at_us=born.event.data.original_created_at_us,
        place=_further(row.place),
        hangs_from=None if above is None else _further(above),
        added_version=row.version,
        queued_version=row.queued_version,
        role=row.role,
        parent_id=row.parent_id,
        status=row.status,
        replaces=row.replaces,
        run_id=row.run_id,
        open_calls=row.open_calls,
        changed=row.changed,
        revision=row.revision,
    )
    yield _decided(data, born)
    for change in changes:
        yield _copy(change, row.message_id, shown=change is shown)


def _copy(one: Told, message_id: bytes | None, *, shown: bool = False) -> Decided:
    return _decided(e.PrefixCopied(**_named(one, message_id, shown=shown)), one)


def _named(one: Told, message_id: bytes | None, *, shown: bool) -> dict[str, Any]:
    event = one.event
    return {
        "source_id": one.thread_id,
        "source_version": event.version,
        "source_type": event.type,
        "recorded_at_us": event.recorded_at_us,
        "actor": event.actor,
        "message_id": message_id,
        "shown": shown,
    }


def _decided(data: e.PrefixCopied, one: Told) -> Decided:
    content = copied_content(one.event.content)
    return Decided("PrefixCopied", data, content, subject=one.event.subject)


def _further(place: Place) -> tuple[int, int, int]:
    """Return a place of the source as its fork sees it."""
    return place if place == ROOT else place._replace(hop=place.hop + 1)
