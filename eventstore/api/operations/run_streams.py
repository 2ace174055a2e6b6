"""``store.runs``: show the text of a run while it is written, read along, and wait for its end."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any, Final

from eventstore.api.operations.following import Await, Follow, SharedLook
from eventstore.api.operations.inputs import checked_fence, checked_offset, message_key, run_key
from eventstore.api.operations.loaders import existing_run, live_thread, thread_key
from eventstore.api.operations.operation import NO_OPTIONS, Read, Scope, Write, to_thread
from eventstore.conversation import commands as c
from eventstore.conversation.present_runs import run_value
from eventstore.conversation.run_events import RunEvent
from eventstore.conversation.run_telling import START, Reached
from eventstore.conversation.run_values import Run
from eventstore.core import ids
from eventstore.core.json_values import check_text
from eventstore.core.pages import Count, decode_cursor, encode_cursor, listing_key
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput, StoreBusy, StoreUnavailable, WaitTimedOut
from eventstore.storage.transaction import Transaction
from eventstore.subscriptions.run_pages import RESTING, RunPage, RunReader, RunStands, stands_of
from eventstore.subscriptions.subscription_state import PageOutcome, SubscriptionState

_POLL_SECONDS: Final = 5.0
_SECONDS_MAX: Final = 86_400.0


# -- writing ---------------------------------------------------------------------------------------


def write_text(
    scope: Scope,
    thread_id: str,
    run_id: str,
    text: str,
    *,
    message_id: str,
    offset: int,
    fence: int | None = None,
) -> Write[int]:
    """Show the next piece of a message that the run is writing.

    The piece is committed when this returns, and ``stream()`` shows it in any process. Give
    whole pieces, not each token: ``TextBuffer`` collects them. Finish with
    ``messages.create(message_id=…, run_id=…)``, whose text begins with all that was written. If
    the run ends or is taken over before, the text is kept as a message with the status
    ``"incomplete"``. Text for another message gives this one up in the same way, and starts again
    beside it.

    Args:
        thread_id: The thread.
        run_id: The run.
        text: The piece.
        message_id: The message; choose an id of your own, ``msg_`` and 32 lowercase hex digits.
        offset: Number of characters of this message that were written before. A repeated piece
            adds nothing.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Returns:
        The offset of the next piece.

    Raises:
        InvalidInput: a value is malformed, or the message is final.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run does not write now, has open tool calls, or showed another text there.
        LeaseLost: another worker took the run over.
    """
    command = c.WriteText(
        run_id=run_key(run_id),
        message_id=message_key(message_id, "message_id"),
        offset=checked_offset(offset, "offset"),
        text=check_text(text, "text"),
        fence=checked_fence(fence),
    )
    limit = scope.log.limits.content_bytes_max
    if (command.offset + len(command.text)) * _BYTES_A_CHARACTER + _ROOM > limit:
        raise InvalidInput(
            "text",
            f"makes a message of {command.offset + len(command.text)} characters, which may take"
            f" more than the {limit} bytes allowed",
            "Finish the message, and go on in another one.",
        )
    return to_thread(scope, thread_id, command, NO_OPTIONS)


_BYTES_A_CHARACTER: Final = 4
_ROOM: Final = 64
"""Bytes of a message's content besides its text."""


# -- reading along ---------------------------------------------------------------------------------


class _RunCourse(SubscriptionState[Reached]):
    """The place of a reader; it sleeps a little longer each time that it was woken for nothing."""

    stands: RunStands | None = None
    """State of the run when everything had been read."""

    def woken_for(self, stands: RunStands) -> bool:
        """Return whether there may be something new."""
        news = stands != self.stands
        self.looked(news=news)
        return news


class _RunFollow(Follow[RunEvent, _RunCourse, RunPage | RunStands]):
    """The events of a run behind a place, until it ends or waits for somebody outside."""

    def __init__(self, scope: Scope, reader: RunReader, after: Reached, seconds: float) -> None:
        self._scope = scope
        self._reader = reader
        self._after = after
        self._poll_seconds = seconds
        self.key = reader.key

    def shared(self, course: _RunCourse) -> SharedLook[RunPage | RunStands]:
        if course.stands is not None:  # woken: look first whether it is for this run
            return SharedLook(self.key, stands_of, brief=True)
        reached = course.place
        return SharedLook(
            reached, lambda tx, _: {reached: self._look(tx, reached)}, self.key, snapshot=True
        )

    def begin(self) -> _RunCourse:
        return _RunCourse(self._after, self._poll_seconds)

    def page(self, course: _RunCourse) -> Read[RunPage | RunStands]:
        if course.stands is not None:  # woken: look first whether it is for this run
            return Read(self._reader.stand, snapshot=False, brief=True)
        reached = course.place
        return Read(lambda tx: self._look(tx, reached))

    def _look(self, tx: Transaction, reached: Reached) -> RunPage:
        live_thread(tx, self._scope, self._reader.stream)
        return self._reader.next_page(tx, reached)

    def heard(self, course: _RunCourse, page: RunPage | RunStands) -> Iterator[RunEvent]:
        if isinstance(page, RunStands):
            if course.woken_for(page):
                course.stands = None
                course.move(PageOutcome.FULL)
            else:
                course.move(PageOutcome.SHORT)
            return
        yield from page.events
        course.move(page.found, page.reached)
        if page.found is PageOutcome.SHORT:
            course.stands = page.stands
            course.over = page.reached.over or page.stands.status in RESTING


