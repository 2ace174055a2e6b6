"""How Hypothesis is run everywhere, and where tests write.

Hypothesis runs the same examples each time, and new ones with ``LAWS=long``. Its profile is loaded
before any test module is imported, because ``@given`` takes the settings that stand then. A folder
that wants others says so on its tests, and leaves these alone.
"""

import gc
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from eventstore.storage.sqlite import SqliteDatabase
from tests.effort import Watch

LONG = os.environ.get("LAWS") == "long"
"""``make test-long``: laws get many more examples, and tests marked ``long`` run, too."""

settings.register_profile(
    "tests",
    deadline=None,
    derandomize=not LONG,
    database=None,
    print_blob=True,
    # Who looks for a planted bug fails on purpose; to explain it takes longer than to find it.
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
settings.load_profile("tests")
if LONG:  # which takes longer than any test has otherwise
    os.environ.setdefault("PYTEST_TIMEOUT", "0")

MEMORY = Path("/dev/shm")
ROOM_BYTES = 3 * 2**30
"""Several times what the servers and files of all tests ever take at once."""


def pytest_configure():
    """Write to memory where there is room, unless ``$TMPDIR`` says where.

    Thousands of small files are made and removed, which costs a disk more than what is tested. No
    test loses anything by it: they kill processes, whose files the kernel keeps on either, and
    never the machine. That files are synced is seen in the calls, which are made all the same.
    """
    if "TMPDIR" not in os.environ and has_room(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)  # for workers and children, too


def has_room(folder):
    """Tell whether all tests can write there, and run a server that was copied there."""
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= ROOM_BYTES and not found.f_flag & os.ST_NOEXEC


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked ``long``, unless the long run was asked for."""
    if LONG:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_collection_finish():
    """Spare the collector what all tests share: it would walk through all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def effort(monkeypatch):
    """Counts what an act asks of SQLite, on stores that are opened from now on."""
    watch, prepare = Watch(), SqliteDatabase.prepare

    def prepared(database, connection):
        prepare(database, connection)
        watch.look_at(connection)

    monkeypatch.setattr(SqliteDatabase, "prepare", prepared)
    return watch
