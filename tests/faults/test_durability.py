"""Durable is asserted, not assumed: a test that only kills passes with syncing off.

Where ``strace`` is installed the syncs themselves are counted; everywhere the settings of each
connection are read back.
"""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.faults import Faults
from tests.concurrency.schedules import at_once

PROJECT = Path(__file__).parents[2]

WRITING = """
import asyncio, os, sys
from eventstore import AsyncConversationStore, ConversationStore
face, url = sys.argv[1:]
async def asynchronous():
    async with AsyncConversationStore.open(url) as store:
        thread_id = (await store.threads.create()).id
        for n in range(10):
            os.write(1, b"asked\\n")
            await store.messages.create(thread_id, role="user", content="x")
            os.write(1, b"acknowledged\\n")
def sync():
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        for n in range(10):
            os.write(1, b"asked\\n")
            store.messages.create(thread_id, role="user", content="x")
            os.write(1, b"acknowledged\\n")
sync() if face == "sync" else asyncio.run(asynchronous())
"""


def traced(tmp_path, face):
    """The calls to sync, and what was said, in their order."""
    log = tmp_path / "strace"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", "trace=fsync,fdatasync,write"]
    command += [sys.executable, "-c", WRITING, face, f"sqlite:///{tmp_path}/chat.db"]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=False, timeout=60)
    if done.returncode != 0 and not (log.exists() and "acknowledged" in log.read_text()):
        pytest.skip("processes may not be traced here")
    return re.findall(r"(?:fsync|fdatasync)\(\d+<[^>]*-wal>|asked|acknowledged", log.read_text())


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("face", ["sync", "async"])
def test_before_each_acknowledgement_the_log_was_synced(tmp_path, face):
    said = traced(tmp_path, face)
    appends = " ".join("sync" if "sync(" in one else one for one in said).split("asked ")[1:]
    assert len(appends) == 10
    assert [append for append in appends if not append.startswith("sync ")] == []


@pytest.mark.parametrize("face", ["sync", "async", "aiosqlite"])
async def test_every_connection_of_ours_is_set_to_sync(tmp_path, face):
    faults = Faults()
    driver = "sqlite+aiosqlite" if face == "aiosqlite" else "sqlite"
    url = f"{driver}:///{tmp_path}/chat.db"
    if face == "sync":
        with ConversationStore.open(url, connect_args=faults.connect_args) as store:
            thread_id = store.threads.create().id
            at_once(6, lambda _: store.messages.list(thread_id))
            looked = settings(faults)
    else:
        async with AsyncConversationStore.open(url, connect_args=faults.connect_args) as other:
            thread_id = (await other.threads.create()).id
            await asyncio.gather(*(other.messages.list(thread_id) for _ in range(6)))
            looked = settings(faults)
    assert len(looked) >= 2, "one writes and one reads"
    assert set(looked) == {("wal", 2, 1)}


def settings(faults):
    """journal_mode, synchronous (2 is FULL) and secure_delete of the connections that are open."""
    names = ("journal_mode", "synchronous", "secure_delete")
    found = []
    for connection in faults.connections:
        with suppress(sqlite3.ProgrammingError):  # closed: one more than the pool keeps
            pragmas = [connection.execute(f"PRAGMA {name}").fetchone() for name in names]
            found.append(tuple(value for (value,) in pragmas))
    return found
