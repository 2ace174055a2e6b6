"""Recording an application's own loop: what is kept, and how the run ends."""

import asyncio

import pytest

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    LeaseLost,
    Refused,
    RunNotFound,
)
from tests.recording.lives import beating, live, until


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


@pytest.fixture
def thread(store):
    return store.threads.create(messages=[{"role": "user", "content": "When?"}]).id


def said(store, thread):
    return [(one.role, one.text, one.status) for one in store.messages.list(thread)]


def test_a_whole_life(store, thread):
    live(store, thread, [])
    assert said(store, thread) == [
        ("user", "When?", "completed"),
        ("assistant", "Let me look. ", "completed"),
        ("tool", "", "completed"),
        ("assistant", "It is noon.", "completed"),
    ]
    [run] = store.runs.list(thread)
    assert (run.status, run.holder, run.usage.output_tokens) == ("completed", "loop", 4)
    types = [event.type for event in store.events.read(thread)]
    assert types.index("RunStarted") == types.index("RunQueued") + 1
    until(lambda: not beating())


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("secret"), "failed", "ValueError"),
        (Refused("quota_used", "no more", "Wait."), "failed", "quota_used"),
        (KeyboardInterrupt(), "cancelled", None),
        (asyncio.CancelledError(), "cancelled", None),
        (GeneratorExit(), "cancelled", None),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_was_said_is_kept_and_the_thread_is_free(store, thread, error, status, code):
    def loop():
        with store.runs.record(thread) as run:
            run.text("It is ")
            run.text("n")
            raise error

    with pytest.raises(type(error)):
        loop()
    [run] = store.runs.list(thread)
    assert (run.status, run.error and run.error.code) == (status, code)
    assert run.error is None or run.error.message is None
    assert said(store, thread)[1:] == [("assistant", "It is n", "incomplete")]
    assert store.messages.create(thread, role="user", content="Well?").status == "completed"


def test_an_answer_that_was_cut_off(store, thread):
    with store.runs.record(thread) as run:
        run.text("It is")
        run.incomplete("max_tokens")
    [run] = store.runs.list(thread)
    assert (run.status, run.incomplete_reason) == ("incomplete", "max_tokens")
    assert said(store, thread)[1:] == [("assistant", "It is", "incomplete")]


def test_it_may_wait_for_outputs_and_go_on(store, thread):
    with store.runs.record(thread, holder="first") as run:
        run.tool_call("c1", "ask_a_person")
        assert run.require_action().status == "requires_action"
    store.runs.submit_tool_outputs(thread, run.id, [{"call_id": "c1", "output": "yes"}])
    with store.runs.record(thread, run.id, holder="second") as again:
        assert again.id == run.id
        assert [one.role for one in again.context().messages] == ["user", "assistant", "tool"]
        again.text("Done.")
    assert store.runs.get(thread, run.id).status == "completed"


def test_a_heartbeat_keeps_the_lease_and_sees_a_cancellation(store, thread):
    with store.runs.record(thread, lease_seconds=0.03) as run:
        first = store.runs.get(thread, run.id).lease_ends_at
        until(lambda: store.runs.get(thread, run.id).lease_ends_at > first)
        assert not run.cancelling
        store.runs.cancel(thread, run.id)
        until(lambda: run.cancelling)
        run.text("That is all.")
    assert store.runs.get(thread, run.id).status == "completed"


def test_a_loop_that_lost_its_run_hears_it_with_its_next_write(store, thread):
    def loop():
        with store.runs.record(thread, holder="slow") as run:
            run.text("It is ")
            store.runs.start(thread, run.id, holder="fast", take_over=True, fence=run.fence)
            run.tool_call("c1", "clock")
            run.tool_result("c1", "noon")

    with pytest.raises(LeaseLost, match="fast"):
        loop()
    [run] = store.runs.list(thread)
    assert (run.status, run.holder) == ("in_progress", "fast")
    with store.runs.record(thread, run.id, holder="fast", take_over=True, fence=run.fence) as again:
        again.text("Noon.")
    assert [text for _, text, _ in said(store, thread)] == ["When?", "Noon."]


