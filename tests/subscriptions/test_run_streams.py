"""A run is read along and waited for from another process: woken by its commits, never by a clock.

Another store on the same database is as far away as another process: it has connections of its own.
The interval at which it would look by itself is one that no test lives to see the end of.
"""

import asyncio
import secrets
import threading
from contextlib import contextmanager

import pytest

from eventstore import AsyncConversationStore, ConversationStore, RunNotFound, StoreClosed
from eventstore.testing.postgres_server import PostgresServer
from tests.subscriptions.ways import FOREVER, PATIENCE_SECONDS, Follower, opened


@pytest.fixture(scope="module")
def server():
    with PostgresServer(durable=False) as started:
        yield started


@pytest.fixture(params=["a file", "psycopg", "asyncpg"])
def place(request, tmp_path):
    """The URL of an empty database and the options to open it with."""
    if request.param == "a file":
        return f"sqlite:///{tmp_path}/chat.db", {}
    server = request.getfixturevalue("server")
    database = server.create_database()
    return server.url(driver=request.param, database=database), {"durability": "as_is"}


@pytest.fixture(params=[ConversationStore, AsyncConversationStore], ids=["sync", "async"])
def stores(request, place):
    """A store that writes, and another one that reads, sync or async."""
    url, options = place
    if request.param is ConversationStore:
        url = url.replace("asyncpg", "psycopg")
    with (
        ConversationStore.open(url.replace("asyncpg", "psycopg"), **options) as writer,
        opened(request.param, url, **options) as reader,
    ):
        yield writer, reader


def started(store):
    thread = store.threads.create(messages=[{"role": "user", "content": "why?"}]).id
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    return thread, run


def read_along(reader, *args, **options):
    """A follower of a run's stream, in a thread or a task."""
    follower, runs = Follower(), reader.store.runs

    def consume():
        try:
            for event in runs.stream(*args, **options):
                follower.take(event)
            follower.end()
        except BaseException as error:  # noqa: BLE001 (the test looks at it)
            follower.end(error)

    async def consume_async():
        try:
            async for event in runs.stream(*args, **options):
                follower.take(event)
            follower.end()
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            follower.end(error)

    if hasattr(reader.way, "loop"):
        asyncio.run_coroutine_threadsafe(consume_async(), reader.way.loop)
    else:
        threading.Thread(target=consume, daemon=True).start()
    return follower


def told(follower):
    return [event.type for event in follower.events]


def test_each_piece_is_told_as_it_is_committed(stores):
    writer, reader = stores
    thread, run = started(writer)
    message = f"msg_{secrets.token_hex(16)}"
    follower = read_along(reader, thread, run, poll_seconds=FOREVER)
    follower.until(2)
    for number in range(3):
        reader.until_waiting()
        writer.runs.write_text(thread, run, f"<{number}>", message_id=message, offset=3 * number)
        follower.until(4 + number)  # told before anything else is written
        assert follower.events[-1].text == f"<{number}>"
    reader.until_waiting()
    fence = writer.runs.start(thread, run, take_over=True).fence
    follower.until(8)
    writer.messages.create(thread, role="assistant", content="again", run_id=run, fence=fence)
    writer.runs.complete(thread, run, fence=fence)
    assert follower.until_error() is None
    assert told(follower)[2:] == [
        *("message.started", "message.delta", "message.delta", "message.delta"),
        *("message.interrupted", "run.taken_over", "message.delta", "message.completed"),
        "run.completed",
    ]


@contextmanager
def waited(reader, *args):
    """Wait for a run in a thread; what came of it is in the list afterwards."""
    came = []

    def act():
        came.append(reader.way.call(reader.store.runs.wait, *args, poll_seconds=FOREVER))

    waiting = threading.Thread(target=act, daemon=True)
    waiting.start()
    yield came
    waiting.join(PATIENCE_SECONDS)
    assert not waiting.is_alive(), "nothing woke it"


def test_a_wait_ends_with_the_commit(stores):
    writer, reader = stores
    thread, run = started(writer)
    with waited(reader, thread, run) as came:
        reader.until_waiting()
        writer.messages.create(thread, role="assistant", content="so", run_id=run)
        reader.until_waiting()
        assert came == []
        writer.runs.fail(thread, run, code="no_luck")
    assert [(one.status, one.error.code) for one in came] == [("failed", "no_luck")]
    call = {"type": "tool_call", "id": "c", "name": "look"}
    run = writer.runs.create(thread).id
    with waited(reader, thread, run) as came:
        writer.runs.start(thread, run)
        writer.messages.create(thread, role="assistant", content=[call], run_id=run)
        writer.runs.require_action(thread, run)
    assert [(one.status, one.required_calls) for one in came] == [("requires_action", ("c",))]


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("completed", lambda runs, *run: runs.complete(*run)),
        ("incomplete", lambda runs, *run: runs.complete(*run, incomplete_reason="max_tokens")),
        ("expired", lambda runs, *run: runs.expire(*run)),
        ("cancelled", lambda runs, *run: (runs.cancel(*run), runs.cancel(*run))),
    ],
)
def test_a_wait_ends_however_a_run_does(tmp_path, status, end):
    with opened(ConversationStore, f"sqlite:///{tmp_path}/chat.db") as reader:
        run = started(reader.store)
        with waited(reader, *run) as came:
            reader.until_waiting()
            end(reader.store.runs, *run)
        assert [one.status for one in came] == [status]


def test_closing_ends_a_reader_and_a_wait(tmp_path):
    with opened(ConversationStore, f"sqlite:///{tmp_path}/chat.db") as reader:
        thread, run = started(reader.store)
        follower = read_along(reader, thread, run, poll_seconds=FOREVER)
        follower.until(2)
        reader.until_waiting()
        reader.store.close()
        assert isinstance(follower.until_error(), StoreClosed)


def test_a_run_that_does_not_exist_is_refused_at_once(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        thread, _ = started(store)
        with pytest.raises(RunNotFound):
            list(store.runs.stream(thread, f"run_{secrets.token_hex(16)}"))
