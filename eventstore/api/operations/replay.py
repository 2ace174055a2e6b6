"""``store.replay``: a thread at a past moment, step by step, and the differences of two moments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from eventstore.api.operations.inputs import checked_version
from eventstore.api.operations.loaders import Moment, folded_at, thread_key
from eventstore.api.operations.operation import Paged, Read, Scope
from eventstore.api.operations.recorded import recorded
from eventstore.conversation.rules import evolve
from eventstore.conversation.state import FoldedThread
from eventstore.errors import ThreadNotFound
from eventstore.replay import ReplayedThread, ReplayStep, ThreadDiff, compare_moments
from eventstore.storage import read as log_reading
from eventstore.storage import stream_heads
from eventstore.storage.transaction import Transaction
from eventstore.threads.beginnings import starting_state
from eventstore.threads.folding import keep_if_due, settled_state


def state(
    scope: Scope,
    thread_id: str,
    *,
    at_version: int | None = None,
    at_time: datetime | None = None,
) -> Read[ReplayedThread]:
    """Return a thread at a version, at a time, or now, made from its events alone.

    All of the thread is in memory then. It goes on from a snapshot, which writers leave after some
    thousand events. So at whichever version it reads the events that hold the words of the state,
    and at most some thousand more, or twice as many as the state has messages, runs and steps; of a
    fork also that much of each thread that it comes from. A store that writes only through
    ``connection=`` leaves none, and its first reader reads every event.

    An event that was deleted below a snapshot is not missed here: ``audit.verify`` finds it, and
    :meth:`steps` from the beginning stop there. One page of a past path costs less:
    ``messages.list(thread_id, at_version=…)``.

    Args:
        thread_id: The thread.
        at_version: Version to stop at.
        at_time: Time to stop at, with a time zone: the last version that was recorded by then.

    Raises:
        InvalidInput: the version is none, or the time has no zone.
        ThreadNotFound: there is none.
        MomentNotFound: it did not exist yet then, or has not come so far.
    """
    key, moment = thread_key(scope, thread_id), Moment(at_version, at_time)
    return Read(lambda tx: ReplayedThread(folded_at(tx, scope, key, moment)))


def steps(scope: Scope, thread_id: str, *, after: int = 0) -> Paged[ReplayStep]:
    """Yield every event of a thread with the state right after it.

    n steps cost n, also where the length of the path or the last message is read at each. With
    ``after`` the state there is read first, which costs what :meth:`state` does.

    Args:
        thread_id: The thread.
        after: Version to begin behind; earlier steps are skipped.

    Raises:
        InvalidInput: ``after`` is not a version.
        ThreadNotFound: there is none.
    """
    key, after = thread_key(scope, thread_id), checked_version(after, "after", 0)

    def page(place: tuple[FoldedThread | None, int]) -> Read[Any]:
        return Read(lambda tx: look(tx, *place))

    def look(tx: Transaction, before: FoldedThread | None, version: int) -> tuple[list[Any], Any]:
        if before is None and after:
            before = settled_state(tx, scope.log, key.tenant, key.id, until=after)
        found = log_reading.read_page(tx, key, after=version)
        if not found and (before is None or not before.version):
            raise ThreadNotFound(thread_id)
        made = []
        for stored in found:
            event = log_reading.as_event(scope.log, stored)
            if before is None:
                before = starting_state(tx, scope.log, key.tenant, key.id, event)
            before = before.with_rows(evolve(before, event), event)
            made.append(ReplayStep(recorded(scope.log, stored), ReplayedThread(before)))
        if before is not None:
            keep_if_due(tx, scope.log, key, before)
        done = not found or found[-1].version >= stream_heads.head_version(tx, key)
        return made, None if done else (before, found[-1].version)

    return Paged((None, after), page)


def diff(
    scope: Scope, thread_id: str, *, from_version: int, to_version: int | None = None
) -> Read[ThreadDiff]:
    """Compare a thread at two versions: each field that differs, with both values, and paths.

    Its cost depends on the events between the two and on the result; not on the length of the
    thread. Of each thing that they touch some thousand other events are read at most.

    Args:
        thread_id: The thread.
        from_version: The earlier version; a later one shows everything the other way round.
        to_version: The later version; the latest if left out.

    Raises:
        InvalidInput: a version is none.
        ThreadNotFound: there is none.
        MomentNotFound: it did not exist yet then, or has not come so far.
    """
    key = thread_key(scope, thread_id)
    first = Moment(checked_version(from_version, "from_version", 0), None, "from_version")
    last = Moment(to_version, None, "to_version")

    def look(tx: Transaction) -> ThreadDiff:
        return compare_moments(tx, scope.log, key, first.version(tx, key), last.version(tx, key))

    return Read(look)
