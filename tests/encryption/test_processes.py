"""Several processes use the same keys, and may die at any moment."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

from eventstore import ConversationStore
from eventstore.core import ids
from eventstore.core.codec import SUBJECT
from eventstore.core.events import StreamKey
from eventstore.encryption.sealed_codec import SealedCodec
from tests.encryption.vaults import in_a_file, in_the_database

ALICE = StreamKey("", SUBJECT, ids.derived("subject", "", "alice"))
VAULTS: dict[str, Any] = {"file": in_a_file, "table": lambda _: in_the_database()}
SPAWNED = multiprocessing.get_context("spawn")


def opened(place, vault):
    encryption = VAULTS[vault](place)
    return ConversationStore.open(f"sqlite:///{place}/chat.db", encryption=encryption)


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


def keys_of(place, vault):
    """Return owner's kind and generation of every key, as the key store has them."""
    file = "keys.db" if vault == "file" else "chat.db"
    with closing(sqlite3.connect(place / file)) as database:
        return database.execute("SELECT kind, owner, generation, uses FROM data_keys").fetchall()


# -- the same key made by many ---------------------------------------------------------------------


def say_at_once(place, vault, thread, number, ready):
    with opened(place, vault) as store:
        ready.wait()
        store.messages.create(thread, role="user", content=f"by {number}", subject="alice")


@pytest.mark.parametrize("vault", ["file", pytest.param("table", marks=pytest.mark.long)])
def test_processes_that_make_the_same_key_at_once_agree_on_one(tmp_path, vault):
    with opened(tmp_path, vault) as store:
        thread = store.threads.create().id
    ready = SPAWNED.Barrier(3)
    arguments = [(tmp_path, vault, thread, number, ready) for number in range(3)]
    processes = [SPAWNED.Process(target=say_at_once, args=one) for one in arguments]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    assert [one.exitcode for one in processes] == [0, 0, 0]
    with opened(tmp_path, vault) as store:
        assert sorted(texts(store, thread)) == ["by 0", "by 1", "by 2"]
        assert len([kind for kind, *_ in keys_of(tmp_path, vault) if kind == SUBJECT]) == 1


