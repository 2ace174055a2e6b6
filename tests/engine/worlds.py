"""A world for the pure step: models, tools, crashes and people, as Hypothesis draws them.

Nothing here reads a clock, a store or a network. The world performs the effects that it is asked
for, forgets everything but what was recorded when it crashes, and writes down what happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from eventstore import RunContext, TextPart, TokenUsage, ToolCallPart
from eventstore.engine import effects as f
from eventstore.engine import records as r
from eventstore.engine.settings import RunSettings
from eventstore.engine.state import RunState, evolve, left_by_the_dead
from eventstore.engine.step import Rules, ToolRule, step

RULES = Rules(
    {
        "careful": ToolRule(),
        "again": ToolRule(repeatable=True),
        "asking": ToolRule(approval=True),
    }
)
HERE = sorted(RULES.tools)
OFFERED = [*HERE, "elsewhere"]
NAMES = [*OFFERED, "unheard_of"]
CONTEXT = RunContext(
    thread_id="thread_" + "0" * 32,
    run_id="run_" + "0" * 32,
    messages=(),
    left_out=(),
    head_id=None,
    version=1,
    ranges=(),
)
TOOLS = tuple({"type": "function", "function": {"name": name}} for name in OFFERED)


def settings():
    return st.builds(
        RunSettings,
        steps_max=st.integers(1, 4),
        parallel_tool_calls=st.sampled_from([None, True, False]),
        max_completion_tokens=st.sampled_from([None, 20]),
    )


@dataclass
class World:
    """One run's life."""

    data: st.DataObject
    state: RunState
    under_way: list[f.Effect] = field(default_factory=list)
    records: list[r.Record] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    """Every tool call that was begun, in order."""
    allowed: dict[str, int] = field(default_factory=dict)
    """How often people let a call be made."""
    calls_made: int = 0

    def decide(self, result: f.Result | None) -> None:
        """Take one step: record, then begin the effects."""
        decision = step(self.state, result, RULES)
        for record in decision.records:
            self.state = evolve(self.state, record)
            self.records.append(record)
        for effect in decision.effects:
            if isinstance(effect, f.CallTool):
                self.called.append(effect.call_id)
            self.under_way.append(effect)

    def live(self) -> None:
        """Live on until the run ends, or for so many moments."""
        self.decide(None)
        for _ in range(80):
            if self.state.ended:
                return
            self.moment()
        self.finish()

    def moment(self) -> None:
        if self.state.status == "requires_action":
            self.people_answer()
            return
        chance = self.data.draw(st.integers(0, 19))
        if chance == 0:
            self.crash()
        elif chance == 1:
            self.stop(f.CancelRequested() if self.data.draw(st.booleans()) else f.DeadlinePassed())
        else:
            self.happen()

    def finish(self) -> None:
        """End quickly: nothing crashes any more."""
        for _ in range(200):
            if self.state.ended:
                return
            if self.state.status == "requires_action":
                self.people_answer()
            else:
                self.happen()
        raise AssertionError(f"the run does not end: {self.state}")

    def happen(self) -> None:
        """Something that is under way has a result."""
        index = self.data.draw(st.integers(0, len(self.under_way) - 1))
        self.decide(self.result_of(self.under_way.pop(index)))

    def result_of(self, effect: f.Effect) -> f.Result:
        match effect:
            case f.ReadContext():
                return f.ContextRead(CONTEXT, effect)
            case f.AskModel():
                return self.answer()
            case f.CallTool(call_id):
                failed = self.data.draw(st.booleans())
                return f.ToolReturned(call_id, "output", "failed" if failed else "completed")
        raise AssertionError(effect)

    def answer(self) -> f.Result:
        if self.data.draw(st.integers(0, 9)) == 0:
            return f.ModelFailed("server_error", parts=(TextPart(text="Once"),))
        names = self.data.draw(st.lists(st.sampled_from(NAMES), max_size=4))
        calls = []
        for name in names:
            self.calls_made += 1
            calls.append(ToolCallPart(id=f"call_{self.calls_made}", name=name, arguments={}))
        words = (TextPart(text="Words."),) if self.data.draw(st.booleans()) else ()
        reason: Any = self.data.draw(st.sampled_from(["stop"] * 8 + ["length", "content_filter"]))
        usage = TokenUsage(input_tokens=7, output_tokens=5, total_tokens=12)
        return f.ModelAnswered((*words, *calls), reason, usage)

    def stop(self, wish: f.Result) -> None:
        """Somebody cancels it, or its time is over; some tools still return meanwhile."""
        self.decide(wish)
        [stop] = [one for one in self.under_way if isinstance(one, f.Stop)]
        tools = [one for one in self.under_way if isinstance(one, f.CallTool)]
        late = tuple(
            f.ToolReturned(one.call_id, "late") for one in tools if self.data.draw(st.booleans())
        )
        asking = any(isinstance(one, f.AskModel) for one in self.under_way)
        parts = (TextPart(text="Half"),) if asking else ()
        self.under_way.clear()
        self.decide(f.Stopped(stop.reason, parts, late))

    def crash(self) -> None:
        """Whoever ran it dies, and somebody else goes on from the log."""
        self.under_way.clear()
        self.state = left_by_the_dead(self.state)
        self.decide(None)

    def people_answer(self) -> None:
        """People answer all that the run waits for, or let the engine make a call."""
        waits = self.records[-1]
        assert isinstance(waits, r.RequireAction)
        calls = []
        for call in self.state.calls:
            reason = waits.calls.get(call.id)
            if reason is None:
                calls.append(call)
            elif reason != "outputs" and self.data.draw(st.booleans()):
                self.allowed[call.id] = self.allowed.get(call.id, 0) + 1
                calls.append(replace(call, approved=True))
            else:
                calls.append(replace(call, status="answered"))
        self.state = replace(self.state, calls=tuple(calls), status="in_progress")
        self.decide(None)
