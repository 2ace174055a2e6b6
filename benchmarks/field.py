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
from typing import Self, TypeVar

from benchmarks import durability
from benchmarks.contenders import Contender, Face, Kind, Missing
from benchmarks.drivers import Driver, driver

Taken = TypeVar("Taken")
DATABASE_FILE = "chat.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a run goes about it."""

    scratch: Path
    contenders: Sequence[Contender]
    missing: Sequence[Missing]
    faces: Sequence[Face] = tuple(Face)
    rounds: int = 7
    seconds: float = 1.0
    quick: bool = False

    def side_by_side(self, face: Face) -> list[Contender]:
        """The limits, which are sync for both faces, and then all others of this face."""
        limits = [one for one in self.contenders if one.kind is Kind.LIMIT]
        rest = [one for one in self.contenders if one.kind is not Kind.LIMIT]
        return limits + [one for one in rest if one.face is face]


@dataclass(slots=True)
class Entrant:
    """A contender that is open."""

    contender: Contender
    driver: Driver
    folder: Path
    watch: durability.Watch
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
    entrants: list[Entrant] = field(default_factory=list)
    failed: list[Missing] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number, contender in enumerate(self.contenders):
            folder = self.folder / str(number)
            folder.mkdir(parents=True)
            watched = durability.watch(folder, force=contender.kind is not Kind.OURS)
            entrant = Entrant(contender, driver(contender), folder, watched)
            self.entrants.append(entrant)
            self._attempt(entrant, lambda one: one.driver.open(one.folder / DATABASE_FILE))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for entrant in list(self.entrants):
            self._attempt(entrant, lambda one: one.driver.close())
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
        for entrant in list(self.entrants):
            self._attempt(entrant, _assert_durable)
        left = {entrant.name for entrant in self.entrants}
        return {name: samples for name, samples in taken.items() if name in left}

    def of_kind(self, kind: Kind) -> list[Entrant]:
        """The contenders of one kind that are still in the field."""
        return [entrant for entrant in self.entrants if entrant.contender.kind is kind]

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
    if entrant.contender.pragmas:
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
