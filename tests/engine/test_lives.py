"""Runs that are cancelled, expire, wait for people, or end in another way than with an answer."""

import asyncio
import threading
import time
from typing import Any

import pytest

from eventstore import (
    AsyncConversationStore,
    EngineClosed,
    InvalidInput,
    ModelError,
    Refused,
    RunNotFound,
    ThreadNotFound,
)
from eventstore.engine import AsyncEngine, Engine, replay, tool
from eventstore.engine.models import Finished, Gate, ScriptedModel, ToolCall

NO_RUN = "run_" + "0" * 32


@tool
def weather(city: str) -> str:
    return f"{city}: 4 °C, rain"


WEATHER = ToolCall("call_1", "weather", '{"city": "Oslo"}')
ELSEWHERE = {"type": "function", "function": {"name": "elsewhere", "parameters": {}}}
ASK = ToolCall("call_9", "elsewhere", "{}")


def answering(store, *answers, tools=(), **options):
    return Engine(store, tools=tools, models={"m": ScriptedModel(answers)}, **options)


def shown(store, run):
    """The first text that a reader sees of a run."""
    for event in store.runs.stream(run.thread_id, run.id):
        if event.type == "message.delta":
            return event.text
    raise AssertionError(store.runs.get(run.thread_id, run.id))


def executed(engine, run) -> Any:
    """A run at rest; its tests know which of its fields are there."""
    return engine.execute(run.thread_id, run.id)


def steps_of(store, run) -> Any:
    return store.runs.steps.list(run.thread_id, run.id)


def roles(store, thread):
    return [message.role for message in store.messages.list(thread.id)]


# -- cancelling ------------------------------------------------------------------------------------


def test_cancel_stops_the_model_and_keeps_what_it_wrote(store, thread):
    gate = Gate()
    with answering(store, ["It ", "rains", gate, " in Oslo."]) as engine:
        run = engine.run(thread.id, model="m")
        assert gate.reached.wait(30)
        assert store.runs.cancel(thread.id, run.id).status == "cancelling"
        run = executed(engine, run)
    assert run.status == "cancelled"
    answer = store.messages.list(thread.id)[-1]
    assert (answer.text, answer.status) == ("It rains", "incomplete")
    [step] = steps_of(store, run)
    assert (step.status, step.error.code) == ("failed", "cancelled")


def test_cancel_stops_running_tools_and_closes_their_calls(store, thread):
    begun, release = threading.Event(), threading.Event()

    @tool
    def slow() -> str:
        begun.set()
        release.wait(60)
        return "late"

    with answering(store, [ToolCall("call_1", "slow")], tools=[slow]) as engine:
        run = engine.run(thread.id, model="m", tools=[slow])
        assert begun.wait(30)
        store.runs.cancel(thread.id, run.id)
        assert executed(engine, run).status == "cancelled"
    release.set()
    result: Any
    [result] = store.messages.list(thread.id)[-1].content
    assert (result.type, result.status) == ("tool_result", "cancelled")


def test_an_interrupted_run_frees_its_engine(store, thread):
    with answering(store, ["Half", Gate()], "Whole.") as engine:
        first = engine.run(thread.id, model="m")
        assert shown(store, first) == "Half"
        store.messages.create(thread.id, role="user", content="Stop.", on_busy="interrupt")
        assert engine.execute(thread.id, first.id).status == "cancelled"
        second = engine.run(thread.id, model="m")
        assert engine.execute(thread.id, second.id).status == "completed"
    assert [one.text for one in store.messages.list(thread.id)][-3:] == ["Half", "Stop.", "Whole."]


def test_cancel_after_the_end_is_refused_and_changes_nothing(store, thread):
    with answering(store, "Rain.") as engine:
        run = executed(engine, engine.run(thread.id, model="m"))
        with pytest.raises(Refused, match="never changes again"):
            store.runs.cancel(thread.id, run.id)
        assert executed(engine, run) == run


# -- limits ----------------------------------------------------------------------------------------


def test_a_run_that_takes_too_long_expires_and_keeps_what_it_wrote(store, thread):
    with answering(store, ["It rains", Gate()]) as engine:
        run = engine.run(thread.id, model="m", settings={"expires_seconds": 0.3})
        assert executed(engine, run).status == "expired"
    assert store.messages.list(thread.id)[-1].text == "It rains"


