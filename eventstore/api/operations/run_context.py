"""``runs.context``: the exact list of messages that a run, or one of its steps, works with.

Reading it writes nothing. Handed to ``runs.steps.start`` it is recorded as head, version, ranges
and digest, from which the list is rebuilt later and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.api.operations.inputs import checked_sequence, message_key, optional_id, run_key
from eventstore.api.operations.loaders import existing_run, live_thread, thread_key
from eventstore.api.operations.operation import Read, Scope
from eventstore.conversation import tree
from eventstore.conversation.context import context_digest, left_out
from eventstore.conversation.events import StepBegun
from eventstore.conversation.present import message_value
from eventstore.conversation.rows import MessageRow, Place, RunRow, StepRow
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.conversation.run_values import RunContext
from eventstore.conversation.values import Message
from eventstore.core import ids
from eventstore.core.chain import SALT_BYTES
from eventstore.core.events import StreamKey
from eventstore.core.pages import check_limit
from eventstore.errors import InvalidInput
from eventstore.storage.transaction import Transaction
from eventstore.threads import paths
from eventstore.threads.past_thread import thread_at
from eventstore.threads.stored_thread import StoredThread


def context(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    step_id: str | None = None,
    last_messages: int | None = None,
    leave_out: Sequence[str] = (),
) -> Read[RunContext]:
    """Return the messages that a run works with: the path to its last one. Writes nothing.

    A model API accepts each of these lists: every tool call is followed by its results. While calls
    are open, the list ends above the message that makes them.

    Pass the context to ``runs.steps.start`` to record what a step saw. With ``step_id`` the list
    that a recorded step saw is rebuilt from the events. ``verified`` then shows whether it equals
    the recorded list; None if nothing was recorded, or if something in it was erased since.

    Args:
        thread_id: The thread.
        run_id: The run.
        step_id: Recorded step to rebuild the context of.
        last_messages: Keep only so many of the newest messages, or fewer: the list begins with a
            message of the user. If there is none among them, it begins with the next one above.
        leave_out: Ids of messages to skip. A tool call and its results are skipped together.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
    """
    key = thread_key(scope, thread_id)
    listed = checked_sequence(leave_out, "leave_out", "Give the ids of messages.")
    skipped = frozenset(message_key(one, "leave_out") for one in listed)
    step = optional_id(ids.STEP, step_id, "step_id")
    check_limit(last_messages, scope.log.limits.page_size_max, "last_messages")
    wanted = run_key(run_id)

    def look(tx: Transaction) -> RunContext:
        view = live_thread(tx, scope, key)
        row = existing_run(view, wanted)
        if step is not None:
            return _rebuilt(tx, scope, view, row, step)
        end = row.last_message
        if not row.started and row.status not in TERMINAL:
            end = view.thread.head if view.thread is not None else None
            if row.regenerates is not None:
                replaced = view.message(row.regenerates)
                end = None if replaced is None else replaced.parent_id
        return _context(scope, view, row, end, _Selection(skipped, last_messages))

    return Read(look)


_NO_PROOF: Final = StepBegun()
_LOOK_UP: Final = 64
"""Messages that are read at a time while looking for one of a user."""


class _Selection(NamedTuple):
    """The messages of a path that a context includes."""

    skipped: frozenset[bytes]
    last_messages: int | None


def _context(
    scope: Scope,
    view: StoredThread,
    run: RunRow,
    end_id: bytes | None,
    selection: _Selection,
) -> RunContext:
    end = _answered(view, end_id)
    rows, ranges = [], []
    if end is not None and end.place is not None:
        depths = paths.Window(_first_depth(view, end.place, selection), end.place.depth)
        rows = paths.window(view, end.place, depths)
        ranges = [
            one._replace(start=max(one.start, depths.first))
            for one in tree.ranges(view, end.place)
            if one.end >= depths.first
        ]
    path = [message_value(view, row) for row in rows]
    out = left_out(path, [ids.show(ids.MESSAGE, key) for key in selection.skipped])
    messages = tuple(message for message in path if message.id not in out)
    salt = scope.log.environment.random_bytes(SALT_BYTES)
    return RunContext(
        thread_id=ids.show(ids.THREAD, view.thread_id),
        run_id=ids.show(ids.RUN, run.run_id),
        messages=messages,
        left_out=tuple(message.id for message in path if message.id in out),
        head_id=None if end is None else ids.show(ids.MESSAGE, end.message_id),
        version=0 if view.thread is None else view.thread.version,
        ranges=tuple((one.hop, one.segment, one.start, one.end) for one in ranges),
        sources=_sources(view, max((one.hop for one in ranges), default=0)),
        salt=salt,
        digest=context_digest(salt, messages),
    )


def _answered(view: StoredThread, message_id: bytes | None) -> MessageRow | None:
    """Return the end of a path, or the nearest message above it where no tool call is open."""
    row = None if message_id is None else view.message(message_id)
    while row is not None and row.open_calls:
        row = None if row.parent_id is None else view.message(row.parent_id)
    return row


def _first_depth(view: StoredThread, end: Place, selection: _Selection) -> int:
    """Return the depth at which a context begins: that of a user message, if it is not the first.

    It is the oldest user message among those asked for. If there is none among them, it is the next
    one above, however far that is: a model that sees no question has nothing to answer.
    """
    last = selection.last_messages
    if last is None or last >= end.depth:
        return 1
    begins = _users(view, end, paths.Window(end.depth - last + 1, end.depth), selection)
    if begins:
        return begins[0]
    above = end.depth - last
    while above:
        page = paths.Window(1, above).page(_LOOK_UP, newest_first=True)
        begins = _users(view, end, page, selection)
        if begins:
            return begins[-1]
        above = page.first - 1
    return 1


def _users(
    view: StoredThread, end: Place, depths: paths.Window, selection: _Selection
) -> list[int]:
    """Return the depths of the user messages in a window of a path, without those skipped."""
    rows = enumerate(paths.window(view, end, depths), depths.first)
    return [
        depth
        for depth, row in rows
        if row.role == "user" and row.message_id not in selection.skipped
    ]


def _sources(view: StoredThread, hops: int) -> tuple[tuple[str, int], ...]:
    """Return the threads up to that many hops above a fork, each with its present version.

    A context that is rebuilt for a step names none: erasing its content is an erasure of that step,
    which stands in the fork itself.
    """
    return tuple((ids.show(ids.THREAD, one), version) for one, version in view.sources(hops))


def _rebuilt(
    tx: Transaction, scope: Scope, view: StoredThread, run: RunRow, step_id: bytes
) -> RunContext:
    """Rebuild the context of a step from the thread as of the version it saw."""
    step = view.row(StepRow, step_id)
    if step is None or step.run_id != run.run_id:
        raise InvalidInput("step_id", "is not a step of this run", "See runs.steps.list().")
    begun = view.event(step.version)
    seen, proof = begun.data, begun.content or _NO_PROOF
    version = seen.seen_version or step.version
    state = thread_at(tx, scope.log, StreamKey(scope.tenant, ids.THREAD, view.thread_id), version)
    skipped = set(seen.left_out)
    messages: list[Message] = []
    end = None if seen.head is None else state.message(seen.head)
    if end is not None and end.place is not None and seen.ranges:
        first = min(one[2] for one in seen.ranges)
        rows = paths.window(state, end.place, paths.Window(first, end.place.depth))
        messages = [message_value(state, row) for row in rows if row.message_id not in skipped]
    verified = None
    if proof.digest is not None and proof.salt is not None:
        verified = context_digest(proof.salt, messages) == proof.digest
    return RunContext(
        thread_id=ids.show(ids.THREAD, view.thread_id),
        run_id=ids.show(ids.RUN, run.run_id),
        messages=tuple(messages),
        left_out=tuple(ids.show(ids.MESSAGE, one) for one in seen.left_out),
        head_id=ids.show_or_none(ids.MESSAGE, seen.head),
        version=version,
        ranges=seen.ranges,
        salt=proof.salt,
        digest=proof.digest,
        verified=verified,
    )
