"""An engine reads a queued run, and claims it only after another one has begun it."""

from eventstore.engine import Engine, recording, tool
from eventstore.engine.models import ScriptedModel, ToolCall


def test_a_run_that_another_engine_began_meanwhile_is_gone_on_with(store, thread, monkeypatch):
    """It was asked for consent and has it: the claim succeeds, and the call is made first."""
    paid = []

    @tool(approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    model = ScriptedModel([[ToolCall("call_1", "pay", '{"amount": 5}')], "Done."])
    run = store.runs.create(thread.id, model="m", tools=[pay])
    start = recording.start

    def late(read, holder, lease_seconds):
        monkeypatch.setattr(recording, "start", start)
        with Engine(store, tools=[pay], models={"m": model}, recover=False) as other:
            waiting = other.execute(thread.id, run.id)
        assert waiting.status == "requires_action"
        store.runs.approve(thread.id, run.id, "call_1")
        return start(read, holder, lease_seconds)

    monkeypatch.setattr(recording, "start", late)
    with Engine(store, tools=[pay], models={"m": model}, recover=False) as engine:
        ended = engine.execute(thread.id, run.id)
    assert (ended.status, ended.error, paid) == ("completed", None, [5])
    assert store.messages.list(thread.id)[-1].text == "Done."
