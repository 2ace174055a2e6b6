"""Readers of runs share their looks: a commit costs a store about as much for many as for one."""

import threading
import time

import pytest

from eventstore import ConversationStore

READERS = 30


@pytest.fixture
def store(effort, tmp_path):
    del effort  # it counts on stores that are opened after it
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    with ConversationStore.open(url, readers=READERS) as opened:
        yield opened


def waiting(store):
    return len(store._executor.changed._waiting)  # noqa: SLF001 (nothing else tells that they rest)


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.001)


def begun(store):
    thread = store.threads.create().id
    run = store.runs.create(thread).id
    return store.runs.start(thread, run, holder="somebody")


@pytest.mark.parametrize("kind", ["stream", "wait"])
def test_thirty_readers_ask_a_few_times_for_a_commit_of_another(store, effort, kind):
    runs = [begun(store) for _ in range(READERS)]
    other = store.threads.create().id

    def read(run):
        if kind == "stream":
            list(store.runs.stream(run.thread_id, run.id))
        else:
            store.runs.wait(run.thread_id, run.id)

    readers = [threading.Thread(target=read, args=(run,)) for run in runs]
    for reader in readers:
        reader.start()
    until(lambda: waiting(store) == READERS)

    def commit():
        store.messages.create(other, role="user", content="words")
        until(lambda: waiting(store) == READERS)

    counts = [effort(commit).statements for _ in range(5)]
    for run in runs:
        store.runs.complete(run.thread_id, run.id)
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive()
    assert max(counts) < 2 * READERS, counts  # by itself each of them took four


def test_readers_of_one_run_read_a_piece_once(store, effort):
    run = begun(store)
    told: list[str] = []

    def read():
        told.extend(
            event.text
            for event in store.runs.stream(run.thread_id, run.id)
            if event.type == "message.delta"
        )

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    until(lambda: waiting(store) == READERS)
    pieces, offset, counts = ["a ", "piece ", "of ", "text"], 0, []
    for piece in pieces:

        def show(piece=piece, offset=offset):
            store.runs.write_text(
                run.thread_id, run.id, piece, message_id="msg_" + "1" * 32, offset=offset
            )
            until(lambda: told.count(piece) == READERS and waiting(store) == READERS)

        counts.append(effort(show).statements)
        offset += len(piece)
    store.runs.fail(run.thread_id, run.id)
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive()
    assert all(told.count(piece) == READERS for piece in pieces)
    assert max(counts) < 2 * READERS, counts  # by itself each of them took ten
