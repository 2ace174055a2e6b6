"""The engine's main paths on a server: both faces, a death at each request, and two engines."""

import itertools

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine import AsyncEngine, Engine, replay, tool
from eventstore.engine.models import Gate, ScriptedModel, ToolCall
from tests.conftest import LONG
from tests.engine.crashing import Life

pytestmark = pytest.mark.newest_postgres
QUESTION = [{"role": "user", "content": "Weather in Oslo and Rome?"}]
CALLS = [
    ToolCall("call_1", "weather", '{"city": "Oslo"}'),
    ToolCall("call_2", "weather", '{"city": "Rome"}'),
]


@tool
def weather(city: str) -> str:
    return f"{city}: rain"


def answer(request):
    return "Rain." if request.messages[-1].role == "tool" else CALLS


def test_an_assistant_with_tools_answers(store):
    assistant = store.assistants.create(model="m", tools=[weather])
    thread = store.threads.create(messages=QUESTION)
    with Engine(store, tools=[weather], models={"m": ScriptedModel(answer)}) as engine:
        run = engine.run(thread.id, assistant.id)
        types = [event.type for event in store.runs.stream(thread.id, run.id)]
        assert types[-1] == "run.completed"
    roles = [message.role for message in store.messages.list(thread.id)]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]
    assert replay(store, thread.id, run.id).same


async def test_many_runs_answer_at_once_on_the_async_face(server, migrated):
    url = server.url(database=migrated, driver="asyncpg")
    async with AsyncConversationStore.open(url, durability="as_is") as store:
        models = {"m": ScriptedModel(answer)}
        async with AsyncEngine(store, tools=[weather], models=models, concurrency=20) as engine:
            runs = []
            for _ in range(20):
                thread = await store.threads.create(messages=QUESTION)
                runs.append(await engine.run(thread.id, model="m", tools=[weather]))
            for run in runs:
                assert (await engine.execute(run.thread_id, run.id)).status == "completed"


def test_a_run_survives_a_death_behind_a_request(store, monkeypatch):
    for at in itertools.count(1, 1 if LONG else 4):
        life = Life(store, store.threads.create(messages=QUESTION))
        if not life.dies(monkeypatch, at, after=True):
            break
        run = life.goes_on()
        assert run.status == "completed", at
        assert life.calls["careful"] <= 1, at


def test_a_worker_hears_of_runs_of_other_processes_and_of_their_end(store, url):
    gate = Gate()
    with ConversationStore.open(url, durability="as_is") as other:
        models = {"m": ScriptedModel([["Half", gate]])}
        with Engine(other, models=models, queue="work", lease_seconds=60):
            thread = store.threads.create(messages=QUESTION)
            run = store.runs.create(thread.id, model="m", queue="work")
            assert gate.reached.wait(30)
            store.runs.cancel(thread.id, run.id)
            assert store.runs.wait(thread.id, run.id, timeout_seconds=30).status == "cancelled"
