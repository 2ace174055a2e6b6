"""Each kind of tool in an async engine, which calls them on the application's own loop."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from eventstore import AsyncConversationStore
from eventstore.engine import AsyncEngine, replay_async
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools.code_interpreter import CodeInterpreter
from eventstore.engine.tools.images import ScriptedImages, TextToImage
from eventstore.engine.tools.mcp_server import McpServer
from eventstore.engine.tools.plugins import Plugin
from tests.engine.code_interpreter.conftest import SMALL
from tests.engine.services.http_services import Service

PETS = Path(__file__).parent / "services" / "petstore.json"


@pytest.fixture
def tools():
    shop = MCPServer("shop")

    @shop.tool()
    def add(a: int, b: int) -> int:
        return a + b

    async def token(_):
        return "token"

    with Service(lambda asked: (200, {}, asked["path"])).running() as pets:
        options: dict[str, Any] = {"server": pets.url, "allow_private": [pets.host]}
        yield [
            CodeInterpreter(limits=SMALL),
            Plugin("petstore", PETS, credentials=token, approval=["getPet"], **options),
            McpServer("shop", server=shop),
            TextToImage(ScriptedImages(), sizes=["64x64"]),
        ]


async def test_an_async_engine_uses_each_kind_of_tool(url, tools):
    wanted = {
        "code_interpreter": {"code": "6 * 7"},
        "getPet": {"id": "7"},
        "shop__add": {"a": 1, "b": 2},
        "text_to_image": {"prompt": "a cat", "size": "64x64"},
    }
    calls = [ToolCall(name, name, json.dumps(given)) for name, given in wanted.items()]
    model: Any = ScriptedModel([calls, "Done."])
    async with AsyncConversationStore.open(url) as store:
        thread = await store.threads.create(messages=[{"role": "user", "content": "Go."}])
        async with AsyncEngine(store, tools=tools, models={"m": model}) as engine:
            types = ("code_interpreter", "petstore", "shop", "text_to_image")
            listed = [{"type": one} for one in types]
            run = await engine.run(thread.id, model="m", tools=listed)
            run = await engine.execute(thread.id, run.id)
            assert run.status == "requires_action"
            await store.runs.approve(thread.id, run.id, "getPet", actor="officer", reason="known")
            run = await engine.execute(thread.id, run.id)
        assert run.status == "completed", run
        results = {
            message.content[0].call_id: message.content
            for message in model.requests[1].messages
            if message.role == "tool"
        }
        assert results["code_interpreter"][0].output["result"] == "42"
        assert results["getPet"][0].output["body"] == "/pets/7"
        assert results["shop__add"][0].output["text"] == "3"
        assert results["text_to_image"][1].url.startswith("data:image/png;base64,")
        again = await replay_async(store, thread.id, run.id)
        assert again.same, again.difference