_PLACE: Any = tuple[Count, Count, bytes, Count, Count, bool]


def stream(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    after: str | None = None,
    poll_seconds: float = _POLL_SECONDS,
) -> Follow[RunEvent]:
    """Yield what a run does: its states, steps, text as it is written, and tool calls.

    Any process may read along, from the start or behind a cursor, live or long afterwards: the
    events are the same, and each piece of text comes once. Live the text comes in more pieces,
    and steps may end between them. The iterator ends when the run has ended, or waits for tool
    outputs; then go on behind the last cursor.

    Args:
        thread_id: The thread.
        run_id: The run.
        after: ``cursor`` of the last event that you are done with, to begin behind it.
        poll_seconds: How long news may take where no hint of a commit arrives: after a lost
            connection, through a pooler, or beside an engine of your own.

    Raises:
        InvalidInput: a value is malformed, or the cursor belongs to another run.
        ThreadNotFound, RunNotFound: there is no such run, or it was purged meanwhile.
        StoreClosed: the store was closed, also while waiting.
        StoreUnavailable: the database fails for a reason that does not pass with time.
    """
    key, run = thread_key(scope, thread_id), run_key(run_id)
    listing = listing_key("run events", scope.tenant, key.id, run)
    reader = RunReader(scope.log, key, run, lambda reached: encode_cursor(listing, *reached))
    place = START if after is None else Reached(*decode_cursor(listing, after, _PLACE))
    return _RunFollow(scope, reader, place, _checked_seconds(poll_seconds, "poll_seconds"))


# -- waiting ---------------------------------------------------------------------------------------


class _RunAwait(Await[Run, SubscriptionState[None], Run | RunStands]):
    """A run, once it has ended or waits for somebody outside."""

    def __init__(
        self, scope: Scope, reader: RunReader, timeout: float | None, seconds: float
    ) -> None:
        self._scope = scope
        self._reader = reader
        self._timeout_seconds = timeout
        self._until = None if timeout is None else monotonic() + timeout
        self._poll_seconds = seconds
        self._status = "unknown"
        self.key = reader.key

    def shared(self, course: SubscriptionState[None]) -> SharedLook[Run | RunStands] | None:
        return SharedLook(self.key, stands_of, brief=True) if course.seen is None else None

    def begin(self) -> _Patience:
        course = _Patience(self._until, self._poll_seconds)
        course.seen = True  # look at the run itself first
        return course

    def page(self, course: SubscriptionState[None]) -> Read[Run | RunStands]:
        if course.seen is None:
            return Read(self._reader.stand, snapshot=False, brief=True)
        return Read(self._look, brief=True)

    def _look(self, tx: Transaction) -> Run:
        view = live_thread(tx, self._scope, self._reader.stream)
        return run_value(view, existing_run(view, self._reader.run_id))

    def heard(self, course: SubscriptionState[None], page: Run | RunStands) -> Iterator[Run]:
        self._status = page.status
        if isinstance(page, Run) and page.status in RESTING:
            course.over = True
            yield page
            return
        course.seen = page if page.status in RESTING else None
        course.move(PageOutcome.SHORT if course.seen is None else PageOutcome.FULL)
        if course.seen is None:
            self._check_time()

    def failed(self, course: SubscriptionState[None], error: StoreBusy | StoreUnavailable) -> None:
        super().failed(course, error)
        self._check_time()

    def _check_time(self) -> None:
        if self._until is not None and monotonic() >= self._until:
            run = ids.show(ids.RUN, self._reader.run_id)
            raise WaitTimedOut(run, self._status, self._timeout_seconds or 0.0)


class _Patience(SubscriptionState[None]):
    """A wait with an end."""

    def __init__(self, until: float | None, poll_seconds: float) -> None:
        super().__init__(None, poll_seconds)
        self._until = until

    @property
    def rest_seconds(self) -> float | None:
        rest = super().rest_seconds
        if rest is None or self._until is None:
            return rest
        return max(0.0, min(rest, self._until - monotonic()))


def wait(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    timeout_seconds: float | None = None,
    poll_seconds: float = _POLL_SECONDS,
) -> Await[Run]:
    """Wait until a run has ended, or waits for tool outputs; return it.

    Args:
        thread_id: The thread.
        run_id: The run.
        timeout_seconds: How long to wait; None has no limit.
        poll_seconds: How long news may take where no hint of a commit arrives: after a lost
            connection, through a pooler, or beside an engine of your own.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run, or it was purged meanwhile.
        WaitTimedOut: it did neither in time; it goes on.
        StoreClosed: the store was closed, also while waiting.
        StoreUnavailable: the database fails for a reason that does not pass with time.
    """
    limit = None
    if timeout_seconds is not None:
        limit = (
            0.0 if timeout_seconds == 0 else _checked_seconds(timeout_seconds, "timeout_seconds")
        )
    reader = RunReader(scope.log, thread_key(scope, thread_id), run_key(run_id), lambda _: "")
    return _RunAwait(scope, reader, limit, _checked_seconds(poll_seconds, "poll_seconds"))


def _checked_seconds(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        value = None
    if value is None or not 0 < value <= _SECONDS_MAX:
        raise InvalidInput(
            field,
            f"{quoted(value)} is not allowed",
            f"Give more than 0 and up to {_SECONDS_MAX:,.0f} seconds.",
        )
    return float(value)
