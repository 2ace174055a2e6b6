"""Decides the text that a run shows while it writes a message.

The text is kept in chunks, not in events. Two events frame it: ``MessageBegun``, and the event that
adds the message. So the run's row says which message is being written, and only then do deciders
read chunks. What was shown stays: the final message begins with it, and a run that ends or is taken
over without a final message leaves it as an incomplete one.
"""

from __future__ import annotations

from typing import Final

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.checks import (
    check_calls,
    check_new_message_id,
    decided,
    placed_message,
    writable_thread,
)
from eventstore.conversation.commands.closing import End
from eventstore.conversation.commands.holding import writing_run
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.parts import StoredPart
from eventstore.conversation.rows import RunRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import Refused

__all__ = ["SHOWING", "WriteText"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class WriteText(Command[int], frozen=True):
    run_id: bytes
    message_id: bytes
    offset: int
    """Characters of the message that were written before."""
    text: str
    fence: int | None = None


def write_text(view: ThreadView, command: WriteText, _: NewId) -> list[Decided]:
    """Decide a piece of text: an event if it is the first of its message.

    The first piece of another message means that the step is asked again: the text shown before is
    kept as an interrupted message, a sibling of the new one.
    """
    writable_thread(view)
    run = writing_run(view, command.run_id, command.fence)
    if run.writing == command.message_id:
        return []
    check_new_message_id(view, command.message_id)
    parent = None if run.last_message is None else placed_message(view, run.last_message)[0]
    check_calls(parent, ())
    begun = e.MessageBegun(message_id=command.message_id, run_id=run.run_id)
    return [*asked_again(view, run), decided(begun)]


def unwritten(view: ThreadView, command: WriteText) -> str:
    """Return the part of a piece of text that is not there yet: all of it, or none in a repeat.

    Raises:
        Refused: ``"text_gap"``, ``"text_differs"``.
    """
    ends, text = view.shown_length(command.message_id), command.text
    if command.offset == ends:
        return text
    message = ids.show(ids.MESSAGE, command.message_id)
    if command.offset > ends:
        raise Refused(
            "text_gap",
            f"offset ({command.offset}) is beyond the text of {message}, which has {ends}"
            " characters",
            f"Write on from offset {ends}.",
        )
    known = view.shown_text(command.message_id)[command.offset :]
    if text.startswith(known):
        return text[len(known) :]
    if not known.startswith(text):
        raise _differs(message, "Text that was shown does not change: start a new message.")
    return ""


def _differs(message: str, remedy: str) -> Refused:
    return Refused("text_differs", f"another text of {message} was already shown", remedy)


def check_follows_shown(
    view: ThreadView, run: RunRow, message_id: bytes | None, parts: list[StoredPart]
) -> None:
    """Refuse a run's message that is not the one being written, or that says something else.

    Raises:
        Refused: ``"text_unfinished"``, ``"text_differs"``.
    """
    if run.writing is None:
        return
    shown = ids.show(ids.MESSAGE, run.writing)
    if message_id != run.writing:
        raise Refused(
            "text_unfinished",
            f"{ids.show(ids.RUN, run.run_id)} is writing {shown}",
            f"Create that message first, with message_id={shown!r}.",
        )
    text = "".join([part for part in parts if isinstance(part, str)])
    if not text.startswith(view.shown_text(run.writing)):
        raise _differs(shown, "Begin the message with the text that was written.")


def asked_again(view: ThreadView, run: RunRow) -> list[Decided]:
    """Return the event that keeps shown text beside the path: the step is asked again."""
    return _kept(view, run, select=False)


def kept(view: ThreadView, run: RunRow, head: End) -> tuple[list[Decided], End]:
    """Return the event that keeps the shown text of a run that ends, and the head afterwards."""
    select = head.message_id == run.last_message
    events = _kept(view, run, select=select)
    return events, End(run.writing) if events and select else head


def _kept(view: ThreadView, run: RunRow, *, select: bool) -> list[Decided]:
    text = "" if run.writing is None else view.shown_text(run.writing)
    if run.writing is None or not text:
        return []
    data = e.MessageAdded(
        message_id=run.writing,
        role="assistant",
        parent_id=run.last_message,
        select=select,
        status="incomplete",
        run_id=run.run_id,
        interrupted=True,
    )
    return [decided(data, e.MessageContent(parts=[text]))]


def _next_offset(_: object, command: WriteText, __: object) -> int:
    return command.offset + len(command.text)


SHOWING: Final = (ThreadCommand(WriteText, write_text, _next_offset),)
