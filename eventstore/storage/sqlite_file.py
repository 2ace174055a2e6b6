"""The file behind a SQLite store: whether it still stands where it was opened.

A connection keeps the file that it opened, also when that is renamed or removed and another one is
put in its place. Writes would then go to a file that nobody finds again. One ``stat`` costs 2 µs.

Bytes that are copied over the open file (``cp``) are not noticed here: it stays the same file.
SQLite has no defence against that either.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from eventstore.errors import StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["OpenedFile"]


class OpenedFile:
    """Where one store's database stands, and which file that is."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.path: str | None = None
        """None in memory."""
        self._identity: tuple[int, int] | None = None

    def note(self, connection: Connection) -> None:
        """Take note of the file that a connection has just opened; there is none in memory."""
        path: str = connection.exec_driver_sql("PRAGMA database_list").fetchall()[0][2]
        self.path = path or None
        self._identity = self._found()

    def check(self) -> None:
        """Hold that the file is still there.

        Raises:
            StoreUnavailable: ``"restored"``.
        """
        if self.path is not None and self._found() != self._identity:
            raise StoreUnavailable(
                "restored",
                "the database file was removed or exchanged for another while the store had it"
                " open",
                "Close the store and open it again, once the right file is in place.",
            )

    def _found(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = os.stat(self.path)  # noqa: PTH116 (on the way of each transaction: half the time)
        except OSError:
            return None
        return found.st_dev, found.st_ino
