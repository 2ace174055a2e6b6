"""Replay a run: the third driver. It feeds recorded results back, calls nothing, and compares.

::

    report = replay(store, thread.id, run.id)
    assert report.same, report.difference

Every step is decided anew by the same ``step`` that decided it once. A run that was taken over, or
that waited for people, is replayed through all of it. What it cannot do without, content that was
erased, ends a replay early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eventstore import AsyncConversationStore, ConversationStore, Refused, Run, RunContext
from eventstore.engine import effects as f
from eventstore.engine import loading, reading
from eventstore.engine import records as r
from eventstore.engine.courses import Course
from eventstore.engine.driving import AsyncInbox, Inbox, drive, drive_async
from eventstore.engine.journal import CALLS
from eventstore.engine.script import Erased, Item, OutputsCame, TakenOver, script_of
from eventstore.engine.state import RunState, evolve, left_by_the_dead
from eventstore.engine.step import Rules, ToolRule, step

__all__ = ["RunReplay", "replay", "replay_async"]

_TOO_MANY: Final = 2**60
"""Estimate of messages that the model was never asked with: a limit forbade it."""


@dataclass(frozen=True, slots=True)
class RunReplay:
    """A run as it was decided anew."""

    run_id: str
    """The run."""
    status: str
    """Status that the replay came to."""
    records: int
    """Number of records that were decided anew and are the same."""
    answers: int
    """Number of answers of the model that were fed back."""
    calls: int
    """Number of tool calls whose results were fed back."""
    contexts_verified: bool
    """Every list of messages that the model saw is proven by its digest."""
    difference: str | None = None
    """The first thing that differs, without anybody's words; None if nothing does."""

    @property
    def same(self) -> bool:
        """The replay decided what is recorded."""
        return self.difference is None


def replay(store: ConversationStore, thread_id: str, run_id: str) -> RunReplay:
    """Replay a run from what is recorded, and compare. Nothing is called and nothing is written.

    Args:
        store: The store.
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
    """
    return drive(_replayed(thread_id, run_id), store, _no_effect, Inbox())


async def replay_async(store: AsyncConversationStore, thread_id: str, run_id: str) -> RunReplay:
    """Do the same with an async store.

    Args:
        store: The store.
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
    """
    return await drive_async(_replayed(thread_id, run_id), store, _no_effect, AsyncInbox())


def _no_effect(effect: f.Effect) -> None:
    message = f"a replay calls nothing, but was asked for {type(effect).__name__}"
    raise Refused("replay", message, "Report this as a bug of the library.")


def _replayed(thread_id: str, run_id: str) -> Course[RunReplay]:
    run: Run = yield reading.read_run(thread_id, run_id)
    assistant = yield from reading.assistant_of(run, {})
    steps = yield reading.read_steps(run)
    contexts = {}
    for one in steps:
        if one.type != CALLS:
            contexts[one.id] = yield reading.read_seen(run, one.id)
    last = yield reading.read_context(run)
    events = yield reading.read_events(run)
    script = script_of(run_id, events, contexts)
    state = replace(loading.loaded(run, assistant), status="in_progress")
    verified = all(one.verified is not False for one in contexts.values())
    return _Comparison(run_id, state, script, last, verified=verified).run()


