"""The pure step: laws over random lives, and single decisions. No IO anywhere."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import TextPart, TokenUsage, ToolCallPart
from eventstore.engine import effects as f
from eventstore.engine import records as r
from eventstore.engine.settings import RunSettings
from eventstore.engine.state import CallState, RunState, StepState, evolve, left_by_the_dead
from eventstore.engine.step import Decision, Rules, ToolRule, step
from tests.conftest import LONG
from tests.engine import worlds
from tests.engine.worlds import CONTEXT, RULES, TOOLS, World

ENDS = (r.Complete, r.Fail, r.Expire, r.Cancel)


@settings(max_examples=3_000 if LONG else 150)
@given(data=st.data(), chosen=worlds.settings())
def test_every_life_keeps_the_rules(data, chosen):
    world = World(data, RunState(model="m", tools=TOOLS, settings=chosen))
    world.live()
    assert world.state.ended
    ends = [record for record in world.records if isinstance(record, ENDS)]
    assert ends == world.records[-1:], "a run ends once, and nothing follows"
    names = {
        part.id: part.name
        for record in world.records
        if isinstance(record, r.WriteAnswer)
        for part in record.parts
        if isinstance(part, ToolCallPart)
    }
    for call, times in Counter(world.called).items():
        name = names[call]
        assert name in RULES.tools, "only tools of this process are called"
        if name == "careful":
            assert times <= 1 + world.allowed.get(call, 0), "repeated without leave"
        if name == "asking":
            assert times <= world.allowed.get(call, 0), "called without approval"
    answers = Counter(
        record.call_id for record in world.records if isinstance(record, r.WriteResult)
    )
    assert all(times == 1 for times in answers.values()), "a call is answered once"
    if isinstance(ends[0], r.Complete):
        assert all(call.status == "answered" for call in world.state.calls)


@given(data=st.data(), chosen=worlds.settings())
@settings(max_examples=1_000 if LONG else 60)
def test_every_effect_is_recorded_before_it_is_done(data, chosen):
    state = RunState(model="m", tools=TOOLS, settings=chosen)

    class Watched(World):
        def decide(self, result):
            decision = step(self.state, result, RULES)
            asks = [one for one in decision.effects if isinstance(one, f.AskModel)]
            calls = {one.call_id for one in decision.effects if isinstance(one, f.CallTool)}
            last = decision.records[-1] if decision.records else None
            assert not asks or isinstance(last, r.BeginAnswer)
            assert not calls or last == r.BeginCalls(tuple(sorted(calls, key=by_number)))
            super().decide(result)

    Watched(data, state).live()


def by_number(call_id):
    return int(call_id.partition("_")[2])


# -- single decisions ------------------------------------------------------------------------------


def decided(state: RunState, result: f.Result | None, rules: Rules) -> Any:
    """A decision as a tuple of anything: its tests know what they look for."""
    return step(state, result, rules)


def calling(*names, **changes):
    """A state in which a model has just asked for tools, and nothing was called."""
    calls = tuple(CallState(f"call_{index}", name, {}) for index, name in enumerate(names, 1))
    answered = StepState("message_creation", "completed")
    return replace(RunState(model="m", tools=TOOLS, steps=(answered,), calls=calls, **changes))


def test_a_new_run_reads_its_context_and_asks_the_model():
    state = RunState(model="m", settings=RunSettings())
    assert decided(state, None, RULES) == Decision(effects=(f.ReadContext(),))
    [begun], [asked] = decided(state, f.ContextRead(CONTEXT, f.ReadContext()), RULES)
    assert begun == r.BeginAnswer(CONTEXT)
    assert (asked.step, asked.request.model) == (0, "m")


def test_a_run_without_a_model_fails():
    [failed], effects = decided(RunState(), f.ContextRead(CONTEXT, f.ReadContext()), RULES)
    assert (failed.code, effects) == ("no_model", ())


def test_local_calls_are_made_first_and_the_rest_wait_together():
    state = calling("careful", "elsewhere", "asking")
    records, effects = decided(state, None, RULES)
    assert records == (r.BeginCalls(("call_1",)),)
    assert [one.call_id for one in effects] == ["call_1"]
    running = evolve(state, records[0])
    *_, waits = decided(running, f.ToolReturned("call_1", "done"), RULES).records
    assert waits == r.RequireAction({"call_2": "outputs", "call_3": "approval"})


def test_a_call_whose_outcome_is_unknown_is_made_again_only_if_that_does_no_harm():
    state = calling("careful", "again")
    [begun], _ = decided(state, None, RULES)
    found = left_by_the_dead(evolve(state, begun))
    [begun], effects = decided(found, None, RULES)
    assert [one.call_id for one in effects] == ["call_2"]
    *_, waits = decided(evolve(found, begun), f.ToolReturned("call_2", 1), RULES).records
    assert waits == r.RequireAction({"call_1": "outcome_unknown"})


def test_a_tool_that_was_never_offered_fails_at_once_and_the_model_sees_it():
    [failed], effects = decided(calling("unheard_of"), None, RULES)
    assert failed.status == "failed"
    assert "unheard_of" in failed.output
    assert effects == (f.ReadContext(),)


def test_calls_are_made_one_by_one_without_parallel_tool_calls():
    state = calling("careful", "careful", settings=RunSettings(parallel_tool_calls=False))
    [begun], _ = decided(state, None, RULES)
    assert begun.calls == ("call_1",)
    *_, second = decided(evolve(state, begun), f.ToolReturned("call_1", 1), RULES).records
    assert second == r.BeginCalls(("call_2",))


def test_a_forced_tool_is_forced_once():
    def choice(state):
        _, [asked] = decided(state, f.ContextRead(CONTEXT, f.ReadContext()), RULES)
        return asked.request.settings.tool_choice

    forced = RunSettings(tool_choice="required")
    assert choice(RunState(model="m", settings=forced)) == "required"
    done = calling("careful", settings=forced)
    done = replace(done, calls=(replace(done.calls[0], status="answered"),))
    assert choice(done) == "auto"


def test_limits_end_a_run_incomplete():
    used = TokenUsage(input_tokens=50, output_tokens=50, total_tokens=100)
    once = (StepState("message_creation", "completed"),)
    limits = {
        "steps_max": RunSettings(steps_max=1),
        "max_prompt_tokens": RunSettings(max_prompt_tokens=50),
        "max_completion_tokens": RunSettings(max_completion_tokens=50),
    }
    for reason, chosen in limits.items():
        state = RunState(model="m", steps=once, usage=used, settings=chosen)
        [ended], effects = decided(state, None, RULES)
        assert (ended.incomplete_reason, effects) == (reason, ())


def test_a_step_that_a_death_cost_is_none_of_those_allowed():
    lost = (StepState("message_creation", "lost"), StepState("message_creation", "lost"))
    state = RunState(model="m", steps=lost, settings=RunSettings(steps_max=1))
    _, [read] = decided(state, None, RULES)
    assert isinstance(read, f.ReadContext)
    asked = replace(state, steps=(*lost, StepState("message_creation", "completed")))
    [ended], _ = decided(asked, None, RULES)
    assert ended.incomplete_reason == "steps_max"


def test_an_answer_is_given_what_is_left_of_the_tokens():
    used = TokenUsage(input_tokens=5, output_tokens=30, total_tokens=35)
    state = RunState(model="m", usage=used, settings=RunSettings(max_completion_tokens=50))
    _, [asked] = decided(state, f.ContextRead(CONTEXT, f.ReadContext()), RULES)
    assert asked.request.settings.max_completion_tokens == 20


def test_a_cut_off_answer_keeps_its_words_and_no_half_call():
    state = RunState(model="m", steps=(StepState("message_creation"),))
    parts = (TextPart(text="Once"), ToolCallPart(id="c", name="careful", arguments="{"))
    written, _, ended = decided(state, f.ModelAnswered(parts, "length"), RULES).records
    assert written == r.WriteAnswer(0, parts[:1], "incomplete")
    assert ended.incomplete_reason == "max_completion_tokens"


def test_results_that_nobody_waits_for_change_nothing():
    state = calling("careful")
    assert decided(state, f.ToolReturned("call_1", 1), RULES) == Decision()
    assert decided(state, f.ModelAnswered((), "stop"), RULES) == Decision()
    assert decided(state, f.ModelFailed("server_error"), RULES) == Decision()


def test_the_rules_of_this_process_decide_what_is_called_here():
    state = calling("careful")
    assert decided(state, None, Rules()).records == (r.RequireAction({"call_1": "outputs"}),)
    approved = replace(state, calls=(replace(state.calls[0], approved=True),))
    asking = Rules({"careful": ToolRule(approval=True)})
    assert decided(approved, None, asking).records == (r.BeginCalls(("call_1",)),)
