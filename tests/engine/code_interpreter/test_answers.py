"""The code interpreter as a tool of an engine."""

import threading

from eventstore import ToolResultPart
from eventstore.engine import Engine
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools.code_interpreter import CodeInterpreter
from tests.engine.code_interpreter.conftest import SMALL


def test_cancelling_the_run_interrupts_its_code(store, thread):
    model = ScriptedModel([[ToolCall("c1", "code_interpreter", '{"code": "while True: pass"}')]])
    with (
        CodeInterpreter(limits=SMALL) as interpreter,
        Engine(store, tools=[interpreter], models={"m": model}) as engine,
    ):
        run = engine.run(thread.id, model="m", tools=[interpreter])
        called = threading.Event()

        def follow():
            for event in store.runs.stream(thread.id, run.id):
                if event.type == "tool.called":
                    called.set()

        reader = threading.Thread(target=follow)
        reader.start()
        assert called.wait(30)
        store.runs.cancel(thread.id, run.id)
        run = store.runs.wait(thread.id, run.id, timeout_seconds=30)
        reader.join()
        assert run.status == "cancelled"
        assert interpreter.run(thread.id, "6 * 7").result == "42"


def test_arguments_without_code_are_a_failed_result(store, thread):
    model = ScriptedModel([[ToolCall("c1", "code_interpreter", '{"cod": "1"}')], "Sorry."])
    with (
        CodeInterpreter(limits=SMALL) as interpreter,
        Engine(store, tools=[interpreter], models={"m": model}) as engine,
    ):
        run = engine.run(thread.id, model="m", tools=[interpreter])
        engine.execute(thread.id, run.id)
    [result] = model.requests[1].messages[-1].content
    assert getattr(result, "status", None) == "failed"


def test_another_process_tells_the_model_that_variables_are_gone(store, thread):
    outputs = []
    for number in range(2):
        call = ToolCall(f"c{number}", "code_interpreter", '{"code": "x = 1"}')
        model = ScriptedModel([[call], "Done."])
        with (
            CodeInterpreter(limits=SMALL) as interpreter,
            Engine(store, tools=[interpreter], models={"m": model}) as engine,
        ):
            run = engine.run(thread.id, model="m", tools=[interpreter])
            engine.execute(thread.id, run.id)
        [result] = model.requests[1].messages[-1].content
        assert isinstance(result, ToolResultPart)
        outputs.append(result.output)
    assert [output["kernel"] for output in outputs] == ["new", "restarted"]
    assert "variables and files of earlier calls are gone" in outputs[1]["note"]
