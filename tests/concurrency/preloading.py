"""Programs that have a file open and fork, run as processes of their own: what their children do at
the end of an interpreter cannot be looked at in a child of pytest's.

``python -m tests.concurrency.preloading exits folder`` and so on; what is printed is looked at.
"""

import gc
import json
import multiprocessing
import os
import signal
import sqlite3
import sys
from pathlib import Path

from eventstore import ConversationStore
from tests.concurrency.schedules import SECONDS

ROWS = 2_000
"""So many that pages of an open transaction are on disk: a rollback would touch what is shared."""


def say(*things):
    """Print for the test that looks at it."""
    sys.stdout.write(" ".join(map(str, things)) + "\n")
    sys.stdout.flush()


def forked(act):
    """Fork a child that ends as an interpreter does; its status."""
    process = os.fork()
    if process == 0:
        act()
        sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def exits(folder):
    """Children end inside a transaction of the parent's, on a connection of the application's.

    One drops its connection first, one has the parent's objects frozen, and one just ends.
    """
    for journal in ("wal", "delete"):
        path = f"{folder}/{journal}.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, words TEXT)")
        connection.execute("BEGIN IMMEDIATE")
        held = {"connection": connection}
        rows = ((n, "x" * 500) for n in range(ROWS))
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        del connection

        def drop(held=held):
            held.clear()
            gc.collect()

        codes = [forked(drop), forked(lambda: None)]
        gc.freeze()
        codes.append(forked(drop))
        gc.unfreeze()
        held["connection"].execute("COMMIT")
        held["connection"].close()
        with sqlite3.connect(path) as again:
            counted = again.execute("SELECT count(*) FROM t").fetchone()
            checked = again.execute("PRAGMA integrity_check").fetchone()
            say(journal, codes, *counted, *checked)
        again.close()


def server(folder):
    """A master opens a store, forks workers, ends one of them and forks another while they write.

    As gunicorn does with --preload: a worker gets SIGTERM and ends as an interpreter does.
    """
    store = ConversationStore.open(f"sqlite:///{folder}/chat.db")
    thread_id = store.threads.create().id
    told, tell = os.pipe()
    go_on, let_go_on = os.pipe()

    def work():
        signal.alarm(SECONDS)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            made = store.messages.create(thread_id, role="user", content=str(os.getpid()))
            os.write(tell, f"{made.id}\n".encode())
            os.read(go_on, 1)

    def started():
        process = os.fork()
        if process == 0:
            work()
        return process

    acknowledged: list[str] = []

    def hear(count):
        for _ in range(count):
            os.write(let_go_on, b".")
        while len(acknowledged) < count + heard[-1]:
            acknowledged.extend(os.read(told, 4096).decode().split())
        heard.append(len(acknowledged))

    heard = [0]
    workers = [started() for _ in range(3)]
    hear(20)
    store.messages.create(thread_id, role="user", content="the master")
    os.kill(workers[0], signal.SIGTERM)
    codes = [os.waitstatus_to_exitcode(os.waitpid(workers.pop(0), 0)[1])]
    workers.append(started())
    hear(20)
    store.close()  # the last connection of the master deletes the log, if it is the last of all
    hear(20)
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
    say(json.dumps({"codes": codes, "thread": thread_id, "acknowledged": acknowledged}))


def processes(folder):
    """``multiprocessing``: a fork, a pool, and a fork server that imports what opens a store."""
    os.environ["PRELOADED"] = f"sqlite:///{folder}/chat.db"
    from tests.concurrency import preloaded  # noqa: PLC0415 (it opens a store)

    codes = []
    multiprocessing.set_forkserver_preload(["tests.concurrency.preloaded"])
    for context in (multiprocessing.get_context("fork"), multiprocessing.get_context("forkserver")):
        method = context.get_start_method()
        started = [
            context.Process(target=preloaded.say, args=(preloaded.thread_id, f"{method} {n}"))
            for n in range(2)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join()
            codes.append(process.exitcode)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.starmap(preloaded.say, [(preloaded.thread_id, f"pool {n}") for n in range(4)])
    texts = [message.text for message in preloaded.store.messages.list(preloaded.thread_id)]
    say(json.dumps({"codes": codes, "texts": texts}))


if __name__ == "__main__":
    signal.alarm(SECONDS)
    {"exits": exits, "server": server, "processes": processes}[sys.argv[1]](Path(sys.argv[2]))
