"""Find files and sockets that a forked child inherited; it must neither use nor close them.

SQLite keeps its locks by file and process. If a file had an open descriptor when a process was
forked, SQLite's library in the child may believe that it is locked, though it is not. A connection
that the child opens to it writes beside the others without a lock, and acknowledged events can
vanish. So the child looks at its descriptors once, before anything else happens, and refuses those
files, by device and inode, as long as it lives; its own children do so, too. Sockets are noted as
well, because two processes cannot share a connection to a server.

``/proc/self/fd`` or ``/dev/fd`` (macOS) lists the descriptors. Where neither exists, each possible
number is tested, up to :data:`_ASKED_MAX`.

Inherited connections stay open until the child ends, and beyond the end of its interpreter: closing
one would roll back, or delete the log, in files that the parent has open.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
from collections.abc import Iterable
from contextlib import suppress
from threading import Thread
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.pool import PoolProxiedConnection

from eventstore.errors import StoreUnavailable
from eventstore.execution.database import Database

__all__ = [
    "keep",
    "look",
    "refuse",
    "refuse_connection",
    "refuse_lent",
    "strand",
    "strand_lent",
]

Identity: TypeAlias = tuple[int, int]
"""Device and inode: the same under every name of a file."""

_LISTS: Final = ("/proc/self/fd", "/dev/fd")
_ASKED_MAX: Final = 65_536
_MAGIC: Final = b"SQLite format 3\0"


class _Inheritance:
    """The inherited files and sockets of this process; empty unless it was forked."""

    def __init__(self) -> None:
        self.files: set[Identity] = set()
        self.sockets: set[Identity] = set()
        self.kept: Final[list[object]] = []
        self.looked: object = None
        """A new object in each child: a connection that bears it was made or checked here."""


_ours: Final = _Inheritance()


def look() -> None:
    """Note the open descriptors. A child calls it before it does anything else."""
    _ours.looked = object()
    of_sqlite = False
    for number in _descriptors():
        try:
            found = os.fstat(number)
        except OSError:  # the descriptor that listed the others
            continue
        identity = (found.st_dev, found.st_ino)
        if stat.S_ISSOCK(found.st_mode):
            _ours.sockets.add(identity)
        elif stat.S_ISREG(found.st_mode) and found.st_nlink:  # nameless: cannot be opened
            _ours.files.add(identity)
            of_sqlite = of_sqlite or _is_of_sqlite(number)
    if of_sqlite:
        keep(*_connections())


def _descriptors() -> Iterable[int]:
    for folder in _LISTS:
        with suppress(OSError):
            itself = os.open(folder, os.O_RDONLY)
            try:
                listed = {int(name) for name in os.listdir(itself)}  # noqa: PTH208
            finally:
                os.close(itself)
            if itself in listed:  # some systems list only the first three
                return listed - {itself}
    most = os.sysconf("SC_OPEN_MAX")
    return range(most if 0 < most < _ASKED_MAX else _ASKED_MAX)


def _is_of_sqlite(number: int) -> bool:
    try:
        return os.pread(number, len(_MAGIC), 0) == _MAGIC
    except OSError:  # open for writing only, which SQLite never does
        return False


def _connections() -> list[object]:
    """Return every object whose finalizer would touch a file, also the application's.

    It walks through all objects, so it runs only if a SQLite file was inherited.
    """
    frozen = gc.get_freeze_count()
    gc.unfreeze()  # a server may freeze objects before it forks; frozen ones are not listed
    kinds = (sqlite3.Connection, PoolProxiedConnection)
    found = [one for one in gc.get_objects() if issubclass(type(one), kinds)]  # proxies run code
    if frozen:
        gc.freeze()
    return found


def keep(*things: object) -> None:
    """Prevent finalizers of these objects in this child, even when its interpreter ends."""
    if not _ours.kept:
        with suppress(ImportError, AttributeError):  # an interpreter without reference counts
            import ctypes  # noqa: PLC0415 (in such a child alone)

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(_ours.kept))
    _ours.kept.extend(things)


def refuse(identity: Identity | None) -> None:
    """Refuse a file or socket that was open when this process was forked.

    Raises:
        StoreUnavailable: ``"forked"``.
    """
    if identity in _ours.sockets:
        raise _was_inherited()
    if identity in _ours.files:
        raise StoreUnavailable(
            "forked",
            "the database file was open when this process was forked, so SQLite could not lock"
            " it here",
            "Close its connections before you fork: dispose of engines, and end transactions;"
            " a store on a URL closes its own connections. Or start this process with spawn"
            " instead of fork.",
        )


def refuse_lent(connection: Connection, database: Database[Any, Any]) -> None:
    """Refuse a lent connection like :func:`refuse_connection`; return it unchanged to its pool."""
    try:
        refuse_connection(connection, database)
    except StoreUnavailable:
        strand_lent(connection)
        raise


def refuse_connection(connection: Connection, database: Database[Any, Any]) -> None:
    """Refuse an application's connection that was inherited or uses an inherited file.

    Each connection is checked once in a child, and never in a process that was not forked.

    Raises:
        StoreUnavailable: ``"forked"``.
    """
    if _ours.looked is None:
        return
    known = connection.info
    if known.get(_LOOKED) is _ours.looked:
        return
    pooled = connection.connection
    if _lost_its_thread(pooled.driver_connection):
        raise _was_inherited()
    refuse(database.identity(pooled))
    known[_LOOKED] = _ours.looked


_LOOKED: Final = "eventstore.forks"


def _lost_its_thread(driver: object) -> bool:
    """Return whether it is aiosqlite's, with its thread in the parent: it would never answer."""
    worker = getattr(driver, "_thread", driver)
    return isinstance(worker, Thread) and not worker.is_alive()


def _was_inherited() -> StoreUnavailable:
    return StoreUnavailable(
        "forked",
        "the connection was made before this process was forked",
        "Create engine and store in the child, and dispose of the engine before you fork.",
    )


# -- connections in use when the process forked
# -----------------------------------------------------


def _nothing(*_: object, **__: object) -> None:
    """Neither close nor roll back anything."""


def _stranded(kind: type) -> type:
    """Return a subclass of a connection that explains its state when used, and ends quietly."""

    def touched(self: object, name: str) -> object:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        if name in {"close", "rollback", "terminate"}:
            return _nothing
        raise _was_inherited()

    return type("Stranded", (kind,), {"__slots__": (), "__getattribute__": touched})


def strand(driver: object) -> None:
    """Make a connection of the store unusable in the child for everyone who still holds it."""
    keep(driver)
    with suppress(TypeError):  # connect_args= asked for a class that cannot be changed
        driver.__class__ = _stranded(type(driver))


def strand_lent(connection: Connection) -> None:
    """Do so with a connection lent by the application's pool, whose driver is of any kind."""
    pooled = connection.connection
    keep(pooled, pooled.dbapi_connection)
    stand_in = _stranded(object)()
    pooled.dbapi_connection = stand_in  # type: ignore[misc]  # the one class that it has sets it
