"""The calls that applications make most: what an editor reveals of them.

``tests/guards/test_typing.py`` looks for ``Any`` and ``Unknown`` in it.
"""

from typing import reveal_type

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine import AsyncEngine, Engine, ToolContext, tool


@tool
def weather(city: str, context: ToolContext[ConversationStore], *, days: int = 1) -> list[str]:
    reveal_type(context.store)
    return [city, context.thread_id] * days


@tool(approval=True, timeout_seconds=3)
async def slow(city: str, context: ToolContext[AsyncConversationStore]) -> str:
    return (await context.store.threads.get(context.thread_id)).title or city


def sync(store: ConversationStore, engine: Engine) -> None:
    reveal_type(weather)
    reveal_type(store.threads.create)
    thread = store.threads.create(title="A thread")
    reveal_type(thread)
    reveal_type(store.messages.create)
    message = store.messages.create(thread.id, role="user", content="Hello")
    reveal_type(message)
    for part in message.content:
        reveal_type(part)
    reveal_type(store.messages.list)
    page = store.messages.list(thread.id)
    reveal_type(page)
    reveal_type(page.next_cursor)
    for one in page:
        reveal_type(one)
    reveal_type(store.messages.edit)
    reveal_type(store.messages.edit(thread.id, message.id, content="Hi"))
    run = store.runs.create(thread.id, model="m")
    reveal_type(store.runs.start)
    reveal_type(store.runs.start(thread.id, run.id))
    reveal_type(store.runs.wait)
    reveal_type(store.runs.wait(thread.id, run.id))
    reveal_type(store.runs.stream)
    for event in store.runs.stream(thread.id, run.id):
        reveal_type(event)
        if event.type == "message.delta":
            reveal_type(event)
    reveal_type(store.events.subscribe)
    for recorded in store.events.subscribe():
        reveal_type(recorded)
        reveal_type(recorded.data)
    reveal_type(store.replay.state)
    state = store.replay.state(thread.id)
    reveal_type(state)
    reveal_type(state.messages)
    reveal_type(store.audit.verify)
    reveal_type(store.audit.verify().findings)
    with store.threads.batch(thread.id) as batch:
        handle = batch.messages.create(role="user", content="Hello")
    reveal_type(handle)
    reveal_type(handle.object)
    reveal_type(engine.run)
    reveal_type(engine.run(thread.id, model="m"))


async def asynchronous(store: AsyncConversationStore, engine: AsyncEngine) -> None:
    reveal_type(slow)
    reveal_type(store.threads.create)
    thread = await store.threads.create(title="A thread")
    reveal_type(thread)
    reveal_type(store.messages.create)
    message = await store.messages.create(thread.id, role="user", content="Hello")
    reveal_type(message)
    reveal_type(store.messages.list)
    page = await store.messages.list(thread.id)
    reveal_type(page)
    async for one in page.iter():
        reveal_type(one)
    reveal_type(store.messages.edit)
    reveal_type(await store.messages.edit(thread.id, message.id, content="Hi"))
    run = await store.runs.create(thread.id, model="m")
    reveal_type(store.runs.start)
    reveal_type(await store.runs.start(thread.id, run.id))
    reveal_type(store.runs.wait)
    reveal_type(await store.runs.wait(thread.id, run.id))
    reveal_type(store.runs.stream)
    async for event in store.runs.stream(thread.id, run.id):
        reveal_type(event)
    reveal_type(store.events.subscribe)
    async for recorded in store.events.subscribe():
        reveal_type(recorded)
    reveal_type(store.replay.state)
    reveal_type(await store.replay.state(thread.id))
    reveal_type(store.audit.verify)
    reveal_type((await store.audit.verify()).findings)
    reveal_type(engine.run)
    reveal_type(await engine.run(thread.id, model="m"))
