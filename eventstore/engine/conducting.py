"""The course of one claimed run, from its claim to where it rests; written once for all drivers.

A course is a generator. It yields what it needs done, and is sent the answer: a request to the
store, an effect to begin, or the next result to wait for. An error of the store is raised where the
request was yielded. Between the steps it keeps the lease, and it looks at the clock.

Whatever the store answers, the log decides. After an error that leaves the outcome of a write open,
the course reads the run again, and goes on from there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from eventstore import (
    Assistant,
    InvalidInput,
    LeaseLost,
    Message,
    NotFound,
    OutcomeUnknown,
    Refused,
    Run,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.conversation.text_buffer import TextBuffer
from eventstore.engine import effects as f
from eventstore.engine import recording
from eventstore.engine import records as r
from eventstore.engine.recording import Journal, Request
from eventstore.engine.state import NOTHING_USED, RunState, evolved, left_by_the_dead
from eventstore.engine.step import Decision, Rules, step

__all__ = [
    "PASSING",
    "Begin",
    "Claim",
    "Clock",
    "Course",
    "HandBack",
    "Next",
    "TakenOver",
    "conduct",
]

T = TypeVar("T")


class Clock(NamedTuple):
    """Time, as an argument."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin an effect; its results come into the inbox."""

    effect: f.Effect


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for the next thing in the inbox; answered with None once the seconds are over."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Arrives when somebody else took the run."""


@dataclass(frozen=True, slots=True)
class HandBack:
    """Arrives when the engine closes: stop, and leave the run to others."""


Op: TypeAlias = Request | Begin | Next
Course: TypeAlias = Generator[Op, Any, T]

