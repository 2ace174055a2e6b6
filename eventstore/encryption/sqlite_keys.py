"""Data keys in a SQLite file of their own, outside the database and its backups."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from eventstore.core.codec import KEY_ID_BYTES
from eventstore.core.events import StreamKey
from eventstore.encryption.data_keys import WrappedKey
from eventstore.encryption.key_table import KeyTable
from eventstore.errors import InvalidInput, KeyUnavailable

__all__ = ["SqliteKeys"]

_STORE: Final = "CREATE TABLE IF NOT EXISTS key_store (id BLOB PRIMARY KEY NOT NULL) WITHOUT ROWID"
_KEYS: Final = (
    "CREATE TABLE IF NOT EXISTS data_keys (key_id BLOB PRIMARY KEY NOT NULL, tenant TEXT NOT NULL,"
    " kind TEXT NOT NULL, owner BLOB NOT NULL, generation INTEGER NOT NULL, master TEXT NOT NULL,"
    " wrapped BLOB, uses INTEGER NOT NULL) WITHOUT ROWID"
)
_OWNERS: Final = (
    "CREATE UNIQUE INDEX IF NOT EXISTS data_keys_by_owner"
    " ON data_keys (tenant, kind, owner, generation)"
)
_BUSY_SECONDS: Final = 30.0


class SqliteKeys:
    """Keeps data keys in a SQLite file; made when the first key is. Keeps ``DataKeyStore``.

    Give it a path outside the directories that the database's backups copy: a backup is dead once
    the keys of its content are destroyed, and a copied key store would bring them back.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open nothing yet.

        Raises:
            InvalidInput: ``path`` is no path of a file.
        """
        try:
            self._path = Path(path).absolute()
        except TypeError:
            raise InvalidInput("path", "is no path", "Give the path of a file.") from None
        if not str(path) or str(path) == ":memory:":
            raise InvalidInput("path", "names no file", "Keys must outlive the process.")
        # A reentrant lock: a signal handler may run in the middle of a call, and write.
        self._lock = threading.RLock()
        _VAULTS.add(self)
        self._open: tuple[int, sqlite3.Connection] | None = None
        """The process that opened the connection, and the connection."""

    @property
    def id(self) -> bytes | None:
        if not self._path.is_file():
            return None
        with self._table() as (_, driver):
            row = driver.execute("SELECT id FROM key_store").fetchone()
            return None if row is None else bytes(row[0])

    def make(self) -> None:
        """Make the file, if it does not exist."""
        with self._table(make=True):
            return

    def newest(self, owner: StreamKey) -> WrappedKey | None:
        with self._table() as (table, _):
            return table.newest(owner)

    def get(self, key_ids: Sequence[bytes]) -> list[WrappedKey]:
        with self._table() as (table, _):
            return table.get(key_ids)

    def put(self, key: WrappedKey) -> bool:
        with self._table() as (table, _):
            return table.put(key)

    def reserve(self, key_id: bytes, uses: int, most: int) -> bool:
        with self._table() as (table, _):
            return table.reserve(key_id, uses, most)

    def page(self, after: bytes, most: int) -> list[WrappedKey]:
        with self._table() as (table, _):
            return table.page(after, most)

    def replace(self, old: WrappedKey, new: WrappedKey) -> bool:
        with self._table() as (table, driver):
            replaced = table.replace(old, new)
            _wipe(driver)
            return replaced

    def destroy(self, owner: StreamKey, generation: int) -> int:
        with self._table() as (table, driver):
            gone = table.destroy(owner, generation)
            _wipe(driver)
            return gone

    def destroy_tenant(self, tenant: str) -> int:
        with self._table() as (table, driver):
            gone = table.destroy_tenant(tenant)
            _wipe(driver)
            return gone

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            opened, self._open = self._open, None
            if opened is not None and opened[0] == os.getpid():
                opened[1].close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # of one that was refused before it was made
            self._drop()

    @contextmanager
    def _table(self, *, make: bool = False) -> Iterator[tuple[KeyTable, sqlite3.Connection]]:
        """Lend the table; each statement is its own durable transaction.

        Raises:
            KeyUnavailable: the file is not there, or is no key store.
        """
        with self._lock:
            try:
                driver = self._connected(make=make)
                yield KeyTable(_Statements(driver)), driver
            except sqlite3.Error as error:
                self._drop()
                raise KeyUnavailable(
                    "the store", f"the key store cannot be used ({type(error).__name__})"
                ) from None

    def _connected(self, *, make: bool) -> sqlite3.Connection:
        if self._open is not None and self._open[0] == os.getpid():
            if self._path.is_file():
                return self._open[1]
            self._drop()
        if not make and not self._path.is_file():
            raise KeyUnavailable("the store", f"there is no key store {str(self._path)!r}")
        driver = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            for text in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                driver.execute(f"PRAGMA {text}")
            if make:
                self._made(driver)
        except sqlite3.Error:
            driver.close()
            raise
        self._open = os.getpid(), driver
        return driver

    def _made(self, driver: sqlite3.Connection) -> None:
        with suppress(OSError):
            self._path.chmod(0o600)
        driver.execute("BEGIN IMMEDIATE")
        for text in (_STORE, _KEYS, _OWNERS):
            driver.execute(text)
        driver.execute(
            "INSERT INTO key_store (id) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM key_store)",
            (os.urandom(KEY_ID_BYTES),),
        )
        driver.execute("COMMIT")

    def _forget_in_child(self) -> None:
        """Leave the parent's connection alone, and a lock that one of its threads may hold."""
        self._lock = threading.RLock()
        self._open = None

    def _drop(self) -> None:
        opened, self._open = self._open, None
        if opened is not None and opened[0] == os.getpid():
            with suppress(sqlite3.Error):
                opened[1].close()


_VAULTS: Final[weakref.WeakSet[SqliteKeys]] = weakref.WeakSet()


def _after_fork() -> None:
    for vault in list(_VAULTS):
        vault._forget_in_child()  # noqa: SLF001 (this module's own)


os.register_at_fork(after_in_child=_after_fork)


class _Statements:
    """Runs the SQL of :class:`KeyTable` on a file of keys."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._driver.execute(_named(sql), tuple(parameters)).fetchall()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._driver.execute(_named(sql), tuple(parameters)).rowcount


def _named(sql: str) -> str:
    return sql.replace("{data_keys}", "data_keys")


def _wipe(driver: sqlite3.Connection) -> None:
    """Cut the write-ahead log off, which still holds what was overwritten."""
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
