"""The engine's only decision: what to record, and what to do next.

``step(state, result, rules)`` is pure. The state comes from the log, the result is that of the last
effect (None at first, and when a run goes on), and the rules say what this process can do. The
drivers write the records, perform the effects, and call it again::

              ┌── ReadContext ──▶ ContextRead ── AskModel ──▶ ModelAnswered ──┐
    begin ────┤                                                                ├─▶ end
              └───────────◀── ToolReturned (the last) ◀── CallTool … ◀── calls ┘
                                                             │
                                       calls for others ─────┴──▶ requires_action

Every effect on the world is recorded before it (``BeginAnswer``, ``BeginCalls``) and after it. A
process that dies in between leaves a step without an end, which tells the next one that the outcome
is unknown. The records of one decision are written together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eventstore import ProviderForm, RunContext, ToolCallPart
from eventstore.conversation.content import Part
from eventstore.conversation.rows import ActionReason
from eventstore.engine import effects as f
from eventstore.engine import records as r
from eventstore.engine.budget import Budget, fitting
from eventstore.engine.models.estimate import Estimate, estimate_tokens
from eventstore.engine.models.protocol import ModelRequest
from eventstore.engine.state import CallState, RunState, evolved, tool_name

__all__ = ["Decision", "Rules", "ToolRule", "step"]


class ToolRule(NamedTuple):
    """The manner in which a tool of this process may be called."""

    repeatable: bool = False
    """Calling it twice does no harm."""
    approval: bool = False
    """A person approves each call."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The abilities of this process; the log does not say them."""

    tools: Mapping[str, ToolRule] = field(default_factory=dict)
    definitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Functions that a model is shown in place of tools of other types, by name."""
    estimate: Estimate = estimate_tokens
    """Estimates how many tokens a request takes."""
    sets: frozenset[str] = frozenset()
    """Types of the sets of tools that can be listed here."""


class Decision(NamedTuple):
    """Records to write together, and effects to begin afterwards."""

    records: tuple[r.Record, ...] = ()
    effects: tuple[f.Effect, ...] = ()


def step(state: RunState, result: f.Result | None, rules: Rules) -> Decision:  # noqa: C901, PLR0911 (one case a result)
    """Decide what happens next."""
    match result:
        case None:
            return _go_on(state, rules)
        case f.ContextRead(context, asked):
            return _ask(state, context, asked, rules)
        case f.ToolsListed(tools):
            listed = [tools.get(tool_name(one), (one,)) for one in state.tools]
            return _read(state, tuple(one for some in listed for one in some))
        case f.ToolUnusable(code, message):
            return _unusable(state, code, message)
        case f.ModelAnswered():
            return _answered(state, result, rules)
        case f.ModelFailed():
            return _failed(state, result)
        case f.ToolReturned(call_id):
            if not any(call.id == call_id and call.status == "running" for call in state.calls):
                return Decision()
            return _then(state, _result(state, result), rules)
        case f.CancelRequested():
            return Decision(effects=(f.Stop("cancelled"),))
        case f.DeadlinePassed():
            return Decision(effects=(f.Stop("expired"),))
        case f.Stopped():
            return _stopped(state, result)


def _then(state: RunState, records: tuple[r.Record, ...], rules: Rules) -> Decision:
    """Return these records, and what follows from the state after them."""
    following = _go_on(evolved(state, records), rules)
    return Decision((*records, *following.records), following.effects)


def _go_on(state: RunState, rules: Rules) -> Decision:
    if state.status == "cancelling":
        return Decision((r.Cancel(),))
    if state.running is not None:
        return Decision()  # other tools are still at work
    if any(call.status != "answered" for call in state.calls):
        return _call(state, rules)
    if state.answered:
        return Decision((r.Complete(state.usage),))
    budget = Budget.of(state)
    if budget.spent is not None:
        return Decision((r.Complete(state.usage, incomplete_reason=budget.spent),))
    unlisted = tuple(dict.fromkeys(map(tool_name, state.tools)))
    unlisted = tuple(one for one in unlisted if one in rules.sets)
    return Decision(effects=(f.ListTools(unlisted),)) if unlisted else _read(state)


def _read(state: RunState, tools: tuple[Mapping[str, Any], ...] | None = None) -> Decision:
    return Decision(effects=(f.ReadContext(Budget.of(state).last_messages, tools),))


def _unusable(state: RunState, code: str, message: str) -> Decision:
    failed = () if state.running is None else (r.FailStep(state.running, code, message),)
    return Decision((*failed, r.Fail(code, message, state.usage)))


# -- asking the model ------------------------------------------------------------------------------


def _ask(state: RunState, context: RunContext, asked: f.ReadContext, rules: Rules) -> Decision:
    if state.model is None:
        return Decision(
            (r.Fail("no_model", "The run and its assistant name no model.", state.usage),)
        )
    budget = Budget.of(state)
    request = ModelRequest(
        model=state.model,
        messages=context.messages,
        instructions=state.instructions,
        tools=tuple(
            rules.definitions.get(tool_name(one), one)
            for one in (state.tools if asked.tools is None else asked.tools)
        ),
        settings=budget.settings,
    )
    kept = fitting(request, budget, rules.estimate)
    if kept is None:
        return Decision((r.Complete(state.usage, incomplete_reason="max_prompt_tokens"),))
    if kept < len(context.messages) and kept != asked.last_messages:
        return Decision(effects=(f.ReadContext(kept, asked.tools),))
    estimated = None if budget.prompt_tokens is None else rules.estimate(request)
    effect = f.AskModel(len(state.steps), request)
    return Decision((r.BeginAnswer(context, estimated, asked.tools),), (effect,))


_CUT_OFF = {"length": "max_completion_tokens", "content_filter": "content_filter"}


def _answered(state: RunState, result: f.ModelAnswered, rules: Rules) -> Decision:
    number = state.running
    if number is None:
        return Decision()
    ended = r.EndStep(number, result.usage, {"finish_reason": result.reason})
    cut_off = _CUT_OFF.get(result.reason)
    if cut_off is not None:
        written = _partial(number, result.parts, result.provider)
        usage = evolved(state, (ended,)).usage
        return Decision((*written, ended, r.Complete(usage, incomplete_reason=cut_off)))
    if not result.parts:
        return Decision((ended, r.Complete(evolved(state, (ended,)).usage)))
    answer = r.WriteAnswer(number, result.parts, provider=result.provider)
    return _then(state, (answer, ended), rules)


def _partial(
    number: int, parts: Sequence[Part], provider: ProviderForm | None = None
) -> tuple[r.WriteAnswer, ...]:
    """Keep the beginning of an answer; a call in it may be half of one, so none is kept."""
    kept = tuple(part for part in parts if not isinstance(part, ToolCallPart))
    if len(kept) < len(parts):
        provider = None
    return (r.WriteAnswer(number, kept, "incomplete", provider),) if kept else ()


def _failed(state: RunState, result: f.ModelFailed) -> Decision:
    number = state.running
    if number is None:
        return Decision()
    failed = r.FailStep(number, result.code, result.message)
    ended = r.Fail(result.code, result.message, state.usage)
    return Decision((*_partial(number, result.parts), failed, ended))


# -- calling tools ---------------------------------------------------------------------------------


def _call(state: RunState, rules: Rules) -> Decision:
    """Call the tools of this process first; once they have answered, wait for all others."""
    open_calls = [call for call in state.calls if call.status != "answered"]
    unheard = tuple(_unheard_of(call) for call in open_calls if call.name not in state.offered)
    if unheard:
        return _then(state, unheard, rules)
    reasons = {call.id: _reason(call, rules) for call in open_calls}
    here = [call for call in open_calls if reasons[call.id] is None]
    if not here:
        waits = {call: reason for call, reason in reasons.items() if reason is not None}
        return Decision((r.RequireAction(waits),))
    if state.settings.parallel_tool_calls is False:
        here = here[:1]
    effects = tuple(f.CallTool(call.id, call.name, call.arguments) for call in here)
    return Decision((r.BeginCalls(tuple(call.id for call in here)),), effects)


def _reason(call: CallState, rules: Rules) -> ActionReason | None:
    """Return why a call waits for people; None if it is made here."""
    rule = rules.tools.get(call.name)
    if rule is None:
        return "outputs"
    if call.approved:
        return None
    if call.status == "unknown" and not rule.repeatable:
        return "outcome_unknown"
    if rule.approval and call.status == "open":
        return "approval"
    return None


def _unheard_of(call: CallState) -> r.WriteResult:
    return r.WriteResult(call.id, f"There is no tool {call.name[:100]!r}.", "failed")


def _result(state: RunState, result: f.ToolReturned) -> tuple[r.Record, ...]:
    written = r.WriteResult(result.call_id, result.output, result.status, result.parts)
    after, number = evolved(state, (written,)), state.running
    if number is None or any(call.status == "running" for call in after.calls):
        return (written,)
    return (written, r.EndStep(number))


# -- stopping --------------------------------------------------------------------------------------


def _stopped(state: RunState, result: f.Stopped) -> Decision:
    """Keep what was written and what tools returned, and end the run."""
    records: list[r.Record] = []
    for returned in result.returned:
        if any(call.id == returned.call_id and call.status == "running" for call in state.calls):
            more = _result(state, returned)
            state = evolved(state, more)
            records += more
    if state.running is not None:
        records += _partial(state.running, result.parts)
        records.append(r.FailStep(state.running, result.reason))
    records.append(r.Cancel() if result.reason == "cancelled" else r.Expire())
    return Decision(tuple(records))
