"""People remove the message that a run stands on, while its engine works or after it died."""

from eventstore.engine import Engine, tool
from eventstore.engine.models import Gate, ScriptedModel, ToolCall


@tool
def weather() -> str:
    return "rain"


CALL = [ToolCall("call_1", "weather")]


def fails(store, run):
    run = store.runs.wait(run.thread_id, run.id, timeout_seconds=30)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.code == "message_removed"


def test_a_run_fails_when_its_message_is_removed_while_it_writes(store, thread):
    gate = Gate()
    model = ScriptedModel([CALL, ["Half ", gate, "of it."]])
    with Engine(store, tools=[weather], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[weather])
        assert gate.reached.wait(30)
        [called] = [one for one in store.messages.list(thread.id) if one.role == "assistant"]
        store.messages.remove(thread.id, called.id)
        gate.open()
        fails(store, run)


def test_a_run_fails_when_its_message_was_removed_after_its_engine_died(store, thread):
    run = store.runs.create(thread.id, model="m")
    store.runs.start(thread.id, run.id, holder="dead", lease_seconds=0)
    said = store.messages.create(thread.id, role="assistant", content="Half.", run_id=run.id)
    store.messages.remove(thread.id, said.id)
    with Engine(store, models={"m": ScriptedModel(["Rain."])}, lease_seconds=0.2):
        fails(store, run)
