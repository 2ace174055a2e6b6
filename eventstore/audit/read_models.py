"""Compare read models that follow the log with what the events make of them.

A projection that offers ``contents`` is built anew in memory, in a database of its own, as far as
its tables have come. Then the contents of both are compared by digest. This reads every event of
the store and takes memory in proportion to the tables; the log's own tables are not touched.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final

from eventstore.audit.findings import AuditFinding, finding
from eventstore.core.events import Position, RecordedEvent
from eventstore.read_models.catch_up.definition import Definition
from eventstore.read_models.catch_up.generations import Generation, generations
from eventstore.read_models.catch_up.pages import next_page
from eventstore.read_models.catch_up.tables import Tables, WritableTables
from eventstore.storage.read import StoredEvent
from eventstore.storage.sqlite_transaction import DriverTransaction
from eventstore.storage.transaction import Interned, Naming, Transaction
from eventstore.storage.verified_marks import erased_since
from eventstore.storage.whole_store import START

__all__ = ["ModelCheck"]

_AT_ONCE: Final = 1_000
_FINDINGS_MAX: Final = 20
_DIGEST_BYTES: Final = 16
_STREAM: Final = re.compile(r"[a-z][a-z0-9]{0,31}_[0-9a-f]{32}\Z")
_REMEDY: Final = (
    "store.projections.rebuild(projection=…) makes its tables anew; find out who changed them."
)

Recorded = Callable[[StoredEvent], RecordedEvent]


class ModelCheck:
    """The comparison of one read model, a page of events at a time."""

    def __init__(self, definition: Definition, recorded: Recorded) -> None:
        self.name: Final = definition.name
        self._definition = definition
        self._recorded = recorded
        self._driver = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        shadow = DriverTransaction(self._driver, Naming(), Interned())
        self._shadow = WritableTables(shadow, definition.name, 1, definition.tables, "")
        self._at = START
        definition.create(self._shadow)

    def close(self) -> None:
        """Drop what was built."""
        self._driver.close()

    def page(self, tx: Transaction) -> tuple[list[AuditFinding] | None, bool]:
        """Apply the next events; return findings, and whether it is done.

        The findings are None until it is compared, and if it cannot be: its tables were never made,
        or they still hold what was erased since they were last brought up to date.
        A page that is read again, as the database was lost, goes on from where it was.
        """
        current = self._active(tx)
        if current is None or current.version != self._definition.version:
            return None, True  # it was never run, or its rules changed: it will be built anew
        self._apply(tx, current.position)
        if self._at < current.position:
            return None, False
        if erased_since(tx, current.position):
            return None, True
        tables = Tables(tx, self.name, current.generation, current.tables, "")
        return [*self._compared(tables)], True

    def _active(self, tx: Transaction) -> Generation | None:
        return next((one for one in generations(tx, self.name) if one.status == "active"), None)

    def _apply(self, tx: Transaction, until: Position) -> None:
        found = next_page(tx, self._definition, self._at, _AT_ONCE)
        self._driver.execute("BEGIN")
        for stored in found.events:
            if stored.position <= until:
                self._shadow.tenant = stored.stream.tenant
                self._definition.apply(self._shadow, self._recorded(stored))
        self._driver.execute("COMMIT")
        self._at = found.end if found.broken is None else until

    def _compared(self, tables: Tables) -> Iterator[AuditFinding]:
        there, wanted = self._contents(tables), self._contents(self._shadow)
        differing = [(where, "missing") for key, where in wanted.items() if key not in there]
        differing += [(where, "extra") for key, where in there.items() if key not in wanted]
        for where, how in sorted(set(differing))[:_FINDINGS_MAX]:
            said = "is missing or differs" if how == "missing" else "was made by no event"
            message = f"the projection {self.name}: a row {said}"
            yield finding(where, 0, "projection_differs", message, _REMEDY)

    def _contents(self, tables: Tables) -> dict[bytes, str]:
        """Return a digest of each row, and the stream that it names, or else the projection."""
        contents = self._definition.contents
        assert contents is not None  # noqa: S101 (the caller chose such projections)
        rows: Iterable[tuple[Any, ...]] = contents(tables)
        found: dict[bytes, str] = {}
        for row in rows:
            digest = blake2b(repr(tuple(row)).encode(), digest_size=_DIGEST_BYTES).digest()
            found[digest] = self._named(row)
        return found

    def _named(self, row: tuple[Any, ...]) -> str:
        for value in row:
            if isinstance(value, str) and _STREAM.match(value):
                return value
        return self.name
