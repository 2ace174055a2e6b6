"""Decides which content an erasure removes, and finds copies that it leaves.

Every event **about** a message may hold its words: the events that queued, added, amended, renamed
or labelled it, and the reasons given for removing it. A step that saw the message recorded a digest
of its words, and the salt that allows testing guesses; the erasure removes both. Its edits and
regenerations, and the records of runs that wrote or saw it, may hold copies; the erasure removes
these only on request.

A fork does not hold the words of a message that it inherits, but it holds its own events about the
message. So an erasure is decided in the message's own thread, and again in each fork that inherits
it, with ``source_id`` set; :mod:`eventstore.privacy.erasure` finds those forks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import Command, Included
from eventstore.conversation.commands.checks import (
    decided,
    existing_thread,
    some_message,
    thread_text,
)
from eventstore.conversation.commands.erasable_content import (
    Copy,
    Found,
    gone_of,
    linked_by_edits,
    subject_of,
)
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.present import no_result
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided, Trace
from eventstore.errors import Refused

__all__ = ["ERASURES", "EraseContent"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class EraseContent(Command[None], frozen=True):
    brief = False

    targets: tuple[bytes, ...]
    """The message to erase; in a fork, all erased messages that it inherits."""
    include: tuple[Included, ...] = ()
    source_id: bytes | None = None
    """In a fork: the thread in which the erasure was requested."""


def erase(view: ThreadView, command: EraseContent, _: NewId) -> list[Decided]:
    """Decide that content is erased for good; no event if it is erased already.

    The thread may be deleted or archived, the message removed or queued: an erasure does not use
    the conversation.

    Raises:
        ThreadNotFound, MessageNotFound.
        Refused: ``"message_inherited"``: the words are in the source's events.
    """
    check(view, command)
    return erase_found(view, command, find(view, command, view.traces()))


def check(view: ThreadView, command: EraseContent) -> None:
    """Refuse to erase a message that does not exist, or that belongs to the source."""
    existing_thread(view)
    if command.source_id is None:
        for target in command.targets:
            _check_own(view, some_message(view, target))


def erase_found(view: ThreadView, command: EraseContent, found: Found) -> list[Decided]:
    """Decide an erasure whose content was found before; no later event :func:`concerns` it."""
    check(view, command)
    if not found.versions:
        return []
    first, *others = dict.fromkeys((command.targets[0], *found.messages))
    data = e.ContentErased(
        message_id=first,
        versions=found.versions,
        also=tuple(others),
        run_ids=found.runs,
        unlabelled=tuple(key for key in found.messages if view.label_of(key) is not None),
        source_id=command.source_id,
    )
    return [decided(data)]


def concerns(found: Found, trace: Trace) -> bool:
    """Return whether a later event may change the result of the search."""
    data = trace.data
    if trace.type == "RunStepStarted" and any(_saw(data, row) for row in found.rows):
        return True
    if trace.type == "ContentErased":
        return not found.near.isdisjoint((*data.erased_messages, *data.run_ids))
    about = subject_of(trace)
    return about in found.near or getattr(data, "replaces", None) in found.near


def _check_own(view: ThreadView, row: MessageRow) -> None:
    if _owner(view, row) == view.thread_id:
        return
    owner = ids.show(ids.THREAD, _owner(view, row))
    raise Refused(
        "message_inherited",
        f"{ids.show(ids.MESSAGE, row.message_id)} is inherited: its content is stored in"
        f" {owner}, from which {thread_text(view)} was forked",
        f"Erase it in {owner}: every fork shows it as erased.",
    )


def _owner(view: ThreadView, row: MessageRow) -> bytes:
    """Return the thread whose events hold a message's words."""
    return view.owner(0 if row.place is None else row.place.hop)


def _is_about(trace: Trace, subjects: frozenset[bytes]) -> bool:
    return subject_of(trace) in subjects


def find(view: ThreadView, command: EraseContent, traces: Sequence[Trace]) -> Found:
    """Find the content to erase in a thread, and possible copies; scans every event.

    ``traces`` holds all events of the thread.
    """
    rows = [row for target in command.targets if (row := view.message(target)) is not None]
    if command.source_id is not None:  # an own message of the same id is another one
        rows = [row for row in rows if row.place is not None and row.place.hop]
    gone = gone_of(traces)
    kin = _kin(view, rows, traces)
    own = [row for row in kin if _owner(view, row) == view.thread_id]
    along = own if "edits" in command.include else []
    messages = [*rows, *along]
    saw = [
        trace
        for trace in traces
        if trace.type == "RunStepStarted" and any(_saw(trace.data, row) for row in messages)
    ]
    steps = frozenset(trace.version for trace in saw)
    runs = _runs(messages, saw)
    others = [one for one in traces if one.has_content and one.version not in gone]
    worded = _worded(others, [*(row.message_id for row in own), *runs], steps)
    left = [
        Copy("edit", _owner(view, row), row.message_id)
        for row in kin
        if row not in along and (row not in own or row.message_id in worded)
    ]
    taken_runs = runs if "run" in command.include else ()
    if not taken_runs:
        left += [Copy("run", view.thread_id, key) for key in runs if key in worded]
    subjects = frozenset((*(row.message_id for row in messages), *taken_runs))
    taken = [one for one in traces if one.version in steps or _is_about(one, subjects)]
    return Found(
        version=traces[-1].version if traces else 0,
        messages=tuple(row.message_id for row in messages),
        runs=taken_runs,
        versions=tuple(one.version for one in taken if one.has_content and one.version not in gone),
        gone={one.version: gone[one.version] for one in taken if one.version in gone},
        left=tuple(left),
        near=frozenset((*(row.message_id for row in (*rows, *kin)), *runs)),
        rows=tuple(messages),
    )


def _worded(
    traces: Iterable[Trace], subjects: Iterable[bytes], without: frozenset[int]
) -> set[bytes]:
    """Return the messages and runs of the events, except those of some versions."""
    told = {subject_of(trace) for trace in traces if trace.version not in without}
    return {one for one in subjects if one in told}


def _is_own(row: MessageRow) -> bool:
    return row.place is None or row.place.hop == 0


def _kin(view: ThreadView, rows: Sequence[MessageRow], traces: Sequence[Trace]) -> list[MessageRow]:
    """Return messages connected by edits or regenerations, directly or through others.

    They are siblings, or messages that were edited while queued and are not in the tree.
    """
    keys = linked_by_edits(traces, [row.message_id for row in rows])
    found = [view.message(key) for key in keys]
    return [row for row in found if row is not None]


def _runs(rows: Sequence[MessageRow], saw: Sequence[Trace]) -> tuple[bytes, ...]:
    """Return the runs of this thread that wrote one of the messages, or saw one in a step."""
    wrote = [row.run_id for row in rows if row.run_id is not None and _is_own(row)]
    return tuple(dict.fromkeys([*wrote, *(trace.data.run_id for trace in saw)]))


def _saw(step: e.RunStepStarted, row: MessageRow) -> bool:
    place = row.place
    return (
        place is not None
        and row.message_id not in step.left_out
        and row.message_id not in step.erased
        and any(
            place[:2] == (hop, segment) and start <= place.depth <= end
            for hop, segment, start, end in step.ranges
        )
    )


def the_log(_: Command) -> Iterable[tuple[str, bytes]]:
    """Name no other stream: it reads the log of its own."""
    return ()


ERASURES: Final = (
    ThreadCommand(EraseContent, erase, no_result, leads_to=("ContentErased",), watched=the_log),
)
