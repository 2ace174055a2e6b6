"""A write leaves nothing that only the garbage collector would find.

What refers to itself in a circle lives on until the collector runs: each message would then take
fresh memory instead of what the one before it gave back, and collections would grow with writes.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eventstore import AsyncConversationStore, ConversationStore


@contextmanager
def nothing_is_left() -> Iterator[None]:
    """Check that no object of the library is unreachable at the end of the block."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(one).__qualname__ for one in gc.garbage if _is_ours(type(one))}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == set()


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "eventstore"


def write_message(store, thread, count):
    store.messages.create(thread, role="user", content=str(count))


def write_with_key(store, thread, count):
    store.messages.create(thread, role="user", content="x", idempotency_key=str(count))


def edit(store, thread, count):
    store.messages.edit(thread, store.messages.list(thread).data[0].id, content=str(count))


def fork(store, thread, count):
    write_message(store, store.threads.fork(thread).id, count)


def run(store, thread, count):
    write_message(store, thread, count)
    store.runs.cancel(thread, store.runs.create(thread).id)


@pytest.mark.parametrize("act", [write_message, write_with_key, edit, fork, run])
def test_a_write_leaves_none(tmp_path, act):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        thread = store.threads.create().id
        write_message(store, thread, 0)
        act(store, thread, 1)
        with nothing_is_left():
            for count in range(2, 5):
                act(store, thread, count)


async def test_writes_that_share_a_commit_leave_none(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        threads = [(await store.threads.create()).id for _ in range(5)]

        async def write() -> None:
            writes = [store.messages.create(one, role="user", content="x") for one in threads]
            await asyncio.gather(*writes)

        await write()
        with nothing_is_left():
            await write()
