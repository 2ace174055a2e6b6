"""Decides that all content of a thread is erased, or all that it holds of one person.

To a **person** belong the events that were written with the person's name as subject; all that
was said about messages that were written so, whoever said it; and all that was recorded of runs
that were created so, with the messages that these runs wrote, unless they name another person. An
event belongs to one person at most: what it says of others goes with it, and what events of others
say of the person stays.

A step that saw one of these messages recorded a digest of the words, with the salt that allows
testing guesses: both go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.checks import decided, existing_thread
from eventstore.conversation.commands.erasable_content import (
    Copy,
    Found,
    gone_of,
    linked_by_edits,
    subject_of,
)
from eventstore.conversation.commands.erasures import the_log
from eventstore.conversation.commands.steps_that_saw import steps_that_saw
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.events.threads import named_by
from eventstore.conversation.present import no_result
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided, Event, Trace

__all__ = ["ERASURES_OF_ALL", "EraseAll"]


def _types_of(*contents: type[Any]) -> frozenset[str]:
    return frozenset(one.name for one in e.THREAD_EVENTS if one.content in contents)


_BORN: Final = _types_of(e.MessageContent)
"""Types of events that begin a message."""
_REWORDED: Final = _types_of(e.AmendedContent)
_CHANGED: Final = _types_of(e.AmendedContent, e.MessageDetails)
_NAMING: Final = _types_of(e.ThreadDetails)
_ERASED: Final = "ContentErased"


class EraseAll(Command[None], frozen=True):
    """Erase the content of a person in a thread, or all of it."""

    brief = False

    subject_id: bytes | None = None
    """The person; None for a whole thread."""
    whole: bool = False
    keeper: bytes | None = None
    """For a whole thread: the subject of the reason that is given, which stays."""
    targets: tuple[bytes, ...] = ()
    """In a fork: messages that it inherits, and that are erased in its source."""
    seen: tuple[bytes, ...] = ()
    """In a fork: messages that it inherits, of which a later wording is erased."""
    source_id: bytes | None = None
    """In a fork: the thread from which it inherits them."""


def erase_all(view: ThreadView, command: EraseAll, _: NewId) -> list[Decided]:
    """Decide the erasure; no event if nothing is left to erase.

    Raises:
        ThreadNotFound.
    """
    existing_thread(view)
    return erase_all_found(view, command, find_all(view, command, view.traces()))


def erase_all_found(view: ThreadView, command: EraseAll, found: Found) -> list[Decided]:
    """Decide an erasure whose content was found before."""
    existing_thread(view)
    if not found.versions and (found.recorded or not command.whole):
        return []
    data = e.ContentErased(
        versions=found.versions,
        also=found.unworded,
        run_ids=found.runs,
        unlabelled=found.unlabelled,
        source_id=command.source_id,
        subject_id=command.subject_id,
        whole=command.whole,
        untitled=found.untitled,
    )
    # Its reason is kept under another key than the content of the thread, which is destroyed.
    subject = command.keeper if command.whole else command.subject_id
    return [replace(decided(data), subject=subject)]


def find_all(view: ThreadView, command: EraseAll, traces: Sequence[Trace]) -> Found:
    """Find the content to erase in a thread, and possible copies; ``traces`` are all its events."""
    gone = gone_of(traces)
    written = frozenset(one.version for one in traces if _is_theirs(one, command))
    runs = _runs(traces, written)
    messages = _messages(traces, written, runs, command)
    touched = _touched(traces, written, messages, command)
    since = dict.fromkeys(messages, 0) | touched
    steps, readers = (frozenset[int](), frozenset[bytes]())
    if not command.whole:
        steps, readers = steps_that_saw(view, traces, since)
    subjects = frozenset((*_told_of(view, traces, messages, command), *runs))
    taken = [
        one
        for one in traces
        if one.version in written or one.version in steps or _is_about(one, subjects)
    ]
    versions = tuple(one.version for one in taken if one.has_content and one.version not in gone)
    lost = frozenset(versions)
    if command.whole:
        left = _source(view)
    else:
        left = _left(view, traces, subjects, readers, lost | gone.keys())
    return Found(
        version=traces[-1].version if traces else 0,
        messages=messages,
        runs=runs,
        versions=versions,
        gone={one.version: gone[one.version] for one in taken if one.version in gone},
        left=tuple(left),
        near=frozenset(),
        rows=(),
        seen=tuple(touched.items()),
        unworded=_unworded(traces, lost),
        unlabelled=_unlabelled(view, traces, lost),
        untitled=_untitled(traces, lost),
        recorded=_recorded(traces, command),
        renamed=any(one.version in lost for one in traces if _names_thread(one)),
    )


def _is_theirs(trace: Trace, command: EraseAll) -> bool:
    if trace.type == _ERASED:  # the reasons of earlier erasures are content of the thread, too
        return command.whole and not trace.data.whole
    return command.whole or (command.subject_id is not None and trace.subject == command.subject_id)


def _runs(traces: Sequence[Trace], written: frozenset[int]) -> tuple[bytes, ...]:
    found = (one for one in traces if one.type == "RunQueued" and one.version in written)
    return tuple(one.data.run_id for one in found)


def _messages(
    traces: Sequence[Trace], written: frozenset[int], runs: Sequence[bytes], command: EraseAll
) -> tuple[bytes, ...]:
    """Return the messages that are erased as a whole, inherited ones first."""
    by_them = frozenset(runs)
    found = dict.fromkeys(command.targets)
    for one in traces:
        if one.type not in _BORN or getattr(one.data, "queued_version", None) is not None:
            continue  # who sent a message that waited said so then, whoever let it in
        unnamed = one.subject is None and getattr(one.data, "run_id", None) in by_them
        if one.version in written or unnamed:
            found[one.data.message_id] = None
    return tuple(found)


def _touched(
    traces: Sequence[Trace], written: frozenset[int], messages: Sequence[bytes], command: EraseAll
) -> dict[bytes, int]:
    """Return messages of others of which they wrote a wording, with the version of the first.

    It is 0 for a wording that a fork inherits.
    """
    known = frozenset(messages)
    found = dict.fromkeys((one for one in command.seen if one not in known), 0)
    for one in traces:
        says = one.version in written and one.type in _CHANGED
        if says and one.data.message_id not in known:
            found.setdefault(one.data.message_id, one.version)
    return found


def _told_of(
    view: ThreadView, traces: Sequence[Trace], messages: Sequence[bytes], command: EraseAll
) -> Iterator[bytes]:
    """Yield the messages without those of the source that this thread says nothing about."""
    inherited = frozenset(command.targets)
    known = {subject_of(one) for one in traces} if inherited else frozenset[bytes | None]()
    for key in messages:
        if key not in inherited:
            yield key
        elif key in known:
            row = view.message(key)  # an own message of the same id is another one
            if row is not None and _is_inherited(row):
                yield key


def _is_about(trace: Trace, subjects: frozenset[bytes]) -> bool:
    return subject_of(trace) in subjects


def _recorded(traces: Sequence[Trace], command: EraseAll) -> int:
    if not command.whole:
        return 0
    whole = (one.version for one in traces if one.type == _ERASED and one.data.whole)
    return max(whole, default=0)


# -- what else changes -----------------------------------------------------------------------------


def _unworded(traces: Sequence[Trace], lost: frozenset[int]) -> tuple[bytes, ...]:
    """Return the messages whose present wording is lost."""
    last: dict[bytes, int] = {}
    for one in traces:
        if one.type in _REWORDED or (
            one.type in _BORN and getattr(one.data, "queued_version", None) is None
        ):
            last[one.data.message_id] = one.version
    return tuple(key for key, version in last.items() if version in lost)


def _unlabelled(
    view: ThreadView, traces: Sequence[Trace], lost: frozenset[int]
) -> tuple[bytes, ...]:
    last = {one.data.message_id: one.version for one in traces if one.type == "BranchLabelled"}
    found = (key for key, version in last.items() if version in lost)
    return tuple(key for key in found if view.label_of(key) is not None)


def _names_thread(trace: Trace) -> bool:
    return trace.type in _NAMING


def _untitled(traces: Sequence[Trace], lost: frozenset[int]) -> bool:
    for one in reversed(traces):
        if _names_thread(one) and _titles(one):
            return one.version in lost
    return False


def _titles(trace: Trace) -> bool:
    event = Event(trace.type, trace.version, 0, 0, trace.data, None, None)
    said = named_by(event)
    return said is not None and said.title is None


def _source(view: ThreadView) -> Iterator[Copy]:
    """Yield the place in its source up to which a fork shows it."""
    fork = None if view.thread is None else view.thread.fork
    if fork is not None:
        yield Copy("source", fork.thread_id, fork.message_id)


def _left(
    view: ThreadView,
    traces: Sequence[Trace],
    taken: frozenset[bytes],
    readers: frozenset[bytes],
    lost: frozenset[int],
) -> Iterator[Copy]:
    """Yield what may also hold the words, and stays."""
    worded = {subject_of(one) for one in traces if one.has_content and one.version not in lost} - {
        None
    }
    for key in linked_by_edits(traces, taken):
        row = view.message(key)
        if row is not None and key not in taken and (key in worded or _is_inherited(row)):
            hop = 0 if row.place is None else row.place.hop
            yield Copy("edit", view.owner(hop), key)
    wrote = (
        run_id
        for one in traces
        if one.type in _BORN and one.data.message_id in taken
        if (run_id := getattr(one.data, "run_id", None)) is not None
    )
    for run_id in dict.fromkeys((*wrote, *sorted(readers))):
        if run_id not in taken and run_id in worded:
            yield Copy("run", view.thread_id, run_id)


def _is_inherited(row: MessageRow) -> bool:
    return row.place is not None and row.place.hop > 0


ERASURES_OF_ALL: Final = (
    ThreadCommand(EraseAll, erase_all, no_result, leads_to=(_ERASED,), watched=the_log),
)
