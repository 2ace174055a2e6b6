"""Servers of the Model Context Protocol: real ones, on stdio."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import types
from mcp.server.mcpserver import MCPServer

from eventstore import InvalidInput
from eventstore.engine import Engine, ToolContext
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools.mcp_server import McpServer

COMMAND = [sys.executable, str(Path(__file__).parent / "services" / "mcp_stdio.py")]

NOWHERE = ToolContext(store=None, thread_id="t", run_id="r", call_id="c", tenant="")
STOCK = "shop__stock_count_of-a-shelf_d36007"
"""A tool whose own name models would not accept."""


def answered(store, server, *calls):
    """Let a model make calls one after the other; return the run and the model."""
    thread = store.threads.create(messages=[{"role": "user", "content": "Go."}])
    script = [[ToolCall(f"c{n}", name, json.dumps(given))] for n, (name, given) in enumerate(calls)]
    model = ScriptedModel([*script, "Done."])
    with Engine(store, tools=[server], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[{"type": server.type}])
        run = engine.execute(thread.id, run.id)
    return run, model


def test_tools_of_a_server_are_listed_once_recorded_and_called(store):
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("shop__add", {"a": 1, "b": 2}),
        ("shop__picture", {}),
        ("shop__refuse", {}),
        ("shop__add", {"a": "x"}),
        ("shop__environment", {}),
        ("shop__note", {}),
        ("shop__recording", {}),
        (STOCK, {}),
    )
    run, model = answered(store, McpServer("shop", command=COMMAND), *calls)
    assert run.status == "completed", run
    offered = [one["function"]["name"] for one in model.requests[0].tools]
    assert offered == [
        "shop__add",
        "shop__picture",
        "shop__note",
        "shop__recording",
        "shop__sleep",
        STOCK,
        "shop__environment",
        "shop__refuse",
        "shop__die",
    ]
    assert model.requests[-1].tools == model.requests[0].tools
    first = store.runs.steps.list(run.thread_id, run.id)[0]
    assert [one["function"]["name"] for one in first.details["tools"]] == offered
    added, picture, refused, malformed, environment, note, recording, stock = (
        model.requests[n].messages[-1].content for n in range(1, 9)
    )
    assert (added[0].status, added[0].output["text"]) == ("completed", "3")
    assert picture[1].url.startswith("data:image/png;base64,iVBORw0KGgo")
    assert (refused[0].status, malformed[0].status) == ("failed", "failed")
    assert refused[0].output == {"text": "Error executing tool refuse"}
    assert note[0].output["resources"] == [
        {"uri": "note://1", "media_type": "text/plain", "text": "buy milk"}
    ]
    assert stock[0].output["text"] == "7"
    assert recording[1].file_id == "data:audio/wav;base64,UklGRg=="
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & set(environment[0].output["text"].split())


def test_a_server_that_dies_is_a_failed_result_and_comes_back(store):
    server = McpServer("shop", command=COMMAND)
    run, model = answered(store, server, ("shop__die", {}), ("shop__add", {"a": 2, "b": 3}))
    assert run.status == "completed"
    died, added = (model.requests[n].messages[-1].content[0] for n in (1, 2))
    assert died.status == "failed"
    assert "server is gone" in died.output["error"]
    assert added.output["text"] == "5"


@pytest.mark.parametrize(
    "options", [{"command": ["does-not-exist-anywhere"]}, {"url": "http://127.0.0.1:9/mcp"}]
)
def test_a_server_that_does_not_start_fails_the_run(store, options):
    run, _ = answered(store, McpServer("shop", timeout_seconds=5, **options))
    assert (run.status, run.error.code) == ("failed", "tools_unavailable")


def test_images_and_files_are_limited_and_of_a_plain_type():
    """Whatever a server calls them."""
    pixel = "iVBORw0KGgo="
    shop = MCPServer("shop")

    @shop.tool(structured_output=False)
    def odd() -> list[types.ImageContent | types.AudioContent]:
        return [
            types.ImageContent(type="image", data=pixel, mime_type="image/png"),
            types.ImageContent(type="image", data=pixel, mime_type="text/html,<script>;base64"),
            types.AudioContent(type="audio", data=pixel, mime_type="audio/wav"),
        ]

    @shop.tool(structured_output=False)
    def large() -> types.ImageContent:
        return types.ImageContent(type="image", data="A" * 12_000_000, mime_type="image/png")

    async def called(name):
        server = McpServer("shop", server=shop)
        try:
            return await server.call(f"shop__{name}", {})
        finally:
            await server.aclose()

    answer = asyncio.run(called("odd"))
    assert [part.type for part in answer.parts] == ["image", "file", "file"]
    assert answer.parts[1].file_id == f"data:application/octet-stream;base64,{pixel}"
    refused = asyncio.run(called("large"))
    assert (refused.status, refused.parts) == ("failed", ())
    assert refused.output == {"error": "Its images and files have over 8 MiB."}


def test_a_process_that_did_not_list_the_tools_finds_them_by_the_names_models_see():
    approval = ["stock/count.of-a-shelf"]
    server = McpServer("shop", command=COMMAND, tools=[*approval, "add"], approval=approval)
    stock, add = server.tool(STOCK), server.tool("shop__add")
    assert stock is not None
    assert add is not None
    assert (stock.approval, add.approval, server.tool("shop__die")) == (True, False, None)

    async def called():
        try:
            return await stock.call({}, NOWHERE)
        finally:
            await server.aclose()

    assert asyncio.run(called()).output["text"] == "7"


@pytest.mark.parametrize("name", ["a.b", "a/b", "ä", "x" * 80, "x" * 79 + "y"])
def test_names_that_models_do_not_accept_become_others_that_differ(name):
    server = McpServer("shop", url="http://127.0.0.1:9", tools=[name, "a_b"])
    [found] = [n for n in (server.shown(name),) if server.tool(n) is not None]
    assert re.fullmatch(r"shop__[A-Za-z0-9_-]{1,58}", found)
    assert found not in {server.shown("a_b"), server.shown("x" * 78)}


def test_a_server_has_an_id_and_one_way_to_reach_it():
    with pytest.raises(InvalidInput):
        McpServer("a b", url="http://127.0.0.1:9")
    with pytest.raises(InvalidInput):
        McpServer("shop")