@pytest.mark.parametrize("vault", VAULTS)
def test_threads_that_make_the_same_key_at_once_agree_on_one(tmp_path, vault):
    with opened(tmp_path, vault) as store:
        thread = store.threads.create().id
        ready = threading.Barrier(8)

        def say(number):
            ready.wait()
            store.messages.create(thread, role="user", content=f"by {number}", subject="alice")

        workers = [threading.Thread(target=say, args=(number,)) for number in range(8)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        assert sorted(texts(store, thread)) == [f"by {number}" for number in range(8)]
    assert len([kind for kind, *_ in keys_of(tmp_path, vault) if kind == SUBJECT]) == 1


# -- killed ----------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from tests.encryption.test_processes import opened

place, vault, kill = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if kill:
    from tests.encryption.test_processes import die_while_sealing
    die_while_sealing()
with opened(place, vault) as store:
    for number in range(10_000):
        thread = store.threads.create(title=f"thread {number}").id
        store.messages.create(thread, role="user", content=f"of {number}", subject=f"u{number}")
        print(thread, number, flush=True)
"""


def die_while_sealing():
    """Kill this process when it is about to use its first key: that is stored, nothing else is."""

    def seal(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    SealedCodec.seal = seal  # type: ignore[method-assign]


def write_and_die(place, vault, count):
    """Let a process write until it has told of so many threads, and kill it; return those."""
    command = [sys.executable, "-c", WRITER, str(place), vault, "" if count else "kill"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [line.split() for line in islice(process.stdout, count)]
        if count:
            process.kill()
            told += [line.split() for line in process.stdout if line.endswith("\n")]
    return told


@pytest.mark.parametrize("vault", ["file", pytest.param("table", marks=pytest.mark.long)])
def test_a_process_that_dies_between_a_key_and_its_commit_leaves_nothing_unreadable(
    tmp_path, vault
):
    with opened(tmp_path, vault) as store:
        thread = store.threads.create().id
    assert write_and_die(tmp_path, vault, 0) == []
    kept = keys_of(tmp_path, vault)
    assert kept  # the keys that nothing was sealed with
    with opened(tmp_path, vault) as store:
        assert [one.id for one in store.threads.list()] == [thread]
        store.messages.create(thread, role="user", content="goes on")
        assert texts(store, thread) == ["goes on"]
        assert store.audit.verify().findings == ()


@pytest.mark.parametrize("vault", [pytest.param("file", marks=pytest.mark.long), "table"])
@pytest.mark.parametrize("count", [3, pytest.param(40, marks=pytest.mark.long)])
def test_whatever_a_killed_process_acknowledged_can_be_read(tmp_path, vault, count):
    told = write_and_die(tmp_path, vault, count)
    assert len(told) >= count
    with opened(tmp_path, vault) as store:
        for thread, number in told:
            assert texts(store, thread) == [f"of {number}"]
        titles = [one.title for one in store.threads.list(limit=None)]
        assert titles == [f"thread {number}" for number in range(len(titles))]
        assert store.audit.verify().findings == ()


# -- counting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vault", VAULTS)
def test_uses_are_counted_before_they_happen_and_a_full_key_is_followed_by_another(
    tmp_path, vault, monkeypatch
):
    for name in ("key_ring", "fetching"):
        monkeypatch.setattr(f"eventstore.encryption.{name}.RESERVED", 4)
        monkeypatch.setattr(f"eventstore.encryption.{name}.USES_MAX", 10)
    with opened(tmp_path, vault) as store:
        thread = store.threads.create().id
        for number in range(15):
            store.messages.create(thread, role="user", content=str(number), subject="alice")
            alices = [one for one in keys_of(tmp_path, vault) if one[0] == SUBJECT]
            generations = {generation: uses for _, _, generation, uses in alices}
            # 4 at a time, at most 10: so a key seals 8, and the next one is made.
            assert max(generations) == number // 8 + 1
            assert generations[max(generations)] == (number % 8 // 4 + 1) * 4
        assert texts(store, thread) == [str(number) for number in range(15)]
    with opened(tmp_path, vault) as store:  # which takes a share of its own
        store.messages.create(thread, role="user", content="15", subject="alice")
        assert len(texts(store, thread)) == 16


def test_a_ring_keeps_few_keys_and_asks_again(tmp_path):
    encryption = in_a_file(tmp_path, keys_in_memory=100)
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create().id
        for number in range(150):
            store.messages.create(thread, role="user", content=str(number), subject=str(number))
        assert texts(store, thread) == [str(number) for number in range(150)]
        codec = store.scope.log.codec
        assert isinstance(codec, SealedCodec)
        assert len(codec.ring) == 100


def test_a_key_leaves_memory_after_a_while(tmp_path, monkeypatch):
    """So a key that another process destroyed is forgotten here, too."""
    now = [0.0]
    monkeypatch.setattr("eventstore.encryption.key_ring.time.monotonic", lambda: now[0])
    url, encryption = f"sqlite:///{tmp_path}/chat.db", in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="said", subject="alice")
        assert in_a_file(tmp_path).keys.destroy(ALICE, 1) == 1
        assert texts(store, thread) == ["said"]  # it is still in memory
        now[0] += 301
        assert texts(store, thread) == [""]
        store.messages.create(thread, role="user", content="again", subject="alice")
        assert texts(store, thread) == ["", "again"]


# -- a tenant that another process erased, and wrote to again --------------------------------------


@pytest.mark.parametrize("vault", VAULTS)
def test_words_are_found_at_once_after_another_process_erased_the_tenant(tmp_path, vault):
    """Stores share nothing but their files, so another store stands for another process."""
    with opened(tmp_path, vault) as here, opened(tmp_path, vault) as there:
        old = here.threads.create(metadata={"user": "1"}).id
        assert [one.id for one in there.threads.list(metadata={"user": "1"})] == [old]
        for _ in range(2):
            here.tenants.erase("")
            assert not [*there.threads.list(metadata={"user": "1"})]
            new = here.threads.create(metadata={"user": "1"}).id
            said = here.messages.create(new, role="user", content="hello", external_id="e-1")
            here.branches.label(new, said.id, "good")
            assert [one.id for one in there.threads.list(metadata={"user": "1"})] == [new]
            assert there.messages.get(new, external_id="e-1").id == said.id
            assert there.replay.state(new).labels == {"good": said.id}
            assert [one.label for one in there.branches.list(new)] == ["good"]
            assert there.messages.list(new, branch="good").data == (said,)
