"""Runs survive the death of their engine, and of several engines one executes a run."""

import subprocess
import sys
import threading
from collections import Counter

import pytest

from eventstore import ConversationStore, LeaseLost
from eventstore.engine import Engine, tool
from eventstore.engine.models import Gate, ScriptedModel, ToolCall
from tests.engine.dying import tools_of
from tests.guards.source import PROJECT

ANSWER = {"type": "tool_call", "id": "call_1", "name": "careful", "arguments": {}}


def engine_of(store, *answers, tools=(), **options):
    options.setdefault("lease_seconds", 0.5)
    return Engine(store, tools=tools, models={"m": ScriptedModel(answers)}, **options)


def abandoned(store, thread, **options):
    """A run that a dead engine had begun."""
    run = store.runs.create(thread.id, model="m", **options)
    return store.runs.start(thread.id, run.id, holder="dead", lease_seconds=0)


def ends(store, run):
    return store.runs.wait(run.thread_id, run.id, timeout_seconds=30)


def test_a_run_of_a_dead_engine_is_taken_over_at_the_start(store, thread):
    run = abandoned(store, thread)
    with engine_of(store, "Rain."):
        run = ends(store, run)
    assert run.status == "completed"
    assert run.holder != "dead"


def test_a_take_over_uses_up_no_step(store, thread):
    run = abandoned(store, thread, settings={"steps_max": 1})
    context = store.runs.context(thread.id, run.id)
    store.runs.steps.start(thread.id, run.id, context=context, fence=run.fence)
    with engine_of(store, "Rain."):
        run = ends(store, run)
    assert (run.status, run.incomplete_reason) == ("completed", None)
    assert [one.status for one in store.runs.steps.list(thread.id, run.id)] == [
        "abandoned",
        "completed",
    ]


def test_a_run_of_a_dead_engine_is_taken_over_later(store, thread):
    with engine_of(store, "Rain.", lease_seconds=0.2):
        assert ends(store, abandoned(store, thread)).status == "completed"


def test_a_run_that_nobody_began_is_executed(store, thread):
    run = store.runs.create(thread.id, model="m")
    with engine_of(store, "Rain.", lease_seconds=0.1):
        assert ends(store, run).status == "completed"


def test_runs_that_name_other_tools_are_left_to_others(store, thread):
    other = {"type": "function", "function": {"name": "other", "parameters": {}}}
    left = abandoned(store, thread, tools=[other])
    second = store.threads.create()
    with engine_of(store, "Rain.", lease_seconds=0.1):
        assert ends(store, abandoned(store, second)).status == "completed"
        assert store.runs.get(thread.id, left.id).holder == "dead"
    with engine_of(store, "Rain.", external_tools=["other"]):
        assert ends(store, left).status == "completed"


def test_a_run_that_no_engine_has_the_tools_for_expires_all_the_same(store, thread):
    other = {"type": "function", "function": {"name": "other", "parameters": {}}}
    run = abandoned(store, thread, tools=[other], settings={"expires_seconds": 0.1})
    with engine_of(store, lease_seconds=0.2):
        assert ends(store, run).status == "expired"


def test_tools_that_the_dead_engine_had_not_either_are_nobodys_to_have(store, thread):
    other = {"type": "function", "function": {"name": "other", "parameters": {}}}
    gate = Gate()
    with engine_of(store, [gate, "Rain."]) as engine:
        run = engine.run(thread.id, model="m", tools=[other])
        gate.reached.wait(30)
        engine.close(finish_seconds=0)
    asking = ToolCall("call_1", "other")
    with engine_of(store, [asking]):
        run = ends(store, run)
    assert (run.status, run.required_calls) == ("requires_action", ("call_1",))


def test_a_run_whose_model_nobody_has_is_left_to_others_and_then_fails(store, thread):
    second = store.threads.create()
    gone = store.runs.create(second.id, model="gone")
    store.runs.start(second.id, gone.id, holder="dead", lease_seconds=0)
    known = abandoned(store, thread)
    with engine_of(store, "Rain.", lease_seconds=60):
        assert ends(store, known).status == "completed"
        assert store.runs.get(second.id, gone.id).holder == "dead"
    with engine_of(store, "Rain.", lease_seconds=0.1):
        run = ends(store, gone)
    assert (run.status, run.error.code) == ("failed", "unknown_model")


