"""The ledgers of writers: ``writing`` writes them, and ``writers`` reads them meanwhile.

A line for each transaction that has ended: its outcome, when it began and ended, and the names of
its events by stream. A line is written at once and as a whole before the next transaction begins,
so the ledger of a killed process has every answer that it received.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from eventstore.testing.schedules.journals import now
from eventstore.testing.schedules.names import Names
from eventstore.testing.schedules.protocol import Append, Transaction

__all__ = ["Entry", "Ledger", "Ledgers", "Outcome", "Pen"]


class Outcome(StrEnum):
    """The outcome of a transaction that has ended, as its writer knows it."""

    ACKNOWLEDGED = "acknowledged"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    UNKNOWN = "outcome unknown"


_LETTERS: Final = {
    Outcome.ACKNOWLEDGED: "+",
    Outcome.ROLLED_BACK: "-",
    Outcome.REFUSED: "!",
    Outcome.UNKNOWN: "?",
}
_OUTCOMES: Final = {letter: outcome for outcome, letter in _LETTERS.items()}


class Entry(NamedTuple):
    """One line of a ledger."""

    outcome: Outcome
    began: int
    """Microseconds, as ``journals.now`` gives them."""
    ended: int
    appends: tuple[Append, ...]

    @property
    def event_ids(self) -> tuple[str, ...]:
        return tuple(name for append in self.appends for name in append.event_ids)


class Pen:
    """Writes the lines of a process of writers into one file."""

    def __init__(self, file: int, streams: Sequence[str]) -> None:
        self._file = file
        self._numbers = {stream: number for number, stream in enumerate(streams)}

    def write_down(self, outcome: Outcome, began: int, transaction: Transaction) -> None:
        """Write one line about a transaction that has just ended."""
        appends = " ".join(
            f"{self._numbers[append.stream]}={','.join(append.event_ids)}"
            for append in transaction.appends
        )
        os.write(self._file, f"{_LETTERS[outcome]} {began} {now()} {appends}\n".encode())


class Ledgers:
    """The sum of all ledgers."""

    def __init__(self, streams: Sequence[str]) -> None:
        self.ended: int = 0
        """All transactions."""
        self.transactions: int = 0
        """Acknowledged transactions."""
        self.events: Names = Names()
        """The events of acknowledged transactions."""
        self.refused: Names = Names()
        """The events of transactions that the store refused."""
        self.refusals: int = 0
        self._streams = streams
        self._files: list[Path] = []

    def begin(self, path: Path) -> Ledger:
        """Add one more ledger to the sum."""
        path.touch()
        self._files.append(path)
        return Ledger(path, self)

    def entries(self) -> Iterator[Entry]:
        """Yield every line of every ledger, those of one ledger in order."""
        for path in self._files:
            with path.open(encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):
                        yield self.entry(line)

    def entry(self, line: str) -> Entry:
        letter, began, ended, *appends = line.split()
        return Entry(
            _OUTCOMES[letter], int(began), int(ended), tuple(self._append(one) for one in appends)
        )

    def add(self, entry: Entry) -> None:
        self.ended += 1
        if entry.outcome is Outcome.ACKNOWLEDGED:
            self.transactions += 1
            for name in entry.event_ids:
                self.events.add(name)
        elif entry.outcome is Outcome.REFUSED:
            self.refusals += 1
            for name in entry.event_ids:
                self.refused.add(name)

    def _append(self, written: str) -> Append:
        number, _, names = written.partition("=")
        return Append(self._streams[int(number)], tuple(names.split(",")))


class Ledger:
    """The ledger of one process, read on from where the last read ended."""

    def __init__(self, path: Path, sum_of_all: Ledgers) -> None:
        self._path = path
        self._sum = sum_of_all
        self._read = 0

    def read_on(self) -> None:
        """Add the lines written since the last read."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            more = file.read()
        whole = more[: more.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            self._sum.add(self._sum.entry(line))
