"""Several processes on one file: what was acknowledged is kept, whoever dies meanwhile."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from eventstore import ConversationStore, StoreBusy
from tests.concurrency.schedules import SECONDS, Child, at_once, outcome, signals

PROJECT = Path(__file__).parents[2]
THREADS = 8
PROCESSES = 4
MESSAGES = int(os.environ.get("EVENTSTORE_TORTURE", "1000"))
"""To each thread, by each process: `EVENTSTORE_TORTURE=2000 make pytest PYTEST="-k killed"`."""


class Process:
    """A Python process of ours whose lines arrive in a list; after the block it is gone.

    It may take as long as it goes on writing lines: how fast it is depends on the machine.
    """

    def __init__(self, *arguments):
        self.lines = []
        self._more = threading.Condition()
        self._process: Any = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Leave nothing to those after a test that failed: no process, and no open pipe."""
        self.kill()
        self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            with self._more:
                self.lines.append(line.decode().split())
                self._more.notify_all()

    def wait_for_lines(self, count):
        with self._more:
            while (so_far := len(self.lines)) < count:
                more = self._more.wait_for(partial(self._has_more_than, so_far), SECONDS)
                assert more, f"it stopped after {so_far} lines"

    def _has_more_than(self, count):
        return len(self.lines) > count

    def kill(self):
        self._process.send_signal(signal.SIGKILL)

    def wait(self):
        """Wait until it has ended by itself or was killed; return how."""
        while self._reader.is_alive():
            so_far = len(self.lines)
            self._reader.join(SECONDS)
            ended = not self._reader.is_alive()
            assert ended or self._has_more_than(so_far), f"it stopped after {so_far} lines"
        return self._process.wait(SECONDS)


@pytest.mark.timeout(300 + MESSAGES // 4)
def test_killed_in_the_middle_nothing_acknowledged_is_lost_or_doubled(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url) as store:
        threads = [store.threads.create().id for _ in range(THREADS)]
    began = time.monotonic()
    command = ("-m", "tests.concurrency.torture", url)
    with ExitStack() as started:
        processes = [
            started.enter_context(Process(*command, f"p{number}", str(MESSAGES), *threads))
            for number in range(PROCESSES)
        ]
        victim = processes[1]
        victim.wait_for_lines(THREADS * MESSAGES // 3)
        victim.kill()
        codes = [process.wait() for process in processes]
    took = time.monotonic() - began
    assert codes == [0, -signal.SIGKILL, 0, 0]

    acknowledged = [line for process in processes for line in process.lines]
    for process in processes:
        assert process is victim or len(process.lines) == THREADS * MESSAGES
    with ConversationStore.open(url) as store:
        stored, positions, versions = {}, [], defaultdict(list)
        for event in store.events.read_all():
            positions.append(event.position)
            versions[event.stream_id].append(event.version)
        assert positions == sorted(set(positions))
        paths = {key: list(store.messages.list(key)) for key in threads}
        for key, live in paths.items():
            stored.update({m.id: (key, m.id, str(m.version), m.text) for m in live})
            assert versions[key] == list(range(1, len(live) + 2)), "a gap or a double"
            assert [m.parent_id for m in live] == [None, *[m.id for m in live[:-1]]]
        one = threads[0]  # the others are folded, too, to be compared
        replayed = store.replay.state(one).messages
        assert [(m.id, m.text) for m in replayed] == [(m.id, m.text) for m in paths[one]]
        lost = [line for line in acknowledged if stored.get(line[1]) != tuple(line)]
        assert lost == []
        texts = [text for *_, text in stored.values()]
        assert len(texts) == len(set(texts)), "doubled"
        silent = set(texts) - {text for *_, text in acknowledged}
        assert all(text.startswith("p1.") for text in silent), (
            "only the killed one's may be unheard"
        )
        assert len(silent) <= 64, "more than its tasks had under way"
        assert store.projections.compare().findings == ()
    print(f"\n{len(stored)} messages in {took:.1f} s, {len(silent)} written and unheard")  # noqa: T201
    with sqlite3.connect(tmp_path / "chat.db") as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()


def test_ten_processes_open_a_fresh_file_at_once(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    with signals(2) as (ready, go):

        def act():
            ready.give()
            go.wait()
            with ConversationStore.open(url) as store:
                thread_id = store.threads.create().id
                store.messages.create(thread_id, role="user", content="first")
                assert [m.text for m in store.messages.list(thread_id)] == ["first"]

        children = [Child(act) for _ in range(10)]
        for _ in children:
            ready.wait()
        for _ in children:
            go.give()
        assert [child.wait() for child in children] == [0] * 10
    with ConversationStore.open(url) as store:
        report = store.projections.compare()
        assert (report.threads, report.findings) == (10, ())


def test_a_foreign_process_that_holds_the_lock_makes_writers_busy_and_readers_not(tmp_path):
    def hold():
        connection = sqlite3.connect(tmp_path / "chat.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        held.give()
        enough.wait()
        connection.execute("ROLLBACK")

    url = f"sqlite:///{tmp_path}/chat.db"
    with (
        signals(2) as (held, enough),
        ConversationStore.open(url, busy_timeout_seconds=0.1) as store,
    ):
        thread_id = store.threads.create().id
        holder = Child(hold)
        held.wait()

        def attempt(number):
            return outcome(
                lambda: store.messages.create(thread_id, role="user", content=str(number))
            )

        began = time.monotonic()
        errors = at_once(4, attempt)
        assert time.monotonic() - began < SECONDS / 3, "busy_timeout_seconds was not kept"
        assert [type(error) for error in errors] == [StoreBusy] * 4
        assert "connection=" in str(errors[0])
        assert len(store.messages.list(thread_id)) == 0, "readers do not wait for writers"
        enough.give()
        assert holder.wait() == 0
        store.messages.create(thread_id, role="user", content="now")
        assert [m.text for m in store.messages.list(thread_id)] == ["now"]
        assert store.threads.get(thread_id).version == 2


def test_readers_in_other_processes_see_one_snapshot_each_time(tmp_path):
    url, last = f"sqlite:///{tmp_path}/chat.db", 200
    with signals(1) as (ready,), ConversationStore.open(url) as store:
        thread_id = store.threads.create().id

        def read():
            ready.give()
            seen = 0
            while seen < last:
                path = store.messages.list(thread_id).data
                assert [m.parent_id for m in path] == [None, *[m.id for m in path]][: len(path)]
                assert len(path) >= seen, "went back"
                replayed = store.replay.state(thread_id, at_version=len(path) + 1)
                assert [m.id for m in replayed.messages] == [m.id for m in path]
                positions = [event.position.sequence for event in store.events.read_all()]
                assert positions == list(range(1, len(positions) + 1)), "one came in later"
                assert store.projections.compare().findings == ()
                seen = len(path)

        readers = [Child(read) for _ in range(3)]
        for _ in readers:
            ready.wait()

        def write(_):
            for _ in range(last // 4):
                store.messages.create(thread_id, role="user", content="x")

        at_once(4, write)
        assert [reader.wait() for reader in readers] == [0, 0, 0]