def test_recovering_can_be_turned_off(store, thread):
    run = abandoned(store, thread)
    with engine_of(store, "One.", "Two.", recover=False) as engine:
        second = store.threads.create()
        engine.execute(second.id, engine.run(second.id, model="m").id)
        assert store.runs.get(thread.id, run.id).holder == "dead"
        assert engine.execute(thread.id, run.id).status == "completed"


def test_a_run_that_was_being_cancelled_ends_cancelled(store, thread):
    run = abandoned(store, thread)
    store.runs.cancel(thread.id, run.id)
    with engine_of(store):
        for event in store.events.subscribe(stream_id=thread.id, types=["RunCancelled"]):
            assert event.data["run_id"] == run.id
            break


def test_a_call_whose_outcome_is_unknown_waits_for_people(store, thread, tmp_path):
    tools = tools_of(tmp_path, stop=False)
    run = abandoned(store, thread, tools=tools)
    store.messages.create(thread.id, role="assistant", content=ANSWER, run_id=run.id)
    step = {"type": "tool_calls", "details": {"calls": ["call_1"]}}
    store.runs.steps.start(thread.id, run.id, **step)
    with engine_of(store, "Done.", tools=tools) as engine:
        run = ends(store, run)
        assert (run.status, run.required_calls) == ("requires_action", ("call_1",))
        outputs = [{"call_id": "call_1", "output": "it happened"}]
        engine.submit_tool_outputs(thread.id, run.id, outputs)
        assert engine.execute(thread.id, run.id).status == "completed"
    assert not (tmp_path / "careful").exists()


def test_people_may_let_a_call_of_unknown_outcome_be_made_again(store, thread, tmp_path):
    tools = tools_of(tmp_path, stop=False)
    run = abandoned(store, thread, tools=tools)
    store.messages.create(thread.id, role="assistant", content=ANSWER, run_id=run.id)
    step = {"type": "tool_calls", "details": {"calls": ["call_1"]}}
    store.runs.steps.start(thread.id, run.id, **step)
    with engine_of(store, "Done.", tools=tools) as engine:
        run = ends(store, run)
        assert [one.reason for one in run.required_actions] == ["outcome_unknown"]
        approvals = [{"call_id": "call_1", "approved": True}]
        engine.submit_tool_outputs(thread.id, run.id, approvals)
        assert engine.execute(thread.id, run.id).status == "completed"
    assert (tmp_path / "careful").read_text() == "called\n"


def test_leave_to_make_a_call_holds_once(store, thread, tmp_path):
    """Approved, begun, and crashed again: the run asks again."""
    tools = tools_of(tmp_path, stop=False)
    run = abandoned(store, thread, tools=tools)
    store.messages.create(thread.id, role="assistant", content=ANSWER, run_id=run.id)
    step = {"type": "tool_calls", "details": {"calls": ["call_1"]}}
    store.runs.steps.start(thread.id, run.id, **step)
    store.runs.require_action(thread.id, run.id, calls={"call_1": "outcome_unknown"})
    approvals = [{"call_id": "call_1", "approved": True}]
    store.runs.submit_tool_outputs(thread.id, run.id, approvals)
    run = store.runs.start(thread.id, run.id, holder="dead", lease_seconds=0)
    store.runs.steps.start(thread.id, run.id, **step)
    with engine_of(store, "Done.", tools=tools):
        run = ends(store, run)
    assert [one.reason for one in run.required_actions] == ["outcome_unknown"]
    assert not (tmp_path / "careful").exists()


def test_a_call_that_was_not_begun_is_made(store, thread, tmp_path):
    tools = tools_of(tmp_path, stop=False)
    run = abandoned(store, thread, tools=tools)
    store.messages.create(thread.id, role="assistant", content=ANSWER, run_id=run.id)
    with engine_of(store, "Done.", tools=tools):
        assert ends(store, run).status == "completed"
    assert (tmp_path / "careful").read_text() == "called\n"


