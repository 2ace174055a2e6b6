"""The protocol of a measured store, and the registration of contenders.

A contender is ours, a limit (the plain driver, which no library can beat by much) or a peer. It
answers a few calls, in a sync or an async form; `drivers` times either form in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage


class Kind(StrEnum):
    """In which role a contender runs."""

    OURS = "ours"
    LIMIT = "limit"
    PEER = "peer"


class Face(StrEnum):
    """The kind of its calls. Sync is compared with sync, async with async."""

    SYNC = "sync"
    ASYNC = "async"


class Store(Protocol):
    """The calls of a sync contender. Each append is durable when it returns."""

    def open(self, place: Place) -> None:
        """Create the store in a file or a database of its own."""

    def new_thread(self) -> str:
        """Begin a conversation and return what names it."""

    def append(self, thread: str, message: WorkMessage) -> None:
        """Add one message, durably."""

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        """Add many messages the quickest way there is: only ever used to set up."""

    def last(self, thread: str, count: int) -> Sequence[object]:
        """Read the last `count` messages as the values an application works with."""

    def close(self) -> None:
        """Let go of the place."""


class AsyncStore(Protocol):
    """The calls of an async contender, alike in meaning to those of `Store`."""

    async def open(self, place: Place) -> None: ...
    async def new_thread(self) -> str: ...
    async def append(self, thread: str, message: WorkMessage) -> None: ...
    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None: ...
    async def last(self, thread: str, count: int) -> Sequence[object]: ...
    async def close(self) -> None: ...


@runtime_checkable
class Branching(Protocol):
    """A sync store which has branches inside a thread."""

    def new_branched_thread(self, length: int, branches: int) -> str:
        """A thread with a path of `length` messages and `branches` further branches."""


@runtime_checkable
class AsyncBranching(Protocol):
    """An async store which has branches inside a thread."""

    async def new_branched_thread(self, length: int, branches: int) -> str:
        """A thread with a path of `length` messages and `branches` further branches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One store in one form, ready to be opened."""

    name: str
    kind: Kind
    face: Face
    make: Callable[[], Store] | Callable[[], AsyncStore]
    database: Database = Database.SQLITE
    writers: Literal["one", "many", "any"] = "any"
    """The writers it is made for: one at a time, many, or either."""
    writes: bool = True
    """True if messages can be appended to it."""
    distribution: str | None = None
    """The package whose version is recorded."""
    pragmas: bool = True
    """True if its durability is that of SQLite connections in this process."""
    length_max: int = 100_000
    """The longest thread that it is worth building with it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A contender that should have been measured and was not, with the reason."""

    name: str
    why: str
    kind: Kind = Kind.PEER