def test_a_run_that_cannot_begin_leaves_nothing(store, thread):
    waiting = store.runs.create(thread).id
    version = store.threads.get(thread).version
    for begin, error in (
        (lambda: store.runs.record(thread), Refused),
        (lambda: store.runs.record(thread, f"run_{'0' * 32}"), RunNotFound),
        (lambda: store.runs.record(thread, waiting, fence=3), LeaseLost),
        (lambda: store.runs.record(thread, waiting, model="m"), InvalidInput),
        (lambda: store.runs.record(thread, lease_seconds="long"), InvalidInput),
    ):
        with pytest.raises(error), begin():
            pass
    assert store.threads.get(thread).version == version
    assert store.runs.get(thread, waiting).status == "queued"
    with store.runs.record(thread, on_busy="interrupt") as run:
        run.text("Now.")
    assert store.runs.get(thread, waiting).status == "cancelled"


@pytest.fixture
async def async_store():
    async with AsyncConversationStore.open("sqlite://") as opened:
        yield opened


async def test_the_same_in_a_task(async_store):
    store = async_store
    thread = (await store.threads.create()).id
    async with store.runs.record(thread, holder="loop", lease_seconds=0.03) as run:
        await run.text("Let me look.")
        run.tool_call("c1", "clock")
        await run.tool_result("c1", "noon")
        first = (await store.runs.get(thread, run.id)).lease_ends_at
        while (await store.runs.get(thread, run.id)).lease_ends_at == first:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert len((await run.context()).messages) == 2
        await run.text("Noon.")
    assert (await store.runs.get(thread, run.id)).status == "completed"
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_task_keeps_what_it_said(async_store):
    store = async_store
    thread = (await store.threads.create()).id
    said = asyncio.Event()

    async def loop():
        async with store.runs.record(thread) as run:
            await run.text("It is ")
            await run.text("n")
            said.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(loop())
    await said.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [run] = (await store.runs.list(thread)).data
    [message] = (await store.messages.list(thread)).data
    assert (run.status, message.text, message.status) == ("cancelled", "It is n", "incomplete")


async def test_a_task_is_cancelled_at_any_of_its_waits(async_store):
    store = async_store

    async def loop(thread):
        async with store.runs.record(thread, lease_seconds=0.03) as run:
            for delta in ("It ", "is "):
                await run.text(delta)
            run.tool_call("c1", "clock")
            await run.tool_result("c1", "noon")
            await run.text("noon.")

    turns, ends = 0, set()
    while "completed" not in ends:
        thread = (await store.threads.create()).id
        task = asyncio.create_task(loop(thread))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        for run in (await store.runs.list(thread)).data:
            if run.lease_ends_at is not None:  # cancelled while it began: found by its lease
                taken = await store.runs.start(thread, run.id, take_over=True, fence=run.fence)
                await store.runs.fail(thread, run.id, fence=taken.fence)
                continue
            ends.add(run.status)
        assert (await store.runs.list(thread, status=["queued", "in_progress"])).data == ()
        turns += 1
    assert "cancelled" in ends
    assert (await store.projections.compare()).ok


def deltas(events, length):
    """The text that a reader sees, up to a length."""
    seen = ""
    for event in events:
        seen += event.text if event.type == "message.delta" else ""
        if len(seen) >= length:
            return seen
    return seen


def test_text_is_shown_when_its_time_has_come_although_no_more_is_said(store, thread):
    with store.runs.record(thread) as run:
        run.text("It is ")
        run.text("noon.")  # too soon after the first to be shown with it
        assert deltas(store.runs.stream(thread, run.id), 11) == "It is noon."
        run.text(" Or ")
        run.text("later.")
        assert deltas(store.runs.stream(thread, run.id), 21) == "It is noon. Or later."
    assert said(store, thread)[-1] == ("assistant", "It is noon. Or later.", "completed")


async def test_so_it_is_for_a_task(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread = (await store.threads.create()).id
        async with store.runs.record(thread) as run:
            await run.text("It is ")
            await run.text("noon.")
            seen = ""
            async for event in store.runs.stream(thread, run.id):
                seen += event.text if event.type == "message.delta" else ""
                if seen == "It is noon.":
                    break
