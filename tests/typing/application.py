"""A small application on both faces, as a user would write it: type checkers find nothing in it.

``tests/guards/test_typing.py`` runs mypy and basedpyright over it, and runs it.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, text

from eventstore import (
    EMPTY,
    AsyncConversationStore,
    AsyncPage,
    Branch,
    ConversationStore,
    ConversationStoreError,
    ImagePart,
    Limits,
    Message,
    NewEvent,
    Page,
    Position,
    RecordedEvent,
    Refused,
    Run,
    TextPart,
    Thread,
    TokenUsage,
    ToolCallPart,
)


def show(message: Message) -> str:
    """One line of a transcript, with the arrows between siblings."""
    arrows = f" <{message.sibling_index}/{message.sibling_count}>"
    return f"{message.role}: {message.text}{arrows if message.sibling_count > 1 else ''}"


def history(store: ConversationStore, thread_id: str) -> list[str]:
    page: Page[Message] = store.messages.list(thread_id, limit=50, order="asc")
    return [show(message) for message in page.iter()]


def sync_chat(url: str) -> list[str]:
    limits = Limits(page_size_max=500)
    with ConversationStore.open(url, limits=limits, busy_timeout_seconds=2.5) as store:
        acting = store.tenant("acme").acting(actor="u_1", correlation_id="request-1")
        thread: Thread = acting.threads.create(title="Skies", metadata={"user": "u_1"})
        question = acting.messages.create(
            thread.id,
            role="user",
            content=["Why is the sky blue?", ImagePart(url="https://example.org/sky.png")],
            expected_head=EMPTY,
            original_created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        answer = acting.messages.create(thread.id, role="assistant", content="Scattering.")
        other = acting.messages.regenerate(
            thread.id, answer.id, content=TextPart(text="Rayleigh scattering.")
        )
        acting.messages.edit(thread.id, question.id, content={"type": "text", "text": "Sunsets?"})
        selected: Branch = acting.branches.select(thread.id, other.id)
        acting.branches.label(thread.id, selected.leaf_id, "best", reason="clearer")
        with acting.threads.batch(thread.id, idempotency_key="b-1") as batch:
            handle = batch.messages.create(role="user", content="And at night?")
            batch.branches.label(question.id, "start")
        said: Message = handle.object
        assert said.parent_id == other.id
        lines = history(acting, thread.id)
        for step in acting.replay.steps(thread.id):
            event: RecordedEvent = step.event
            assert event.version >= 1
        usage(acting, thread.id)
        return lines


def usage(store: ConversationStore, thread_id: str) -> TokenUsage | None:
    """Record a run with a tool call, and say what it took."""
    run: Run = store.runs.create(thread_id, model="qwen-plus", on_busy="enqueue")
    store.runs.start(thread_id, run.id)
    step = store.runs.steps.start(thread_id, run.id, context=store.runs.context(thread_id, run.id))
    call = ToolCallPart(id="call_1", name="weather", arguments={"city": "Oslo"})
    store.messages.create(thread_id, role="assistant", content=call, run_id=run.id)
    store.runs.require_action(thread_id, run.id)
    outputs: list[Mapping[str, Any]] = [{"call_id": "call_1", "output": "4 °C"}]
    store.runs.submit_tool_outputs(thread_id, run.id, outputs)
    store.runs.start(thread_id, run.id)
    store.runs.steps.complete(thread_id, step.id)
    done = store.runs.complete(thread_id, run.id, usage={"input_tokens": 3, "output_tokens": 4})
    return done.usage


def own_transaction(path: str) -> None:
    """Write beside the application's own rows, in one transaction."""
    engine = create_engine(f"sqlite:///{path}")
    with ConversationStore.open(engine, durability="as_is") as store, engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
        store.threads.create(connection=connection)
    engine.dispose()


async def async_chat(url: str) -> list[str]:
    async with AsyncConversationStore.open(url) as store:
        thread = await store.threads.create()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(store.messages.create(thread.id, role="user", content=word))
                for word in ("one", "two")
            ]
        made: list[Message] = [task.result() for task in tasks]
        assert len(made) == 2
        page: AsyncPage[Message] = await store.messages.list(thread.id)
        lines = [show(message) async for message in page.iter()]
        receipt = await store.events.append(
            "invoice_" + "0" * 32,
            [NewEvent(type="InvoiceSent", data={"total": 3})],
            expected_version="no_stream",
        )
        last: Position = receipt.positions[-1]
        async for event in store.events.read_all(after=None):
            assert event.position <= last
        async with store.threads.batch(thread.id) as batch:
            three = batch.messages.create(role="user", content="three")
        assert three.object.text == "three"
        try:
            await store.messages.amend(thread.id, made[0].id, content="uno")
        except Refused as refused:
            lines.append(refused.reason)
        except ConversationStoreError:
            raise
        return lines
