"""Servers that open a store, fork their workers, and have them end and started again meanwhile."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eventstore import ConversationStore
from tests.concurrency.schedules import SECONDS, Child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

PROJECT = Path(__file__).parents[2]


def printed(name, folder):
    """What a program of ``preloading`` says, which ends well and warns of nothing."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.concurrency.preloading", name, str(folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_a_child_that_ends_closes_nothing_that_it_inherited(tmp_path):
    """To close the parent's connection would roll back its transaction, which is on disk."""
    said = printed("exits", tmp_path).splitlines()
    assert said == ["wal [0, 0, 0] 2000 ok", "delete [0, 0, 0] 2000 ok"]


def test_what_workers_of_a_preloading_server_were_told_is_kept(tmp_path):
    said = json.loads(printed("server", tmp_path))
    assert said["codes"] == [0] * 4
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        kept = [message.id for message in store.messages.list(said["thread"], limit=1_000)]
        assert set(said["acknowledged"]) <= set(kept)
        assert len(said["acknowledged"]) >= 60
        assert store.projections.compare().findings == ()


def test_processes_that_multiprocessing_forks_use_the_store_of_their_parent(tmp_path):
    context = multiprocessing.get_context("fork")
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        thread_id = store.threads.create().id
        say = store.messages.create
        started = [
            context.Process(target=say, args=(thread_id,), kwargs={"role": "user", "content": text})
            for text in ("one", "two")
        ]
        for process in started:
            process.start()
        say(thread_id, role="user", content="three")
        for process in started:
            process.join(SECONDS)
        assert [process.exitcode for process in started] == [0, 0]
        texts = [message.text for message in store.messages.list(thread_id)]
        assert sorted(texts) == ["one", "three", "two"]


def test_a_runner_that_forks_for_each_test_shares_what_was_set_up_before(tmp_path):
    """The store is opened once; each child is a test that writes, and sees those before it."""
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        thread_id = store.threads.create().id
        for number in range(5):

            def one_test(number=number):
                made = store.messages.create(thread_id, role="user", content=str(number))
                assert store.messages.list(thread_id).data[-1] == made
                assert len(store.messages.list(thread_id)) == number + 1

            assert Child(one_test).wait() == 0
        assert [m.text for m in store.messages.list(thread_id)] == list("01234")


@pytest.mark.long
def test_a_fork_server_and_a_pool_use_what_was_imported_before(tmp_path):
    said = json.loads(printed("processes", tmp_path))
    assert said["codes"] == [0] * 4
    kept = ["fork 0", "fork 1", "forkserver 0", "forkserver 1", *(f"pool {n}" for n in range(4))]
    assert sorted(said["texts"]) == kept