def test_a_run_that_waits_too_long_in_the_queue_expires(store, thread):
    gate = Gate()
    with answering(store, [gate, "Rain."]) as engine:
        first = engine.run(thread.id, model="m")
        second = engine.run(thread.id, model="m", settings={"expires_seconds": 0.1})
        assert engine.execute(thread.id, second.id).status == "expired"
        gate.open()
        assert engine.execute(thread.id, first.id).status == "completed"


@pytest.mark.parametrize("recover", [True, False])
def test_a_run_that_waits_too_long_for_people_expires_in_time(store, thread, recover):
    """Within a second or so, however long leases are."""
    with answering(store, [ASK], external_tools=["elsewhere"], recover=recover) as engine:
        run = engine.run(
            thread.id, model="m", tools=[ELSEWHERE], settings={"action_expires_seconds": 0.1}
        )
        assert executed(engine, run).status == "requires_action"
        # `wait` returns while it waits for people, so follow the log to its end.
        for event in store.events.subscribe(stream_id=thread.id, types=["RunExpired"]):
            assert event.data["run_id"] == run.id
            break
    assert store.runs.get(thread.id, run.id).status == "expired"


def test_a_step_limit_ends_a_run_incomplete(store, thread):
    model = ScriptedModel(lambda _: [WEATHER])
    with Engine(store, tools=[weather], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[weather], settings={"steps_max": 3})
        run = executed(engine, run)
    assert (run.status, run.incomplete_reason) == ("incomplete", "steps_max")
    assert len(model.requests) == 3


@pytest.mark.parametrize(
    ("reason", "given"),
    [("max_completion_tokens", "length"), ("content_filter", "content_filter")],
)
def test_an_answer_that_was_cut_off_is_incomplete(store, thread, reason, given):
    with answering(store, ["It rai", Finished(given)]) as engine:
        run = executed(engine, engine.run(thread.id, model="m"))
    assert (run.status, run.incomplete_reason) == ("incomplete", reason)
    answer = store.messages.list(thread.id)[-1]
    assert (answer.text, answer.status) == ("It rai", "incomplete")