@pytest.mark.parametrize("kind", ["text", "tools"])
def test_a_process_that_is_killed_loses_nothing(store, url, thread, tmp_path, kind):
    if kind == "text":
        (tmp_path / "text").touch()
    tools = tools_of(tmp_path, stop=False)
    run = store.runs.create(thread.id, model="m", tools=tools)
    command = [sys.executable, "-m", "tests.engine.dying", url, str(tmp_path), thread.id, run.id]
    process = subprocess.Popen(command, cwd=PROJECT)
    waits_for = "message.delta" if kind == "text" else "step.started"
    steps = 0
    for event in store.runs.stream(thread.id, run.id):
        steps += event.type == waits_for
        if steps == (1 if kind == "text" else 2):
            break
    if kind == "tools":
        until(lambda: all((tmp_path / name).exists() for name in ("careful", "again")))
    process.kill()
    process.wait()
    with engine_of(store, "All done.", "All done.", tools=tools) as engine:
        run = ends(store, run)
        if kind == "tools":
            assert (run.status, run.required_calls) == ("requires_action", ("call_1",))
            outputs = [{"call_id": "call_1", "output": "done"}]
            engine.submit_tool_outputs(thread.id, run.id, outputs)
            run = engine.execute(thread.id, run.id)
    assert run.status == "completed"
    assert store.messages.list(thread.id)[-1].text == "All done."
    if kind == "text":
        types = [event.type for event in store.runs.stream(thread.id, run.id)]
        assert "message.interrupted" in types
    else:
        assert (tmp_path / "careful").read_text() == "called\n"
        assert (tmp_path / "again").read_text() == "called\n" * 2


def until(holds):
    """Wait for something in the file system, which tells nobody of its changes."""
    tick = threading.Event()
    while not holds():
        tick.wait(0.01)


def test_of_two_engines_one_executes_each_run(store, url):
    calls: Counter[int] = Counter()
    lock = threading.Lock()

    @tool
    def count(number: int) -> int:
        with lock:
            calls[number] += 1
        return number

    def answer(request):
        if request.messages[-1].role == "tool":
            return "Done."
        return [ToolCall("call_1", "count", f'{{"number": {request.messages[0].text}}}')]

    def engine(on):
        models = {"m": ScriptedModel(answer)}
        return Engine(on, tools=[count], models=models, queue="work", lease_seconds=5)

    with ConversationStore.open(url) as other, engine(store) as one, engine(other) as two:
        runs = []
        for number in range(12):
            thread = store.threads.create(messages=[{"role": "user", "content": str(number)}])
            runs.append(one.run(thread.id, model="m", tools=[count], queue="work"))
        for run in runs:
            assert two.execute(run.thread_id, run.id).status == "completed"
    assert calls == dict.fromkeys(range(12), 1)


def test_a_worker_leaves_runs_of_other_queues_alone(store):
    tools = [{"type": "function", "function": {"name": "elsewhere", "parameters": {}}}]
    call = {"type": "tool_call", "id": "call_1", "name": "elsewhere", "arguments": {}}
    runs = {}
    with engine_of(store, "Mine.", queue="mine", lease_seconds=60):
        for queue in ("theirs", "mine"):
            asked = store.threads.create()
            run = store.runs.create(asked.id, model="m", tools=tools, queue=queue)
            run = store.runs.start(asked.id, run.id, holder="somebody", lease_seconds=60)
            store.messages.create(asked.id, role="assistant", content=call, run_id=run.id)
            store.runs.require_action(asked.id, run.id)
            outputs = [{"call_id": "call_1", "output": 1}]
            runs[queue] = store.runs.submit_tool_outputs(asked.id, run.id, outputs)
        assert ends(store, runs["mine"]).status == "completed"
        theirs = runs["theirs"]
        assert store.runs.get(theirs.thread_id, theirs.id).status == "queued"


