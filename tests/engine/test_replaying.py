"""A replay decides anew what was decided, calls nothing, and notices every difference."""

from dataclasses import replace

import pytest

from eventstore import AsyncConversationStore, ProviderForm
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.engine import Engine, replay, replay_async, replaying, tool
from eventstore.engine.models import Finished, Gate, ScriptedModel, ToolCall
from eventstore.engine.records import WriteAnswer
from eventstore.engine.script import script_of
from eventstore.engine.step import step
from eventstore.errors import ModelError

FORM = ProviderForm(format="bytes", data=b"\x00\xffsigned")
ELSEWHERE = {"type": "function", "function": {"name": "elsewhere", "parameters": {}}}


@tool
def weather(city: str) -> str:
    return f"{city}: 4 °C"


@tool
def broken() -> None:
    raise ValueError("no")


CALLS = [
    ToolCall("call_1", "weather", '{"city": "Oslo"}'),
    ToolCall("call_2", "broken"),
    ToolCall("call_3", "nonsense"),
    ToolCall("call_4", "weather", '{"city": '),
]


def lived(store, thread, answers, *, settings=None, act=None):
    """A run that was executed to its end."""
    tools: list[ToolGiven] = [weather, broken, ELSEWHERE]
    models = {"m": ScriptedModel(answers)}
    with Engine(store, tools=[weather, broken], models=models, lease_seconds=0.3) as engine:
        run = engine.run(thread.id, model="m", tools=tools, settings=settings)
        if act is not None:
            act(run)
        run = engine.execute(thread.id, run.id)
        if run.status == "requires_action":
            outputs = [{"call_id": call, "output": 1} for call in run.required_calls]
            engine.submit_tool_outputs(thread.id, run.id, outputs)
            run = engine.execute(thread.id, run.id)
    return run


LIVES = {
    "tools": ([CALLS, "Rain."], None, "completed"),
    "one by one": ([CALLS, "Rain."], {"parallel_tool_calls": False}, "completed"),
    "outputs": ([[*CALLS, ToolCall("call_9", "elsewhere")], "Rain."], None, "completed"),
    "steps_max": ([CALLS, CALLS], {"steps_max": 1}, "incomplete"),
    "form": ([["Ra", Finished("stop", FORM)]], None, "completed"),
    "cut off with a form": ([["Ra", Finished("length", FORM)]], None, "incomplete"),
    "cut off": ([["Ra", Finished("length")]], None, "incomplete"),
    "nothing": ([[Finished()]], None, "completed"),
    "failed": ([CALLS, ["Ra", ModelError("unreachable", "it is down", "Wait.")]], None, "failed"),
    "prompt": ([CALLS, "Rain."], {"max_prompt_tokens": 500}, "completed"),
    "too long": ([CALLS, "Rain."], {"max_prompt_tokens": 1}, "incomplete"),
    "expired": ([["Ra", Gate()]], {"expires_seconds": 0.2}, "expired"),
}


@pytest.mark.parametrize("life", LIVES)
def test_a_replay_decides_the_same(store, thread, life):
    answers, settings, status = LIVES[life]
    run = lived(store, thread, answers, settings=settings)
    assert run.status == status
    version = store.threads.get(thread.id).version
    report = replay(store, thread.id, run.id)
    assert report.same, report.difference
    assert (report.status, report.contexts_verified) == (status, True)
    assert store.threads.get(thread.id).version == version, "a replay writes nothing"


def test_a_cancelled_run_is_replayed(store, thread):
    gate = Gate()

    def cancel(run):
        assert gate.reached.wait(30)
        store.runs.cancel(thread.id, run.id)

    run = lived(store, thread, [["Ra", gate]], act=cancel)
    report = replay(store, thread.id, run.id)
    assert (report.same, report.status) == (True, "cancelled")


def test_a_run_that_was_taken_over_is_replayed(store, thread):
    run = store.runs.create(thread.id, model="m", tools=[weather])
    store.runs.start(thread.id, run.id, holder="dead", lease_seconds=0)
    context = store.runs.context(thread.id, run.id)
    store.runs.steps.start(thread.id, run.id, context=context)
    models = {"m": ScriptedModel([CALLS[:1], "Rain."])}
    with Engine(store, tools=[weather], models=models) as engine:
        assert engine.execute(thread.id, run.id).status == "completed"
    report = replay(store, thread.id, run.id)
    assert report.same, report.difference
    assert (report.answers, report.calls) == (2, 1)


async def test_the_async_face_replays_too(store, url, thread):
    run = lived(store, thread, [CALLS, "Rain."])
    async with AsyncConversationStore.open(url.replace("sqlite:", "sqlite+aiosqlite:")) as other:
        assert await replay_async(other, thread.id, run.id) == replay(store, thread.id, run.id)


def test_a_run_that_somebody_else_wrote_differs(store, thread):
    run = store.runs.create(thread.id, model="m")
    run = store.runs.start(thread.id, run.id)
    for text in ("One.", "Two."):
        context = store.runs.context(thread.id, run.id)
        step = store.runs.steps.start(thread.id, run.id, context=context)
        store.messages.create(thread.id, role="assistant", content=text, run_id=run.id)
        details = {"finish_reason": "stop"}
        store.runs.steps.complete(thread.id, step.id, details=details)
    store.runs.complete(thread.id, run.id)
    report = replay(store, thread.id, run.id)
    assert report.difference == "record 4: Complete was decided, but BeginAnswer is recorded"


def test_a_form_that_the_engine_would_not_keep_differs(store, thread, monkeypatch):
    run = lived(store, thread, [["Ra", Finished("stop", FORM)]])

    def forgetful(*given):
        decision = step(*given)
        records = (
            replace(one, provider=None) if isinstance(one, WriteAnswer) else one
            for one in decision.records
        )
        return decision._replace(records=tuple(records))

    monkeypatch.setattr(replaying, "step", forgetful)
    assert (
        replay(store, thread.id, run.id).difference == "record 2: another WriteAnswer is recorded"
    )


def test_a_replay_ends_where_content_was_erased(store, thread):
    run = lived(store, thread, [CALLS, "Rain."])
    answer = store.messages.list(thread.id)[-1]
    store.privacy.erase(thread.id, answer.id)
    report = replay(store, thread.id, run.id)
    assert report.difference == "content was erased that the replay needs"


def test_each_record_that_is_missing_is_noticed(store, thread, monkeypatch):
    """The comparison is of all records: without any one of them, the replay differs.

    Without the last message the model would have answered nothing, which it may.
    """
    run = lived(store, thread, [CALLS[:1], "Rain."])
    whole = replay(store, thread.id, run.id).records
    for missing in {*range(whole)} - {whole - 3}:

        def without(*given, missing=missing):
            script = script_of(*given)
            return script[:missing] + script[missing + 1 :]

        monkeypatch.setattr(replaying, "script_of", without)
        assert not replay(store, thread.id, run.id).same, missing