class _Comparison:
    """Decides anew, record by record."""

    def __init__(
        self,
        run_id: str,
        state: RunState,
        script: Sequence[Item],
        last: RunContext,
        *,
        verified: bool,
    ) -> None:
        self._run_id = run_id
        self._state = state
        self._script = script
        self._last = last
        """The context that the run ended with, which no step saw."""
        self._verified = verified
        self._rules = _rules_of(script)
        self._at = 0
        self._fed: Counter[str] = Counter()
        self._records = 0

    def run(self) -> RunReplay:
        """Decide to the end of what is recorded, or to the first difference."""
        result: f.Result | None = None
        asked: tuple[f.Effect, ...] = ()
        while True:
            before = self._at
            decision = step(self._state, result, self._rules)
            for record in decision.records:
                difference = self._differs(record)
                if difference is not None:
                    return self._report(difference)
                self._state = evolve(self._state, record)
                self._at += 1
                self._records += 1
            if result is not None and not decision.effects and self._at == before:
                kind = type(self._script[self._at]).__name__
                return self._report(f"record {self._at + 1}: {kind} is recorded without a cause")
            asked = decision.effects or asked
            if self._at == len(self._script):
                return self._report(None)
            if isinstance(self._script[self._at], Erased):
                return self._report("content was erased that the replay needs")
            result = self._next_result(asked)

    def _report(self, difference: str | None) -> RunReplay:
        return RunReplay(
            run_id=self._run_id,
            status=self._state.status,
            records=self._records,
            answers=self._fed["answers"],
            calls=self._fed["calls"],
            contexts_verified=self._verified,
            difference=difference,
        )

    def _differs(self, record: r.Record) -> str | None:
        recorded = self._script[self._at] if self._at < len(self._script) else None
        kind = type(record).__name__
        if type(recorded) is not type(record):
            found = "nothing more" if recorded is None else type(recorded).__name__
            return f"record {self._at + 1}: {kind} was decided, but {found} is recorded"
        if record != recorded:
            return f"record {self._at + 1}: another {kind} is recorded"
        return None

    def _next_result(  # noqa: PLR0911 (one case an item)
        self, asked: tuple[f.Effect, ...]
    ) -> f.Result | None:
        """Return the recorded result of what was asked for, from the records behind it."""
        item = self._script[self._at]
        match item:
            case TakenOver():
                self._at += 1
                self._state = left_by_the_dead(self._state)
                return None
            case OutputsCame():
                self._at += 1
                self._state = _with_outputs(self._state, item)
                return None if item.all_in else self._next_result(asked)
            case r.BeginAnswer(context, _, tools):
                return f.ContextRead(context, replace(_context_asked(asked), tools=tools))
            case r.Complete() | r.Fail() if any(isinstance(one, f.ReadContext) for one in asked):
                return f.ContextRead(self._last, _context_asked(asked))
            case r.WriteResult(call_id, output, status, parts) if status != "cancelled":
                self._fed["calls"] += 1
                return f.ToolReturned(call_id, output, status, parts)
            case r.Cancel() | r.Expire():
                return f.Stopped("cancelled" if isinstance(item, r.Cancel) else "expired")
            case _:
                return self._answer()

    def _answer(self) -> f.Result:
        """Return the answer of the model whose records come next."""
        rest = self._script[self._at :]
        written = rest[0] if isinstance(rest[0], r.WriteAnswer) else None
        ended = rest[1] if written is not None and len(rest) > 1 else rest[0]
        parts = () if written is None else written.parts
        self._fed["answers"] += 1
        if isinstance(ended, r.FailStep):
            if ended.code in {"cancelled", "expired"}:
                return f.Stopped("cancelled" if ended.code == "cancelled" else "expired", parts)
            return f.ModelFailed(ended.code, ended.message, parts)
        if isinstance(ended, r.EndStep):
            reason = ended.details.get("finish_reason", "stop")
            provider = None if written is None else written.provider
            return f.ModelAnswered(parts, reason, ended.usage, provider)
        return f.ModelFailed("unknown", None, parts)


def _context_asked(asked: tuple[f.Effect, ...]) -> f.ReadContext:
    found = [one for one in asked if isinstance(one, f.ReadContext)]
    return found[0] if found else f.ReadContext()


def _with_outputs(state: RunState, came: OutputsCame) -> RunState:
    calls = tuple(
        replace(call, status="answered")
        if call.id in came.answered
        else replace(call, approved=call.approved or call.id in came.approved)
        for call in state.calls
    )
    return replace(state, calls=calls, status="in_progress" if came.all_in else state.status)


def _rules_of(script: Sequence[Item]) -> Rules:
    """Return the rules under which the run was executed, as its records show them."""
    names = {
        part.id: part.name
        for item in script
        if isinstance(item, r.WriteAnswer)
        for part in item.parts
        if part.type == "tool_call"
    }
    begun = Counter(
        call for item in script if isinstance(item, r.BeginCalls) for call in item.calls
    )
    approved: Counter[str] = Counter(
        call for item in script if isinstance(item, OutputsCame) for call in item.approved
    )
    asked = [
        (names.get(call, ""), reason)
        for item in script
        if isinstance(item, r.RequireAction)
        for call, reason in item.calls.items()
    ]
    here = {names[call] for call in begun if call in names}
    here |= {name for name, reason in asked if reason != "outputs"}
    repeated = {names[call] for call, times in begun.items() if times > 1 + approved[call]}
    careful = {name for name, reason in asked if reason == "approval"}
    tools = {name: ToolRule(name in repeated, name in careful) for name in here}
    estimated = {
        id(item.context.messages): item.estimated or 0
        for item in script
        if isinstance(item, r.BeginAnswer)
    }
    return Rules(tools, estimate=lambda request: estimated.get(id(request.messages), _TOO_MANY))
