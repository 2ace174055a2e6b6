"""The code interpreter as a tool of an engine."""

import base64
import json
import sqlite3
import threading
from contextlib import closing

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


def test_threads_of_two_tenants_share_no_kernel(store):
    """They may have the same id."""
    code = "before = globals().get('before'), 1\nbefore"
    call = ToolCall("c1", "code_interpreter", json.dumps({"code": code}))
    seen = []
    with CodeInterpreter(limits=SMALL) as interpreter:
        for tenant in ("one", "other"):
            model = ScriptedModel([[call], "Done."])
            own, thread_id = store.tenant(tenant), f"thread_{7:032x}"
            own.threads.create(thread_id=thread_id, messages=[{"role": "user", "content": "Go."}])
            with Engine(own, tools=[_Shared(interpreter)], models={"m": model}) as engine:
                run = engine.run(thread_id, model="m", tools=[interpreter])
                engine.execute(thread_id, run.id)
            [result] = model.requests[1].messages[-1].content
            assert isinstance(result, ToolResultPart)
            seen.append((result.output["result"], result.output["kernel"]))
    assert seen == [("(None, 1)", "new")] * 2


class _Shared:
    """A tool that outlives its engine."""

    def __init__(self, tool):
        self._tool = tool

    def __getattr__(self, name):
        if name == "aclose":
            raise AttributeError(name)
        return getattr(self._tool, name)


def test_a_large_file_is_stored_once(store, thread, url):
    code = "open('large.bin', 'wb').write(bytes(range(256)) * 400);"
    call = ToolCall("c1", "code_interpreter", json.dumps({"code": code}))
    model = ScriptedModel([[call], "Done."])
    with (
        CodeInterpreter(limits=SMALL) as interpreter,
        Engine(store, tools=[interpreter], models={"m": model}) as engine,
    ):
        run = engine.run(thread.id, model="m", tools=[interpreter])
        engine.execute(thread.id, run.id)
    store.close()
    held = base64.b64encode(bytes(range(256)) * 3)[:300]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        columns = [
            (table, column[1])
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for column in database.execute(f"PRAGMA table_info({table})")
        ]
        found = [
            (table, column)
            for table, column in columns
            for (value,) in database.execute(f'SELECT CAST("{column}" AS BLOB) FROM "{table}"')
            if held in (value or b"")
        ]
    assert found == [("blobs", "content")]
