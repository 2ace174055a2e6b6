"""A person's consent: the run waits for it, and who decided, and why, is recorded."""

import pytest

from eventstore import InvalidInput, Refused, ToolResultPart
from eventstore.engine import Engine, tool
from eventstore.engine.models import ScriptedModel, ToolCall


@pytest.fixture
def paid():
    return []


@pytest.fixture
def asked(store, thread, paid):
    """A run that waits for consent, its engine and its model."""

    @tool(approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    model = ScriptedModel([[ToolCall("call_1", "pay", '{"amount": 5}')], "Done."])
    with Engine(store, tools=[pay], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[pay])
        run = engine.execute(thread.id, run.id)
        assert run.status == "requires_action"
        assert [(one.call_id, one.reason) for one in run.required_actions] == [
            ("call_1", "approval")
        ]
        yield engine, run, model


def decisions(store, thread):
    """The events that tell of a decision, with who decided and why."""
    events = store.events.read(thread.id)
    return [
        (event.metadata.get("actor"), (event.content or {}).get("reason"))
        for event in events
        if event.type == "ToolOutputsSubmitted"
    ]


def test_a_call_that_is_approved_is_made(store, thread, asked, paid):
    engine, run, _ = asked
    store.runs.approve(thread.id, run.id, "call_1", actor="officer_3", reason="known vendor")
    run = engine.execute(thread.id, run.id)
    assert (run.status, paid) == ("completed", [5])
    assert decisions(store, thread) == [("officer_3", "known vendor")]


def test_a_call_that_is_denied_is_not_made_and_the_model_is_told(store, thread, asked, paid):
    engine, run, model = asked
    store.runs.deny(thread.id, run.id, "call_1", actor="officer_3", reason="too much")
    run = engine.execute(thread.id, run.id)
    assert (run.status, paid) == ("completed", [])
    [result] = model.requests[1].messages[-1].content
    assert isinstance(result, ToolResultPart)
    assert result.status == "failed"
    assert result.output == {"error": "A person denied this call.", "reason": "too much"}
    assert decisions(store, thread) == [("officer_3", "too much")]


def test_only_a_call_that_is_waited_for_is_decided(store, thread, asked):
    _, run, _ = asked
    with pytest.raises(Refused):
        store.runs.approve(thread.id, run.id, "call_2")
    store.runs.deny(thread.id, run.id, "call_1")
    with pytest.raises(Refused):
        store.runs.approve(thread.id, run.id, "call_1")


@pytest.mark.parametrize("given", [7, b"why", ["why"], {"why": 1}, "\ud800"], ids=repr)
def test_a_decision_checks_who_and_why(store, thread, asked, given):
    _, run, _ = asked
    for decide in (store.runs.approve, store.runs.deny):
        for field in ("reason", "actor"):
            with pytest.raises(InvalidInput) as caught:
                decide(thread.id, run.id, "call_1", **{field: given})
            assert caught.value.field == field
    assert store.runs.get(thread.id, run.id).status == "requires_action"
