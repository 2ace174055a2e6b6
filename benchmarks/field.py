"""Several contenders opened side by side and taken round by round.

A noisy machine drifts by a factor of two between runs, far more than two stores differ. So the
contenders of a table are measured in turn, A B C A B C …, each for a short while, and two of
them are compared within each round. What is reported is the median of the rounds.

A contender that fails, or whose connections turn out not to be durable, leaves the field with the
reason; its figures up to then are thrown away.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from benchmarks import durability
from benchmarks.contenders import Contender, Face, Kind, Missing
from benchmarks.drivers import Driver, driver
from benchmarks.places import Database, Place
from benchmarks.postgres import Server

Taken = TypeVar("Taken")
DATABASE_FILE = "chat.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a run."""

    scratch: Path
    contenders: Sequence[Contender]
    missing: Sequence[Missing]
    database: Database = Database.SQLITE
    server: Server | None = None
    faces: Sequence[Face] = tuple(Face)
    rounds: int = 7
    seconds: float = 1.0
    quick: bool = False
    events: int | None = None
    """The number of events of W10; None is its own."""

    def side_by_side(self, face: Face, writers: Literal["one", "many"] = "one") -> list[Contender]:
        """The limits and then all others of this face, for one writer or for many.

        Where no limit has this face, that of the other one stands in: plain sqlite3 is sync.
        """
        fitting = [one for one in self.contenders if one.writers in {"any", writers}]
        return self.limits(fitting, face) + [
            one for one in fitting if one.face is face and one.kind is not Kind.LIMIT
        ]

    def limits(self, among: Sequence[Contender], face: Face) -> list[Contender]:
        """The limits for this face, among contenders."""
        limits = [one for one in among if one.kind is Kind.LIMIT]
        return [one for one in limits if one.face is face] or limits

    def ours(self, face: Face) -> list[Contender]:
        """Ours of this face."""
        return [one for one in self.contenders if one.kind is Kind.OURS and one.face is face]

    def field(self, label: str, contenders: Iterable[Contender]) -> Field:
        """A field to measure these contenders in."""
        folder = self.scratch / label.lower().replace(" ", "-")
        return Field(label, folder, contenders, self.server)


@dataclass(slots=True)
class Entrant:
    """A contender that is open."""

    contender: Contender
    driver: Driver
    place: Place
    watch: durability.Watch
    server: Server | None = None
    durability: str = "its own server"

    @property
    def name(self) -> str:
        """The contender's name."""
        return self.contender.name


@dataclass(slots=True)
class Field:
    """The contenders of one table, from opening to closing."""

    label: str
    folder: Path
    contenders: Iterable[Contender]
    server: Server | None = None
    entrants: list[Entrant] = field(default_factory=list)
    failed: list[Missing] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.entrants += [self._entrant(*one) for one in enumerate(self.contenders)]
        if self.server is not None:  # before any is open: the server counts for all of them
            say(f"{self.label}: does each of them sync?")
            self._all(_assert_durable)
        self._all(lambda one: one.driver.open(one.place))
        return self

    def _entrant(self, number: int, contender: Contender) -> Entrant:
        folder = self.folder / str(number)
        folder.mkdir(parents=True)
        watched = durability.watch(folder, force=contender.kind is not Kind.OURS)
        place = self.server.place() if self.server else Place(folder / DATABASE_FILE)
        return Entrant(contender, driver(contender), place, watched, self.server)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._all(lambda one: one.driver.close())
        durability.unwatch(self.folder)

    def each(self, act: Callable[[Entrant], Taken]) -> dict[str, Taken]:
        """Do something with every contender, once."""
        done: dict[str, Taken] = {}
        for entrant in list(self.entrants):
            say(f"{self.label}: {entrant.name}")
            taken = self._attempt(entrant, act)
            if taken is not None:
                done[entrant.name] = taken
        return done

    def rounds(self, count: int, measure: Callable[[Entrant], Taken]) -> dict[str, list[Taken]]:
        """Measure all contenders in turn, `count` times, and check that they were durable."""
        taken: dict[str, list[Taken]] = {entrant.name: [] for entrant in self.entrants}
        for number in range(1, count + 1):
            for entrant in list(self.entrants):
                say(f"{self.label}: round {number} of {count}, {entrant.name}")
                one = self._attempt(entrant, measure)
                if one is not None:
                    taken[entrant.name].append(one)
        self._all(_assert_durable)
        left = {entrant.name for entrant in self.entrants}
        return {name: samples for name, samples in taken.items() if name in left}

    def of_kind(self, kind: Kind) -> list[Entrant]:
        """The contenders of one kind that are still in the field."""
        return [entrant for entrant in self.entrants if entrant.contender.kind is kind]

    def _all(self, act: Callable[[Entrant], object]) -> None:
        for entrant in list(self.entrants):
            self._attempt(entrant, act)

    def _attempt(self, entrant: Entrant, act: Callable[[Entrant], Taken]) -> Taken | None:
        try:
            return act(entrant)
        except Exception as error:  # noqa: BLE001 - one peer's failure must not end the others
            self._leave(entrant, error)
            return None

    def _leave(self, entrant: Entrant, error: Exception) -> None:
        why = f"failed in {self.label}: {type(error).__name__}: {_first_line(error)}"
        say(f"{entrant.name} {why}", keep=True)
        self.failed.append(Missing(entrant.name, why, entrant.contender.kind))
        if entrant in self.entrants:
            self.entrants.remove(entrant)
            with suppress(Exception):
                entrant.driver.close()


def _assert_durable(entrant: Entrant) -> None:
    if entrant.server is not None:
        proof = entrant.server.prove(entrant.contender)
        entrant.durability = f"{entrant.server.settings()}; {proof}"
    elif entrant.contender.pragmas:
        entrant.durability = entrant.watch.verdict()


def _first_line(error: Exception) -> str:
    inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    lines = str(inner).strip().splitlines()
    return lines[0] if lines else repr(inner)


def say(text: str, *, keep: bool = False) -> None:
    """Show what is going on; on a terminal the next line takes this one's place."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text[:110]}" + ("\n" if keep else ""))
    else:
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