def test_an_engine_that_lost_its_run_stops_and_writes_nothing(store, thread):
    gate = Gate()
    with engine_of(store, ["Half", gate, " and half."], lease_seconds=60) as engine:
        run = engine.run(thread.id, model="m")
        assert gate.reached.wait(30)
        held = store.runs.get(thread.id, run.id)
        taken = store.runs.start(
            thread.id, run.id, holder="other", take_over=True, fence=held.fence, lease_seconds=60
        )
        gate.open()
        store.messages.create(
            thread.id, role="assistant", content="Mine.", run_id=run.id, fence=taken.fence
        )
        store.runs.complete(thread.id, run.id, fence=taken.fence)
        assert engine.execute(thread.id, run.id).status == "completed"
    assert store.messages.list(thread.id)[-1].text == "Mine."
    with pytest.raises(LeaseLost):
        store.runs.complete(thread.id, run.id, fence=held.fence)


def test_closing_lets_runs_finish(store, thread):
    gate = Gate()
    engine = engine_of(store, [gate, "Rain."])
    run = engine.run(thread.id, model="m")
    assert gate.reached.wait(30)
    closing = threading.Thread(target=engine.close)
    closing.start()
    gate.open()
    closing.join(30)
    assert store.runs.get(thread.id, run.id).status == "completed"


def test_closing_hands_back_what_takes_too_long(store, thread):
    engine = engine_of(store, ["Half", Gate()], lease_seconds=60)
    run = engine.run(thread.id, model="m")
    for event in store.runs.stream(thread.id, run.id):
        if event.type == "message.delta":
            break
    engine.close(finish_seconds=0.1)
    assert store.runs.get(thread.id, run.id).status == "in_progress"
    with engine_of(store, "Whole."):
        assert ends(store, run).status == "completed"
    assert store.messages.list(thread.id)[-1].text == "Whole."


def test_no_more_runs_are_at_work_than_allowed(store):
    at_work, most, lock = 0, 0, threading.Lock()
    meet = threading.Barrier(2, timeout=30)  # runs are at work in pairs

    @tool
    def busy() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        meet.wait()
        with lock:
            at_work -= 1

    def answer(request):
        return "Done." if request.messages[-1].role == "tool" else [ToolCall("c", "busy")]

    models = {"m": ScriptedModel(answer)}
    with Engine(store, tools=[busy], models=models, concurrency=2) as engine:
        threads = [
            store.threads.create(messages=[{"role": "user", "content": "x"}]) for _ in range(6)
        ]
        runs = [engine.run(one.id, model="m", tools=[busy]) for one in threads]
        for run in runs:
            assert engine.execute(run.thread_id, run.id).status == "completed"
    assert most == 2


def test_tools_that_are_handed_in_are_known_before_the_first_step(store, thread):
    """An engine that died right after it made a run has recorded which of its tools it had not."""
    other = {"type": "function", "function": {"name": "other", "parameters": {}}}
    assistant = store.assistants.create(
        model="m", tools=[other], settings={"external_tools": ["third"]}
    )
    gate, second = Gate(), store.threads.create()
    with engine_of(store, [gate], concurrency=1) as engine:
        engine.run(second.id, model="m")
        run = engine.run(thread.id, assistant.id)
        gate.reached.wait(30)
        engine.close(finish_seconds=0)
    assert store.runs.get(thread.id, run.id).status == "queued"
    assert run.settings == {"external_tools": ["other", "third"]}
    asking = ToolCall("call_1", "other")
    with Engine(store, models={"m": ScriptedModel(lambda _: [asking])}, lease_seconds=0.1):
        run = ends(store, run)
    assert (run.status, run.required_calls) == ("requires_action", ("call_1",))


def test_news_of_a_run_whose_creation_has_not_returned_are_kept(store, thread, monkeypatch):
    gate, heard = Gate(), threading.Event()
    with engine_of(store, [gate, "Rain."], lease_seconds=60) as engine:
        hear, made = engine._heard, engine._made  # noqa: SLF001

        def hear_and_tell(event):
            hear(event)
            if event.type == "RunCancelling":
                heard.set()

        def made_late(run, *given, **options):
            store.runs.cancel(run.thread_id, run.id)
            assert heard.wait(30)
            made(run, *given, **options)

        monkeypatch.setattr(engine, "_heard", hear_and_tell)
        monkeypatch.setattr(engine, "_made", made_late)
        run = engine.run(thread.id, model="m")
        assert store.runs.wait(thread.id, run.id, timeout_seconds=10).status == "cancelled"
