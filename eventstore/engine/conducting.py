"""The course of one claimed run, from its claim to where it rests; written once for all drivers.

It decides with ``step``, writes the records, begins the effects, and waits for their results.
Between the steps it keeps the lease, shows text, and looks at the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from eventstore import Assistant, InvalidInput, OutcomeUnknown, Refused, Run
from eventstore.engine import effects as f
from eventstore.engine import reading, recording
from eventstore.engine import records as r
from eventstore.engine.asking import Gone
from eventstore.engine.courses import Begin, Claim, Clock, Course, HandBack, Next, TakenOver
from eventstore.engine.state import NOTHING_USED, RunState, evolved
from eventstore.engine.step import Decision, Rules, step
from eventstore.engine.writing import Writing

__all__ = ["conduct"]


class _HandedBack(Exception):
    """The engine closes, so the run is left to others."""


def conduct(
    claim: Claim, rules: Callable[[RunState], Rules], clock: Clock, assistants: dict[Any, Assistant]
) -> Course[Run | None]:
    """Execute a claimed run until it ends, waits for people, or is not ours any more.

    Return the run as it was left, if this course wrote that down.
    """
    course = _Conducting(claim, rules, clock, assistants)
    try:
        yield from course.run_to_rest()
    except Gone:
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


class _Conducting(Writing):
    """One run's course."""

    def __init__(
        self,
        claim: Claim,
        rules: Callable[[RunState], Rules],
        clock: Clock,
        assistants: dict[Any, Assistant],
    ) -> None:
        super().__init__(claim, clock, assistants)
        self._claim = claim
        self._rules_for = rules
        self._under_way = False
        self._listing = False
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
                    asked = reading.read_context(self._run, last_messages)
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

    # -- waiting

    def _next(self) -> Course[f.Result]:
        """Return the next result; meanwhile show text, keep the lease, and look at the clock."""
        while True:
            arrived = self._early.popleft() if self._early else (yield Next(self._seconds_left()))
            match arrived:
                case TakenOver():
                    raise Gone
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
            raise Gone from None
        self._lease.renewed(self._clock.monotonic())
        return run.status == "cancelling"

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
        with suppress(Gone, Refused):
            yield from self._ask(recording.heartbeat(self._run, 0))

    def give_up(self, error: Refused) -> Course[None]:
        """Stop, and end a run that nobody could go on with."""
        yield from self.stop_all()
        record = r.Fail(error.reason, str(error), NOTHING_USED)
        with suppress(Gone, Refused, OutcomeUnknown):
            yield from self._record((record,))

    def stop_all(self) -> Course[None]:
        """Stop what is under way, and record nothing."""
        if self._under_way:
            yield from self._stop(f.Stop("cancelled"))
