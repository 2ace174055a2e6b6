"""Engines find models by name, and close those that they made."""

import asyncio

import pytest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine import AsyncEngine, Engine
from eventstore.engine.models import Endpoint
from eventstore.engine.models.openai_chat import OpenAIModel
from eventstore.engine.models.pydantic_ai import PydanticAIModel
from eventstore.testing.model_server import ModelServer, says

QUESTION = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def endpoint():
    with ModelServer(lambda _: says("Hello.")) as server:
        yield {"fast": Endpoint("tiny", base_url=server.base_url, key_variable=None)}


def test_an_engine_asks_an_endpoint(endpoint):
    with ConversationStore.open("sqlite://") as store, Engine(store, models=endpoint) as engine:
        thread = store.threads.create(messages=QUESTION)
        run = engine.execute(thread.id, engine.run(thread.id, model="fast").id)
        assert run.status == "completed"
        assert run.usage is not None
        assert (run.usage.input_tokens, run.usage.output_tokens) == (7, 5)
        assert store.messages.list(thread.id).data[-1].text == "Hello."


async def test_an_async_engine_asks_an_endpoint(endpoint):
    async with (
        AsyncConversationStore.open("sqlite://") as store,
        AsyncEngine(store, models=endpoint) as engine,
    ):
        thread = await store.threads.create(messages=QUESTION)
        runs = [await engine.run(thread.id, model="fast") for _ in range(2)]
        ended = await asyncio.gather(*(engine.execute(thread.id, run.id) for run in runs))
    assert [run.status for run in ended] == ["completed", "completed"]


@pytest.mark.parametrize(
    ("name", "code"), [("nobody", "unknown_model"), ("qwen-plus", "invalid_api_key")]
)
def test_a_model_that_cannot_be_had_fails_the_run_with_a_code(name, code, monkeypatch):
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    with ConversationStore.open("sqlite://") as store, Engine(store) as engine:
        thread = store.threads.create(messages=QUESTION)
        run = engine.execute(thread.id, engine.run(thread.id, model=name).id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.code == code
    assert run.error.message is not None
    assert name in run.error.message


def openai_model(address):
    return OpenAIModel("tiny", base_url=address, api_key="any")


def pydantic_model(address):
    provider = OpenAIProvider(base_url=address, api_key="any")
    return PydanticAIModel(OpenAIChatModel("tiny", provider=provider))


@pytest.mark.parametrize("make", [openai_model, pydantic_model])
def test_a_model_serves_one_engine_after_another(make):
    """Each sync engine has an event loop of its own, and a connection serves one loop."""
    with ConversationStore.open("sqlite://") as store, ModelServer(lambda _: says("Hi.")) as server:
        model = make(server.base_url)
        thread = store.threads.create(messages=QUESTION)
        for _ in range(2):
            with Engine(store, models={"fast": model}) as engine:
                run = engine.execute(thread.id, engine.run(thread.id, model="fast").id)
            assert (run.status, run.error) == ("completed", None)
