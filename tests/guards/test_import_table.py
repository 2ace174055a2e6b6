"""Imports go down only: holds the library to the table in `rooms.py`.

A module imports rooms below its own, and none beside or above it. So data passes through the rooms
in one direction, and a reader knows where to look for a line of code.
"""

from collections.abc import Iterator

import pytest

from tests.guards import rooms
from tests.guards.source import PACKAGE, Module, Reference, imports, modules, uses

# Functions of these rooms take time, ids, chance and every connection as arguments.
PURE = frozenset({"core", "conversation"})

HEIGHT = {room: height for height, layer in enumerate(rooms.LAYERS) for room in layer}

FORBIDDEN_IN_PURE_ROOMS = (
    *("aiosqlite", "alembic", "asyncio", "concurrent", "multiprocessing", "random", "secrets"),
    *("socket", "sqlalchemy", "sqlite3", "subprocess", "threading"),
    *("datetime.date.today", "datetime.datetime.now", "datetime.datetime.today"),
    *("datetime.datetime.utcnow", "os.environ", "os.getenv", "os.getrandom", "os.urandom"),
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter"),
    *("time.perf_counter_ns", "time.sleep", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7"),
)


def room_of(name: str) -> str:
    """The room of a dotted name: `eventstore.core.ids` is in `core`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else PACKAGE


def target_room(name: str) -> str:
    """The room that an import reaches: a public name of the package reaches its `__init__`."""
    room = room_of(name)
    return room if room in HEIGHT or room in _rooms_present() else PACKAGE


def may_import(room: str, other: str) -> bool:
    return room == other or HEIGHT[other] < HEIGHT[room]


def breaches_of_the_table(module: Module) -> Iterator[str]:
    room = room_of(module.name)
    if room not in HEIGHT:
        yield f"{module.name}: {room!r} is no room; add it to LAYERS in {rooms.__file__}"
        return
    for found in imports(module):
        if not _is_ours(found):
            continue
        other = target_room(found.target)
        if other not in HEIGHT:
            yield f"{_place(module, found)} is in {other!r}, no room of the table; add it to LAYERS"
        elif not may_import(room, other):
            yield f"{_place(module, found)}: {room} must not import {other}"


def breaches_of_purity(module: Module) -> Iterator[str]:
    if room_of(module.name) not in PURE:
        return
    for found in dict.fromkeys((*imports(module), *uses(module))):
        if _is_impure(found.target):
            yield f"{_place(module, found)}: a pure room takes this as an argument"


def _is_impure(name: str) -> bool:
    return any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN_IN_PURE_ROOMS)


def _is_ours(found: Reference) -> bool:
    return found.target.partition(".")[0] == PACKAGE


def _place(module: Module, found: Reference) -> str:
    return f"{module.name}, line {found.line}: {found.target}"


def _rooms_present() -> frozenset[str]:
    return frozenset(room_of(module.name) for module in modules())


@pytest.mark.parametrize("page", rooms.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_table_of_rooms_as_it_is(page):
    text = page.read_text(encoding="utf-8")
    assert text == rooms.with_table(text), "python -m tests.guards.rooms"


def test_every_room_of_the_table_exists():
    assert set(HEIGHT) - _rooms_present() == set()


def test_imports_go_down_only():
    assert [breach for module in modules() for breach in breaches_of_the_table(module)] == []


def test_pure_rooms_take_time_ids_and_chance_as_arguments():
    assert [breach for module in modules() for breach in breaches_of_purity(module)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core.ids", "from eventstore.conversation import events"),
        ("core.ids", "from ..storage import tables"),
        ("core.ids", "from eventstore import storage"),
        ("core.ids", "from eventstore import ConversationStore"),
        ("core.ids", "import eventstore.cli.main"),
        ("storage.read", "from eventstore.execution.writer import Writer"),
        ("storage.read", "def late():\n    from ..threads import runner"),
        ("storage.read", "if TYPE_CHECKING:\n    from ..conversation import events"),
        ("storage.read", "import importlib\nimportlib.import_module('eventstore.threads')"),
        ("replay.path", "from ..privacy import purge"),
        ("api.store", "from eventstore.cli import app"),
        ("cli.main", "from eventstore.testing import scenarios"),
        ("elsewhere", "x = 1"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_named(name, text):
    assert len(list(breaches_of_the_table(Module.parse(f"{PACKAGE}.{name}", text)))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core.ids", "import uuid\nfrom . import codec\nfrom ..errors import EventStoreError"),
        ("threads.messages", "from ..storage import tables\nfrom ..conversation import events"),
        ("api.store", "from . import operations\nfrom .connect import connect"),
        ("cli.main", "from eventstore import ConversationStore"),
        ("testing.harness", "from eventstore.cli import main\nfrom eventstore import errors"),
    ],
)
def test_an_import_that_goes_down_passes(name, text):
    assert list(breaches_of_the_table(Module.parse(f"{PACKAGE}.{name}", text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio",
        "import sqlite3 as driver",
        "from sqlalchemy.engine import Connection",
        "from datetime import datetime\nmoment = datetime.now()",
        "import datetime as dt\nmoment = dt.datetime.now(dt.UTC)",
        "from uuid import uuid4",
        "import uuid\nmake = uuid.uuid4",
        "import time as t\nclock = t.time",
        "from os import urandom as chance",
        "import random",
    ],
)
def test_a_clock_or_a_die_in_a_pure_room_is_named(text):
    assert list(breaches_of_purity(Module.parse(f"{PACKAGE}.core.ids", text)))
    assert not list(breaches_of_purity(Module.parse(f"{PACKAGE}.storage.ids", text)))


def test_values_of_time_and_ids_are_welcome_in_a_pure_room():
    text = "import uuid\nfrom datetime import datetime\nx = uuid.UUID(int=1), datetime(1, 1, 1)"
    assert list(breaches_of_purity(Module.parse(f"{PACKAGE}.core.ids", text))) == []
