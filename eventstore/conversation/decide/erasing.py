"""Deciding what an erasure takes, and finding what it leaves.

A message's words stand in every event **about** it: those that queued, added, amended, renamed or
labelled it, and the reasons given for removing it. A step that saw it began with a digest of them
and the salt to test a guess with: that goes, too. Copies of them may stand in its edits and
regenerations, and in what the runs that wrote or saw it recorded; these go only if asked for.

A fork never holds the words of a message that it inherits, but what it said about it itself. So an
erasure is decided in the message's own thread, and once more in each fork that inherits it, with
``source_id`` set; :mod:`eventstore.privacy.erasure` finds those forks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.decide.common import (
    NewId,
    decided,
    existing_thread,
    some_message,
    thread_text,
)
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided, Trace
from eventstore.errors import Refused

__all__ = ["Copy", "Reach", "about", "erase", "holds", "reach", "taken"]

_OF_MESSAGES: Final = (
    *("MessageAdded", "MessageQueued", "MessageEdited", "MessageRegenerated", "MessageAmended"),
    *("MessageUpdated", "MessageRemoved", "MessageRestored", "BranchLabelled"),
)
_OF_RUNS: Final = (
    *("RunQueued", "RunStarted", "RunTakenOver", "RunActionRequired", "ToolOutputsSubmitted"),
    *("RunCancelling", "RunCancelled", "RunCompleted", "RunIncomplete", "RunFailed", "RunExpired"),
    *("RunUpdated", "RunStepStarted", "RunStepCompleted", "RunStepFailed"),
)
_SUBJECT: Final[Mapping[str, str]] = {
    **dict.fromkeys(_OF_MESSAGES, "message_id"),
    **dict.fromkeys(_OF_RUNS, "run_id"),
}
"""By type of event: the field that says which message or run it is about."""


class Copy(NamedTuple):
    """Where the words of an erased message may stand, too."""

    kind: Literal["edit", "run"]
    owner: bytes
    """The thread whose events hold them."""
    id: bytes


class Reach(NamedTuple):
    """How far an erasure reaches in one thread."""

    messages: tuple[bytes, ...]
    runs: tuple[bytes, ...]
    steps: frozenset[int]
    """Versions at which steps began that saw one of the messages."""
    left: tuple[Copy, ...]
    """What may hold copies and is not taken."""


def erase(view: ThreadView, command: c.EraseContent, _: NewId) -> list[Decided]:
    """Decide that content is gone for good; nothing if it is gone already.

    The thread may be deleted or archived, the message removed or queued: an erasure is no use of
    the conversation.

    Raises:
        ThreadNotFound, MessageNotFound.
        Refused: ``"message_inherited"``: the words are in the source's events.
    """
    existing_thread(view)
    if command.source_id is None:
        for target in command.targets:
            _check_own(view, some_message(view, target))
    traces = view.traces()
    found = reach(view, command, traces)
    versions = tuple(trace.version for trace in taken(traces, found) if trace.has_content)
    if not versions:
        return []
    first, *others = dict.fromkeys((command.targets[0], *found.messages))
    data = e.ContentErased(
        message_id=first,
        versions=versions,
        also=tuple(others),
        run_ids=found.runs,
        unlabelled=tuple(key for key in found.messages if view.label_of(key) is not None),
        source_id=command.source_id,
    )
    return [decided(data)]


def _check_own(view: ThreadView, row: MessageRow) -> None:
    if _owner(view, row) == view.thread_id:
        return
    owner = ids.show(ids.THREAD, _owner(view, row))
    raise Refused(
        "message_inherited",
        f"{ids.show(ids.MESSAGE, row.message_id)} is inherited: its words are in {owner}, from"
        f" which {thread_text(view)} comes",
        f"Erase it in {owner}: every fork shows it as erased.",
    )


def _owner(view: ThreadView, row: MessageRow) -> bytes:
    """Return the thread whose events hold a message's words."""
    return view.owner(0 if row.place is None else row.place.hop)


def about(traces: Iterable[Trace], subjects: Iterable[bytes]) -> list[Trace]:
    """Return the events about messages and runs."""
    wanted = frozenset(subjects)
    return [trace for trace in traces if _is_about(trace, wanted)]


def _is_about(trace: Trace, subjects: frozenset[bytes]) -> bool:
    field = _SUBJECT.get(trace.type)
    return field is not None and getattr(trace.data, field) in subjects


def taken(traces: Iterable[Trace], found: Reach) -> list[Trace]:
    """Return the events that lose their content, or lost it before, in order."""
    subjects = frozenset((*found.messages, *found.runs))
    return [trace for trace in traces if trace.version in found.steps or _is_about(trace, subjects)]


def reach(view: ThreadView, command: c.EraseContent, traces: Sequence[Trace]) -> Reach:
    """Return which messages and runs of a thread an erasure takes, and what may hold copies."""
    rows = [row for target in command.targets if (row := view.message(target)) is not None]
    if command.source_id is not None:  # an own message of the same id is another one
        rows = [row for row in rows if row.place is not None and row.place.hop]
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
    left = [
        Copy("edit", _owner(view, row), row.message_id)
        for row in kin
        if row not in along and (row not in own or holds(row.message_id, traces))
    ]
    if "run" not in command.include:
        others = [trace for trace in traces if trace.version not in steps]
        left += [Copy("run", view.thread_id, key) for key in runs if holds(key, others)]
        runs = ()
    return Reach(tuple(row.message_id for row in messages), runs, steps, tuple(left))


def _is_own(row: MessageRow) -> bool:
    return row.place is None or row.place.hop == 0


def holds(subject: bytes, traces: Iterable[Trace]) -> bool:
    """Tell whether any content about a message or run is left."""
    return any(trace.has_content for trace in about(traces, [subject]))


def _kin(view: ThreadView, rows: Sequence[MessageRow], traces: Sequence[Trace]) -> list[MessageRow]:
    """Return what came from messages by editing or regenerating, or they from it, at any remove.

    Siblings, or messages that were edited while they waited, which stand nowhere in the tree.
    """
    linked: dict[bytes, list[bytes]] = {}
    for trace in traces:
        replaced = getattr(trace.data, "replaces", None)
        if replaced is not None:
            linked.setdefault(trace.data.message_id, []).append(replaced)
            linked.setdefault(replaced, []).append(trace.data.message_id)
    keys = [row.message_id for row in rows]
    for key in keys:  # grows meanwhile
        keys += [near for near in dict.fromkeys(linked.get(key, ())) if near not in keys]
    found = [view.message(key) for key in keys[len(rows) :]]
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
