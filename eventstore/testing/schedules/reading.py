"""A reader: receives every event while others write, and checks them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from typing import Final

from eventstore.testing.schedules.connections import Lasting
from eventstore.testing.schedules.findings import Finding
from eventstore.testing.schedules.journals import Journal
from eventstore.testing.schedules.names import Names
from eventstore.testing.schedules.plan import END, Schedule, is_phantom
from eventstore.testing.schedules.protocol import Delivered, LostConnection, Reader

__all__ = ["Reading"]

_PAGES_A_CONNECTION: Final = 500
_FINDINGS_MAX: Final = 10_000
"""The most findings of a reader: with more it gets the same events again and again."""
_OTHERS_LOOKED_UP: Final = 20
"""The most that are looked up: each reads the whole journal."""


class Reading(threading.Thread):
    """One reader in a thread of its own; it ends when it has read everything, or must give up."""

    def __init__(
        self, name: str, make: Callable[[], AbstractContextManager[Reader]], schedule: Schedule
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.seen: Final = Names()
        self.journal: Final = Journal()
        self.findings: Final[list[Finding]] = []
        """The findings about the events it received."""
        self.versions: Final[dict[str, bytearray]] = {}
        """A byte a version for each stream: 1 if the reader received it."""
        self.stalled: bool = False
        self.error: BaseException | None = None
        self._connection = Lasting(make)
        self._chance = Random(f"{schedule.seed}/{name}")  # noqa: S311 (a seed is the point)
        self._page = schedule.page
        self._poll_seconds = schedule.poll_seconds
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """End its time; it has stalled, unless it had come to the end."""
        self._given_up.set()

    def run(self) -> None:
        """Read to the end. An error is kept for the thread that started this one."""
        try:
            self._read()
        except BaseException as error:  # noqa: BLE001 (raised again by the run)
            self.error = error
        finally:
            self._connection.close()

    def _read(self) -> None:
        cursor, pages = None, 0
        while True:
            limit = self._chance.randint(1, self._page)
            found = self._after(cursor, limit)
            known = len(self.seen)
            self.journal.write(found)
            for one in found:
                self._look_at(one)
                cursor = one.cursor
            if len(self.seen) == known and END in self.seen:
                return
            enough = len(self.findings) > _FINDINGS_MAX
            if enough or self._given_up.wait(0 if len(found) == limit else self._poll_seconds):
                self.stalled = True
                return
            pages += 1
            if pages % _PAGES_A_CONNECTION == 0:
                self._connection.close()  # as a subscriber does that goes on after a restart

    def _after(self, cursor: object, limit: int) -> list[Delivered]:
        try:
            return list(self._connection.get().read_after(cursor, limit))
        except LostConnection:
            self._connection.close()
            return []

    def _look_at(self, one: Delivered) -> None:
        if not self.seen.add(one.event_id):
            self._find("doubled", f"{self.name} was told again of {_shown(one)}", one)
            return
        if is_phantom(one.event_id):
            self._find("phantoms", f"{self.name} was told of {_shown(one)}, rolled back", one)
        told = self.versions.get(one.stream)
        if told is None:
            told = self.versions[one.stream] = bytearray()
        if one.version >= len(told):
            told.extend(bytes(one.version + 1 - len(told)))
        elif told[one.version]:
            self._find_duplicate(one)
        else:
            after = f"{self.name} was told of {_shown(one)} after version {len(told) - 1}"
            self._find("reordered", after, one)
        told[one.version] = 1

    def _find_duplicate(self, one: Delivered) -> None:
        """Add the name of the other event of this version, while there are few such findings."""
        names = [one.event_id]
        if len(self.findings) < _OTHERS_LOOKED_UP:
            names += filter(None, [self.journal.first_at(one.stream, one.version)])
        sentence = f"{one.stream} has version {one.version} twice: {' and '.join(sorted(names))}"
        self._find("duplicated", sentence, one, *names[1:])

    def _find(self, kind: str, sentence: str, one: Delivered, *others: str) -> None:
        events = tuple(sorted((one.event_id, *others)))
        reader = "" if kind == "duplicated" else self.name
        self.findings.append(Finding(kind, sentence, events, one.stream, reader))


def _shown(one: Delivered) -> str:
    return f"{one.event_id} ({one.stream}, version {one.version})"