def test_old_messages_are_left_out_to_fit_the_prompt(store):
    turns = [
        {"role": role, "content": f"{role} {number} " + "x" * 400}
        for number in range(10)
        for role in ("user", "assistant")
    ]
    thread = store.threads.create(messages=[*turns, {"role": "user", "content": "And now?"}])
    model = ScriptedModel(["Rain."])
    with Engine(store, models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", settings={"max_prompt_tokens": 600})
        run = executed(engine, run)
    assert run.status == "completed"
    [request] = model.requests
    assert request.messages[0].role == "user"
    assert request.messages[-1].text == "And now?"
    assert 3 <= len(request.messages) <= 5
    [step] = steps_of(store, run)
    seen = store.runs.context(thread.id, run.id, step_id=step.id)
    assert seen.verified
    assert seen.messages == request.messages


def test_a_prompt_that_cannot_fit_ends_the_run(store, thread):
    with answering(store, "Rain.") as engine:
        run = engine.run(thread.id, model="m", settings={"max_prompt_tokens": 1})
        run = executed(engine, run)
    assert (run.status, run.incomplete_reason) == ("incomplete", "max_prompt_tokens")


def test_only_the_last_messages_are_shown_if_the_settings_say_so(store):
    texts = [{"role": "user", "content": str(number)} for number in range(10)]
    thread = store.threads.create(messages=texts)
    model = ScriptedModel(["Rain."])
    with Engine(store, models={"m": model}) as engine:
        chosen = {"truncation": {"type": "last_messages", "last_messages": 3}}
        executed(engine, engine.run(thread.id, model="m", settings=chosen))
    assert [message.text for message in model.requests[0].messages] == ["7", "8", "9"]


def test_settings_of_the_run_come_before_those_of_the_assistant(store, thread):
    assistant = store.assistants.create(model="m", settings={"temperature": 0, "top_p": 0.5})
    model = ScriptedModel(["Rain."])
    chosen = {"temperature": 1, "seed": 7, "response_format": {"type": "json_object"}}
    with Engine(store, models={"m": model}) as engine:
        executed(engine, engine.run(thread.id, assistant.id, settings=chosen))
    settings = model.requests[0].settings
    assert (settings.temperature, settings.top_p) == (1, 0.5)
    assert settings.response_format == {"type": "json_object"}
    assert settings.others == {"seed": 7}


# -- waiting for people ----------------------------------------------------------------------------


def test_local_calls_run_first_and_the_rest_waits_for_outputs(store, thread):
    both = [weather, ELSEWHERE]
    with answering(store, [ASK, WEATHER], "Rain.", tools=[weather]) as engine:
        run = executed(engine, engine.run(thread.id, model="m", tools=both))
        assert (run.status, run.required_calls) == ("requires_action", ("call_9",))
        assert roles(store, thread) == ["user", "assistant", "tool"]
        engine.submit_tool_outputs(thread.id, run.id, [{"call_id": "call_9", "output": 1}])
        run = executed(engine, run)
    assert run.status == "completed"
    assert roles(store, thread) == ["user", "assistant", "tool", "tool", "assistant"]


def test_outputs_may_come_from_elsewhere(store, thread):
    with answering(store, [ASK], "Rain.") as engine:
        run = executed(engine, engine.run(thread.id, model="m", tools=[ELSEWHERE]))
        outputs = [{"call_id": "call_9", "output": 1}]
        store.runs.submit_tool_outputs(thread.id, run.id, outputs)  # the engine hears of it
        run = store.runs.wait(thread.id, run.id, timeout_seconds=30)
    assert run.status == "completed"


def test_outputs_for_another_call_or_twice_or_after_the_end_are_refused(store, thread):
    with answering(store, [ASK], "Rain.") as engine:
        run = executed(engine, engine.run(thread.id, model="m", tools=[ELSEWHERE]))
        for wrong in ("call_8", "call_1"):
            outputs = [{"call_id": wrong, "output": 1}]
            with pytest.raises(Refused, match="expected outputs for 'call_9'"):
                engine.submit_tool_outputs(thread.id, run.id, outputs)
        right = [{"call_id": "call_9", "output": 1}]
        engine.submit_tool_outputs(thread.id, run.id, right)
        executed(engine, run)
        with pytest.raises(Refused, match="never changes again"):
            engine.submit_tool_outputs(thread.id, run.id, right)


def test_a_call_that_needs_approval_waits_for_it_and_is_then_made(store, thread):
    made = []

    @tool(approval=True)
    def pay(amount: int) -> str:
        made.append(amount)
        return "paid"

    calls = [ToolCall("call_1", "pay", '{"amount": 1}'), ToolCall("call_2", "pay", '{"amount": 2}')]
    with answering(store, calls, "Done.", tools=[pay]) as engine:
        run = executed(engine, engine.run(thread.id, model="m", tools=[pay]))
        assert [(one.call_id, one.reason) for one in run.required_actions] == [
            ("call_1", "approval"),
            ("call_2", "approval"),
        ]
        assert made == []
        decided = [
            {"call_id": "call_1", "approved": True},
            {"call_id": "call_2", "output": "declined", "status": "failed"},
        ]
        engine.submit_tool_outputs(thread.id, run.id, decided)
        assert executed(engine, run).status == "completed"
    assert made == [1]
    report = replay(store, thread.id, run.id)
    assert report.same, report.difference


def test_each_call_waits_for_its_own_reason(store, thread):
    @tool(approval=True)
    def pay() -> str:
        return "paid"

    both = [pay, ELSEWHERE]
    with answering(store, [ToolCall("call_1", "pay"), ASK], tools=[pay]) as engine:
        run = executed(engine, engine.run(thread.id, model="m", tools=both))
    reasons = {one.call_id: one.reason for one in run.required_actions}
    assert reasons == {"call_1": "approval", "call_9": "outputs"}
    assert run.required_calls == ("call_1", "call_9")


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ModelError("unreachable", "the endpoint is down", "Start it."), "unreachable"),
        (ModelError("invalid_api_key", "the key is wrong", "Give another."), "invalid_api_key"),
        (["Half ", ModelError("stream_broken", "it broke off", "Again.")], "stream_broken"),
        ([ToolCall("a", "weather"), ToolCall("a", "weather")], "bad_response"),
        ([ToolCall("", "weather")], "bad_response"),
    ],
)
def test_a_model_that_fails_fails_the_run_with_its_code(store, thread, answer, code):
    with answering(store, answer) as engine:
        run = executed(engine, engine.run(thread.id, model="m"))
    assert (run.status, run.error.code) == ("failed", code)
    [step] = steps_of(store, run)
    assert (step.status, step.error.code) == ("failed", code)


