"""The events of branches: their data, their content, and the rows that they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.events.base import Note
from eventstore.conversation.events.rows import head_place, message_row, thread_row
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.facts import (
    Facts,
    facts_of_named,
    facts_of_stream,
    shown_id,
    words,
)
from eventstore.conversation.rows import (
    ROOT,
    LabelRow,
    Row,
    TouchRow,
)
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Event, EventData

__all__ = ["BRANCHES", "BranchLabelled", "BranchSelected", "LabelContent"]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class BranchSelected(EventData, frozen=True):
    """``head`` is None only after the rollback of a run that began on an empty thread."""

    requested: bytes | None
    head: bytes | None


class BranchLabelled(EventData, frozen=True):
    message_id: bytes
    cleared: bool = False


class LabelContent(Note, frozen=True):
    label: str | None = None


def _selected(view: ThreadView, data: BranchSelected, _: Event) -> list[Row]:
    place = None if data.head is None else message_row(view, data.head).place
    points = tree.head_move_rows(view, head_place(view), place or ROOT)
    return [*points, replace(thread_row(view), head=data.head)]


def _labelled(_: ThreadView, data: BranchLabelled, event: Event) -> list[Row]:
    content: LabelContent | None = event.content
    label = None if data.cleared or content is None else content.label
    return [TouchRow(data.message_id, event.version), LabelRow(data.message_id, label)]


def _selected_facts(_: Facts, data: BranchSelected, __: Event, ___: bytes) -> Facts:
    return {"head_id": shown_id(ids.MESSAGE, data.head)}


def _labelled_facts(_: Facts, data: BranchLabelled, event: Event, stream: bytes) -> Facts:
    return {"label": None} if data.cleared else words(stream, event, "label")


def _labelled_deed(now: Mapping[str, object]) -> str:
    cleared = "label" in now and now["label"] is None
    return "took the label from a message" if cleared else "labelled a message"


BRANCHES: Final = (
    ThreadEvent(
        BranchSelected,
        Note,
        "switched to another branch",
        (facts_of_stream(ids.THREAD, _selected_facts),),
        evolve=_selected,
    ),
    ThreadEvent(
        BranchLabelled,
        LabelContent,
        _labelled_deed,
        (facts_of_named(ids.MESSAGE, "message_id", _labelled_facts),),
        evolve=_labelled,
        subject="message_id",
    ),
)