PASSING: Final = frozenset({"connection_lost", "disk_full", "io_error", "out_of_memory"})
"""Reasons for which a store is unavailable that may pass."""
_PAUSE_SECONDS: Final = (0.05, 1.0)
_BEATS_PER_LEASE: Final = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this engine may execute."""

    run: Run
    fresh: bool
    """It has no step and no message of its own yet."""
    lease_seconds: float
    since: datetime
    """Time since which it waits or works, without waiting for people: it expires after that."""


class _Gone(Exception):
    """The run ended or went to somebody else."""


class _HandedBack(Exception):
    """The engine closes, so the run is left to others."""


class _Lease:
    """The time until which the run is ours."""

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds = seconds
        self.renewed(now)

    def renewed(self, now: float) -> None:
        """Note that the lease begins anew."""
        self.beat_at = now + self.seconds / _BEATS_PER_LEASE
        self.ends_at = now + self.seconds


def conduct(
    claim: Claim, rules: Callable[[RunState], Rules], clock: Clock, assistants: dict[Any, Assistant]
) -> Course[Run | None]:
    """Execute a claimed run until it ends, waits for people, or is not ours any more.

    Return the run as it was left, if this course wrote that down.
    """
    course = _Conducting(claim, rules, clock, assistants)
    try:
        yield from course.run_to_rest()
    except _Gone:
        yield from course.stop_all()
    except _HandedBack:
        yield from course.hand_back()
    except Refused as error:  # people removed what it stands on, for example
        yield from course.give_up(error)
    except GeneratorExit:
        raise
    except BaseException:
        yield from course.stop_all()
        raise
    return course.rests


class _Conducting:
    """One run's course."""

    def __init__(
        self,
        claim: Claim,
        rules: Callable[[RunState], Rules],
        clock: Clock,
        assistants: dict[Any, Assistant],
    ) -> None:
        self._run = claim.run
        self._since = claim.since
        self._claim = claim
        self._rules_for = rules
        self._clock = clock
        self._assistants = assistants
        self._journal = Journal(claim.run)
        self._showing = 0
        """Number of the step that writes it."""
        self._early: deque[Any] = deque()
        """Arrived while the course waited for something else."""
        self._under_way = False
        self._listing = False
        self._lease = _Lease(claim.lease_seconds, clock.monotonic())
        self._text: TextBuffer | None = None
        """Text of the answer that is being written."""
        self._deadline: datetime | None = None

    @property
    def rests(self) -> Run | None:
        """The run as it was left, if that was written here."""
        return self._journal.rests

    # -- the main loop

    def run_to_rest(self) -> Course[None]:
        try:
            state = yield from self._load(fresh=self._claim.fresh)
        except InvalidInput as error:
            yield from self._fail_at_once(error)
            return
        rules, tools = self._rules_of(state), state.tools
        self._deadline = self._since + timedelta(seconds=state.settings.expires_seconds)
        late = self._clock.now() >= self._deadline
        result: f.Result | None = f.DeadlinePassed() if late else None
        while True:
            if state.tools is not tools:  # they were listed
                rules, tools = self._rules_of(state), state.tools
            decision = yield from self._with_what_came_too(state, step(state, result, rules), rules)
            result = None
            if decision.records:
                state, result = yield from self._write(state, decision.records)
            if state.ended or state.status == "requires_action":
                return
            if result is None:
                result = yield from self._begin(decision.effects)
            if result is None and (state.running is not None or self._listing):
                result = yield from self._next()
            if isinstance(result, f.ToolsListed):
                self._listing = False
            if isinstance(result, f.ToolUnusable):
                yield from self.stop_all()

    def _with_what_came_too(
        self, state: RunState, decision: Decision, rules: Rules
    ) -> Course[Decision]:
        """Decide on results that have arrived meanwhile, too, so that they share a commit."""
        while state.running is not None and decision.records and not decision.effects:
            arrived = self._early.popleft() if self._early else (yield Next(0))
            if not isinstance(arrived, f.ToolReturned):
                if arrived is not None:
                    self._early.appendleft(arrived)
                break
            after = evolved(state, decision.records)
            more = step(after, arrived, rules)
            decision = Decision((*decision.records, *more.records), more.effects)
        return decision

    def _rules_of(self, state: RunState) -> Rules:
        rules = self._rules_for(state)
        here = rules.tools.keys() | rules.sets | rules.definitions.keys()
        self._journal.elsewhere = sorted(state.offered - here)
        return rules

    def _begin(self, effects: Sequence[f.Effect]) -> Course[f.Result | None]:
        """Begin effects. Two have their result here: reading, and stopping."""
        for effect in effects:
            match effect:
                case f.ReadContext(last_messages):
                    asked = recording.read_context(self._run, last_messages)
                    context = yield from self._ask(asked)
                    return f.ContextRead(context, effect)
                case f.Stop():
                    stopped = yield from self._stop(effect)
                    return stopped
                case _:
                    self._under_way = True
                    self._listing = isinstance(effect, f.ListTools)
                    yield Begin(effect)
        return None

    # -- reading

    def _load(self, *, fresh: bool) -> Course[RunState]:
        assistant = yield from recording.assistant_of(self._run, self._assistants)
        if fresh:
            return recording.loaded(self._run, assistant)
        steps = yield from self._ask(recording.read_steps(self._run))
        own = yield from self._own_messages()
        history = recording.NO_HISTORY
        if steps:
            history = yield from self._ask(recording.read_history(self._run, steps[0].version))
        self._since = max(self._since, history.submitted_at or self._since)
        self._journal = Journal(self._run, [one.id for one in steps])
        return recording.loaded(self._run, assistant, steps, own, history)

    def _own_messages(self) -> Course[list[Message]]:
        """Read the messages that the run wrote, oldest first."""
        own: list[Message] = []
        if self._run.last_message_id == self._run.started_head_id:
            return own
        after: str | None = None
        while True:
            page = yield from self._ask(recording.read_newest(self._run, after))
            for message in page.data:
                if message.id == self._run.started_head_id:
                    return own[::-1]
                own.append(message)
            if page.next_cursor is None:
                return own[::-1]
            after = page.next_cursor

    def _ask(self, request: Request) -> Course[Any]:
        """Perform a request; wait while the database is in trouble that may pass."""
        pause, most = _PAUSE_SECONDS
        while True:
            try:
                return (yield request)
            except StoreBusy:
                pass
            except StoreUnavailable as error:
                if error.reason not in PASSING:
                    raise
            except (LeaseLost, NotFound):
                raise _Gone from None
            if self._clock.monotonic() > self._lease.ends_at:
                raise _Gone
            yield from self._rest(pause)
            pause = min(2 * pause, most)

    def _rest(self, seconds: float) -> Course[None]:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            arrived = yield Next(left)
            if arrived is not None:
                self._early.append(arrived)

    # -- writing

    def _write(
        self, state: RunState, records: Sequence[r.Record]
    ) -> Course[tuple[RunState, f.Result | None]]:
        """Write records; return the state after them, and what to decide on instead if refused."""
        while True:
            try:
                yield from self._record(records)
            except OutcomeUnknown:
                found = yield from self._reload()
                if found == left_by_the_dead(evolved(state, records)):
                    return evolved(state, records), None
                if found != left_by_the_dead(state):
                    raise _Gone from None
            except Refused as error:
                return (yield from self._refused(state, error))
            except InvalidInput as error:
                return (yield from self._unrecordable(state, error))
            else:
                return evolved(state, records), None

    def _record(self, records: Sequence[r.Record]) -> Course[None]:
        made = yield from self._ask(self._journal.write(records))
        self._journal.written(made)

    def _reload(self) -> Course[RunState]:
        self._run = yield from self._ask(recording.read_run(self._run.thread_id, self._run.id))
        return (yield from self._load(fresh=False))

    def _refused(self, state: RunState, error: Refused) -> Course[tuple[RunState, f.Result | None]]:
        if error.reason == "context_erased":
            asked = f.ReadContext()
            context = yield from self._ask(recording.read_context(self._run))
            return state, f.ContextRead(context, asked)
        run = yield from self._ask(recording.read_run(self._run.thread_id, self._run.id))
        if run.status == "cancelling":
            return state, f.CancelRequested()
        if run.status != "in_progress":
            raise _Gone
        return (yield from self._unrecordable(state, error))

    def _unrecordable(
        self, state: RunState, error: Refused | InvalidInput
    ) -> Course[tuple[RunState, f.Result | None]]:
        """End a run whose next record the store does not take."""
        code = error.reason if isinstance(error, Refused) else "invalid_value"
        failed = () if state.running is None else (r.FailStep(state.running, code, str(error)),)
        records = (*failed, r.Fail(code, str(error), state.usage))
        try:
            yield from self._record(records)
        except (Refused, InvalidInput, OutcomeUnknown):
            raise _Gone from None
        yield from self.stop_all()
        return evolved(state, records), None

    def _fail_at_once(self, error: InvalidInput) -> Course[None]:
        """End a run with settings that nobody can follow."""
        record = r.Fail("invalid_settings", str(error), NOTHING_USED)
        yield from self._record((record,))

    # -- waiting

    def _next(self) -> Course[f.Result]:
        """Return the next result; meanwhile show text, keep the lease, and look at the clock."""
        while True:
            arrived = self._early.popleft() if self._early else (yield Next(self._seconds_left()))
            match arrived:
                case TakenOver():
                    raise _Gone
                case HandBack():
                    raise _HandedBack
                case f.TextArrived(step_number, text):
                    yield from self._show(step_number, text)  # the end may have arrived, too
                case None:
                    pass
                case _:
                    self._text = None
                    return arrived  # type: ignore[no-any-return]
            if self._deadline is not None and self._clock.now() >= self._deadline:
                self._deadline = None
                return f.DeadlinePassed()
            if self._clock.monotonic() >= self._lease.beat_at and (yield from self._beat()):
                return f.CancelRequested()
            if self._text is not None and arrived is None:
                yield from self._write_text(self._text, self._text.due(self._clock.monotonic()))

    def _seconds_left(self) -> float:
        now = self._clock.monotonic()
        left: float = self._lease.beat_at - now
        if self._deadline is not None:
            left = min(left, (self._deadline - self._clock.now()).total_seconds())
        if self._text is not None and (due := self._text.wait_seconds(now)) is not None:
            left = min(left, due)
        return max(left, 0.0)

    def _beat(self) -> Course[bool]:
        """Renew the lease; return whether somebody cancelled the run."""
        asked = recording.heartbeat(self._run, self._lease.seconds)
        try:
            run: Run = yield from self._ask(asked)
        except Refused:
            raise _Gone from None
        self._lease.renewed(self._clock.monotonic())
        return run.status == "cancelling"

    def _show(self, step_number: int, text: str) -> Course[None]:
        """Collect text that arrived; it is shown once it is due and nothing else has arrived.

        So an answer that comes in one breath is written once, as the message that it is. A buffer
        that is full does not wait.
        """
        if self._text is None:
            self._text = TextBuffer()
        self._showing = step_number
        piece = self._text.add(text, self._clock.monotonic())
        if self._text.full:
            yield from self._write_text(self._text, piece)

    def _write_text(self, buffer: TextBuffer, piece: str) -> Course[None]:
        if not piece:
            return
        message_id = self._journal.message_id(self._showing)
        try:
            yield from self._ask(recording.write_text(self._run, piece, message_id, buffer.offset))
        except OutcomeUnknown:
            return  # the next piece begins with it again
        except Refused:
            run = yield from self._ask(recording.read_run(self._run.thread_id, self._run.id))
            if run.status not in {"in_progress", "cancelling"}:
                raise _Gone from None
            return  # so will the answer be; what becomes of the run is decided there
        buffer.written(piece)

    # -- stopping

    def _stop(self, stop: f.Stop) -> Course[f.Stopped]:
        """Stop what is under way; tools that return before they are stopped have returned."""
        returned = [one for one in self._early if isinstance(one, f.ToolReturned)]
        self._early.clear()
        yield Begin(stop)
        while True:
            arrived = yield Next(None)
            if isinstance(arrived, f.ToolReturned):
                returned.append(arrived)
            elif isinstance(arrived, f.Stopped):
                self._under_way = False
                return f.Stopped(stop.reason, arrived.parts, tuple(returned))

    def hand_back(self) -> Course[None]:
        """Stop, and end the lease, so that another engine goes on at once."""
        yield from self.stop_all()
        with suppress(_Gone, Refused):
            yield from self._ask(recording.heartbeat(self._run, 0))

    def give_up(self, error: Refused) -> Course[None]:
        """Stop, and end a run that nobody could go on with."""
        yield from self.stop_all()
        record = r.Fail(error.reason, str(error), NOTHING_USED)
        with suppress(_Gone, Refused, OutcomeUnknown):
            yield from self._record((record,))

    def stop_all(self) -> Course[None]:
        """Stop what is under way, and record nothing."""
        if self._under_way:
            yield from self._stop(f.Stop("cancelled"))
