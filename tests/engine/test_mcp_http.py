"""Servers of the Model Context Protocol over streamable HTTP: real processes, on the loopback."""

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventstore.engine import Engine, replay
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools.mcp_server import McpServer
from tests.engine.services.http_services import Service
from tests.engine.test_mcp import answered

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(port=0):
    """Run a server until it is left, or ends; gives its port."""
    command = [sys.executable, "-m", "tests.engine.services.mcp_http", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def at(port, **options):
    return McpServer("shop", url=f"http://127.0.0.1:{port}/mcp", **options)


def test_tools_of_a_server_at_an_address_are_listed_once_recorded_and_called(store):
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("shop__add", {"a": 1, "b": 2}),
        ("shop__picture", {}),
        ("shop__note", {}),
        ("shop__refuse", {}),
    )
    with serving() as port:
        run, model = answered(store, at(port), *calls)
    assert run.status == "completed", run
    offered = [one["function"]["name"] for one in model.requests[0].tools]
    assert {"shop__add", "shop__picture", "shop__note"} <= set(offered)
    assert all(request.tools == model.requests[0].tools for request in model.requests)
    first = store.runs.steps.list(run.thread_id, run.id)[0]
    assert [one["function"]["name"] for one in first.details["tools"]] == offered
    added, picture, note, refused = (model.requests[n].messages[-1].content for n in range(1, 5))
    assert (added[0].status, added[0].output["text"]) == ("completed", "3")
    assert picture[1].url.startswith("data:image/png;base64,iVBORw0KGgo")
    assert note[0].output["resources"] == [
        {"uri": "note://1", "media_type": "text/plain", "text": "buy milk"}
    ]
    assert refused[0].status == "failed"
    again = replay(store, run.thread_id, run.id)  # the server is gone by now
    assert (again.same, again.calls) == (True, 4), again.difference


def test_a_server_that_dies_within_a_call_is_a_failed_result_until_it_is_back(store, thread):
    """The engine and its run go on; so does a call that is never answered."""
    with ExitStack() as services:
        port = services.enter_context(serving())

        def answer(request):
            made = sum(message.role == "tool" for message in request.messages)
            if made == 2:
                services.enter_context(serving(port))
            add = "shop__add", '{"a": 2, "b": 3}'
            calls = ("shop__die", "{}"), add, add, ("shop__sleep", "{}")
            return [ToolCall(f"c{made}", *calls[made])] if made < len(calls) else "Five."

        model: Any = ScriptedModel(answer)
        with Engine(store, tools=[at(port, timeout_seconds=3)], models={"m": model}) as engine:
            run = engine.run(thread.id, model="m", tools=[{"type": "shop"}])
            run = engine.execute(thread.id, run.id)
    assert run.status == "completed", run
    died, dead, added, slept = (model.requests[n].messages[-1].content[0] for n in range(1, 5))
    assert (died.status, dead.status, slept.status) == ("failed", "failed", "failed")
    assert "server is gone" in died.output["error"]
    assert "server is gone" in dead.output["error"]
    assert (added.status, added.output["text"]) == ("completed", "5")


@pytest.mark.parametrize("status", [404, 500])
def test_an_address_that_is_no_server_fails_the_run(store, status):
    with Service(lambda _: (status, {}, {})).running() as service:
        run, _ = answered(store, McpServer("shop", url=f"{service.url}/mcp", timeout_seconds=5))
    assert (run.status, run.error.code) == ("failed", "tools_unavailable")
