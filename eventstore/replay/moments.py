"""Compares two moments of a thread: the active paths, and every fact that differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eventstore.conversation import tree
from eventstore.conversation.changes import Change, changes, reversed_change
from eventstore.conversation.fact_fold import after, begins, changed_by, erased_by
from eventstore.conversation.facts import Facts, Subject
from eventstore.conversation.present import message_value
from eventstore.conversation.rows import ROOT, Place
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.replay.thread_diff import ThreadDiff
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads import paths
from eventstore.threads.past_thread import thread_at
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.subject_facts import SubjectReader

__all__ = ["compare_moments"]


def compare_moments(tx: Transaction, log: Log, stream: StreamKey, one: int, two: int) -> ThreadDiff:
    """Compare a thread at two versions, in either order.

    Only things that the events between them touch are read, and messages on only one of the paths.
    """
    first, last = sorted((one, two))
    a, b = (thread_at(tx, log, stream, version) for version in (one, two))
    between = _Between(tx, log, stream, first)
    for event in decoded_events(tx, log, stream, after=first, until=last):
        between.take(event)
    found = between.changes()
    if one > two:
        found = [reversed_change(change) for change in found]
    return ThreadDiff(
        **_paths(a, b, between.amended),
        thread_id=stream.text,
        from_version=one,
        to_version=two,
        changes=tuple(found),
        erased=tuple(ids.show(ids.MESSAGE, key) for key in between.erased),
    )


class _Between:
    """Folds the events between two moments into the facts of the things that they touch."""

    def __init__(self, tx: Transaction, log: Log, stream: StreamKey, first: int) -> None:
        self._reader = SubjectReader(tx, log, stream)
        self._stream = stream.id
        self._first = first
        self._facts: dict[Subject, tuple[Facts, Facts]] = {}
        self.amended: list[bytes] = []
        self.erased: list[bytes] = []

    def take(self, event: Event) -> None:
        """Fold one more event."""
        if event.type == "MessageAmended":
            self.amended.append(event.data.message_id)
        self.erased += erased_by(event)[0]
        for n, subject in enumerate(changed_by(event, self._stream)):
            if subject not in self._facts:
                new = n == 0 and begins(event)
                begun: Facts = {} if new else self._reader.facts(subject, self._first)
                self._facts[subject] = (begun, begun)
            before, now = self._facts[subject]
            self._facts[subject] = (before, after(now, subject, event, self._stream))

    def changes(self) -> list[Change]:
        """Return the facts that differ: of the thread, then of the rest in order of appearance."""
        ordered = sorted(self._facts, key=lambda subject: subject.prefix != ids.THREAD)
        said = self._reader.said
        return [
            change
            for subject in ordered
            for change in changes(subject, *self._facts[subject], said)
        ]


def _paths(a: StoredThread, b: StoredThread, amended: Sequence[bytes]) -> dict[str, Any]:
    end_a, end_b = _end(a), _end(b)
    parting = tree.meeting(b, end_a, end_b)
    last = None if parting == ROOT else b.message_at(parting)
    return {
        "common": parting.depth,
        "parted_at": None if last is None else ids.show(ids.MESSAGE, last.message_id),
        "only_a": paths.messages(a, end_a, paths.Window(parting.depth + 1, end_a.depth)),
        "only_b": paths.messages(b, end_b, paths.Window(parting.depth + 1, end_b.depth)),
        "amended": _reworded(a, b, parting, dict.fromkeys(amended)),
    }


def _end(view: StoredThread) -> Place:
    thread = view.thread
    head = None if thread is None or thread.head is None else view.message(thread.head)
    return ROOT if head is None or head.place is None else head.place


def _reworded(
    a: StoredThread, b: StoredThread, parting: Place, amended: Iterable[bytes]
) -> tuple[str, ...]:
    """Return the common messages whose wording differs, in order."""
    found: list[tuple[int, str]] = []
    for message_id in amended:
        old, new = a.message(message_id), b.message(message_id)
        if old is None or new is None or new.place is None:
            continue
        if not tree.on_path(b, new.place, parting):
            continue
        if message_value(a, old).content != message_value(b, new).content:
            found.append((new.place.depth, ids.show(ids.MESSAGE, message_id)))
    return tuple([text for _, text in sorted(found)])