def test_a_model_that_raises_anything_fails_the_run_without_its_words(store, thread):
    def answer(_):
        raise RuntimeError("secret words")

    with Engine(store, models={"m": ScriptedModel(answer)}) as engine:
        run = executed(engine, engine.run(thread.id, model="m"))
    assert (run.status, run.error.code) == ("failed", "server_error")
    assert "secret" not in run.error.message


def test_an_unknown_model_fails_the_run(store, thread):
    with answering(store) as engine:
        run = executed(engine, engine.run(thread.id, model="nobody"))
    assert (run.status, run.error.code) == ("failed", "unknown_model")


def test_a_run_without_a_model_fails(store, thread):
    with answering(store) as engine:
        run = executed(engine, engine.run(thread.id))
    assert (run.status, run.error.code) == ("failed", "no_model")


def test_settings_that_nobody_can_follow_fail_the_run(store, thread):
    with answering(store, "Rain.") as engine:
        run = engine.run(thread.id, model="m", settings={"temperature": "hot"})
        run = executed(engine, run)
    assert (run.status, run.error.code) == ("failed", "invalid_settings")
    assert "settings.temperature" in run.error.message
    assert "hot" not in run.error.message


def test_an_answer_that_the_store_does_not_take_fails_the_run(store, thread):
    with answering(store, [ToolCall("x" * 300, "weather")]) as engine:
        run = executed(engine, engine.run(thread.id, model="m"))
    assert run.status == "failed"


def test_an_unknown_thread_or_run_is_an_error(store, thread, caplog):
    with answering(store) as engine:
        with pytest.raises(RunNotFound):
            engine.execute(thread.id, NO_RUN)
        with pytest.raises(ThreadNotFound):
            engine.run("thread_" + "0" * 32, model="m")
        with pytest.raises(InvalidInput):
            engine.execute("a thread", NO_RUN)
    assert not caplog.records  # the caller knows, and nobody else needs to


def test_a_closed_engine_says_so(store, thread):
    engine = answering(store, "Rain.")
    engine.close()
    engine.close()
    for use in (
        lambda: engine.run(thread.id, model="m"),
        lambda: engine.execute(thread.id, NO_RUN),
        lambda: engine.submit_tool_outputs(thread.id, NO_RUN, []),
    ):
        with pytest.raises(EngineClosed):
            use()


def test_closing_ends_the_threads_of_an_engine(store):
    def threads():
        return [one for one in threading.enumerate() if one.name == "eventstore-engine"]

    with answering(store, []):
        assert len(threads()) == 3
    assert not threads()


def in_a_thread(act):
    """The error or the result of a call in a thread of its own, once it is joined."""
    found = []

    def run():
        try:
            found.append(act())
        except EngineClosed as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_who_waits_for_a_run_hears_that_the_engine_closed(store, thread):
    gate = Gate()
    engine = answering(store, [gate, "Rain."])
    run = engine.run(thread.id, model="m")
    waits, found = in_a_thread(lambda: engine.execute(thread.id, run.id))
    assert gate.reached.wait(30)
    engine.close(finish_seconds=0)
    waits.join()
    assert isinstance(found[0], EngineClosed)
    assert store.runs.get(thread.id, run.id).status == "in_progress"


def test_who_waits_for_a_run_that_another_took_over_waits_for_the_other(store, thread):
    gate = Gate()
    with answering(store, [gate, "Rain."]) as engine:
        run = engine.run(thread.id, model="m")
        waits, found = in_a_thread(lambda: engine.execute(thread.id, run.id))
        assert gate.reached.wait(30)
        taken = store.runs.start(
            thread.id, run.id, holder="other", take_over=True, lease_seconds=600
        )
        while engine._inboxes:  # noqa: SLF001 (nothing else tells that it left the run)
            time.sleep(0.001)
        assert not found
        store.runs.complete(thread.id, run.id, fence=taken.fence)
        waits.join()
    assert found[0].status == "completed"


async def test_an_engine_whose_closing_is_cancelled_is_closed_all_the_same(url):
    gate = Gate()
    async with AsyncConversationStore.open(url) as store:
        thread = await store.threads.create(messages=[{"role": "user", "content": "When?"}])
        engine = AsyncEngine(store, models={"m": ScriptedModel([[gate, "Noon."]])})
        run = await engine.run(thread.id, model="m")
        await asyncio.to_thread(gate.reached.wait, 30)
        closing = asyncio.ensure_future(engine.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        left = await store.runs.list(lease_ended=True)
        assert [one.id for one in left] == [run.id]  # it was handed back
        assert asyncio.all_tasks() == {asyncio.current_task()}
