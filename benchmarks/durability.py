"""Proof that what was timed was durable: the pragmas of every SQLite connection.

A commit that is not synced is many times faster than one that is, so a careless default in one
library decides a whole table. Therefore `install()`, called before any contender is imported,
puts a thin cover over `sqlite3.connect`. Each connection is read twice: when it is opened and
when it is closed or its figures are about to be used, whichever comes first. A limit's or a
peer's connection is set to WAL and `synchronous=FULL` first; ours is only read, since setting its
own pragmas is part of its work.

Connections are opened with `check_same_thread=False`, so that the reading can be done from here
once their own threads are at rest. What this cannot see, a connection made without
`sqlite3.connect`, shows as a contender without connections and is refused as well.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
DURABLE = {("wal", 2), ("wal", 3)}

_plain_connect = sqlite3.connect


class NotDurableError(Exception):
    """A contender's figures were taken on connections that do not sync each commit."""


@dataclass(slots=True)
class Watch:
    """The pragmas read on the connections to the files below one folder."""

    folder: Path
    force: bool
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    living: weakref.WeakSet[sqlite3.Connection] = field(default_factory=weakref.WeakSet)

    def opened(self, connection: sqlite3.Connection) -> None:
        """Take a fresh connection under watch."""
        if self.force:
            _execute(connection, "PRAGMA journal_mode=WAL")
            _execute(connection, "PRAGMA synchronous=FULL")
        self.living.add(connection)

    def closing(self, connection: sqlite3.Connection) -> None:
        """Read a connection for the last time."""
        if connection in self.living:
            self.living.discard(connection)
            self.seen[_settings(connection)] += 1

    def verdict(self) -> str:
        """Say in a few words how durable all connections were, or refuse."""
        found = self.seen + Counter(_settings(connection) for connection in list(self.living))
        if not found:
            raise NotDurableError("no SQLite connection was seen, so its pragmas are unknown")
        for journal, synchronous in found:
            if (journal, synchronous) not in DURABLE:
                mode = SYNCHRONOUS.get(synchronous, str(synchronous))
                raise NotDurableError(
                    f"a connection runs with journal_mode={journal}, synchronous={mode}; "
                    "durable means WAL and FULL"
                )
        return f"WAL, FULL on {found.total()} connection{'s' * (found.total() > 1)}"


class _Watched(sqlite3.Connection):
    """A connection which is read before it closes."""

    watch: Watch | None = None

    @override
    def close(self) -> None:
        if self.watch is not None:
            self.watch.closing(self)
        super().close()


_watches: list[Watch] = []
_guard = threading.Lock()


def watch(folder: Path, *, force: bool) -> Watch:
    """Watch the connections to files below `folder` from now on."""
    begun = Watch(folder.resolve(), force)
    with _guard:
        _watches.append(begun)
    return begun


def unwatch(folder: Path) -> None:
    """Stop watching all that is below `folder`."""
    with _guard:
        _watches[:] = [one for one in _watches if not one.folder.is_relative_to(folder.resolve())]


def install() -> None:
    """Cover `sqlite3.connect`. To be called once, before any contender is imported."""
    sqlite3.connect = _connect  # type: ignore[assignment]
    sqlite3.dbapi2.connect = _connect  # type: ignore[assignment]


@functools.wraps(_plain_connect)
def _connect(*args: Any, **options: Any) -> sqlite3.Connection:
    made = options.get("factory", sqlite3.Connection)
    options["factory"] = _watched_kind(made)
    options["check_same_thread"] = False
    connection: sqlite3.Connection = _plain_connect(*args, **options)
    found = _watch_of(connection)
    if found is not None and isinstance(connection, _Watched):
        connection.watch = found
        found.opened(connection)
    return connection


@functools.cache
def _watched_kind(made: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    if made is sqlite3.Connection:
        return _Watched
    if isinstance(made, type):
        return type(f"Watched{made.__name__}", (_Watched, made), {})
    return made


def _watch_of(connection: sqlite3.Connection) -> Watch | None:
    file = _execute(connection, "PRAGMA database_list")[2]
    if not _watches or not file:
        return None
    path = Path(str(file)).resolve()
    return next((each for each in _watches if path.is_relative_to(each.folder)), None)


def _settings(connection: sqlite3.Connection) -> tuple[str, int]:
    journal = _execute(connection, "PRAGMA journal_mode")[0]
    synchronous = _execute(connection, "PRAGMA synchronous")[0]
    return str(journal), int(synchronous)


def _execute(connection: sqlite3.Connection, statement: str) -> tuple[Any, ...]:
    row = sqlite3.Connection.execute(connection, statement).fetchone()
    return tuple(row) if row is not None else ()
