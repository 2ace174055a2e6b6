"""Check projections that an application registers: an object, or a function with a decorator."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from eventstore.core.events import RecordedEvent
from eventstore.core.json_values import check_name
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.read_models.catch_up.held import Held
from eventstore.read_models.catch_up.leases import Watched
from eventstore.read_models.catch_up.tables import Tables, WritableTables
from eventstore.storage.whole_store import NAMES_MAX

__all__ = ["Definition", "Projection", "Registry", "defined", "projection"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_NAME_REMEDY: Final = "Use lowercase letters, digits and single underscores."
_VERSION_MAX: Final = 2**31 - 1

Apply: TypeAlias = Callable[[WritableTables, RecordedEvent], object]
Create: TypeAlias = Callable[[WritableTables], object]
Contents: TypeAlias = Callable[[Tables], Iterable[tuple[Any, ...]]]


class Projection(Protocol):
    """A read model of the application that follows the log.

    It may also have ``version`` (an integer, 1 if there is none: a higher one means that the tables
    are built anew), ``categories`` and ``types`` (only events of those are applied), and
    ``stores_words`` (False says that its tables hold no content, so a store with encryption takes
    it).

    And it may have ``contents(tables)``: a function that returns what its tables hold, as rows of
    plain values, each with the id of its stream among them. Then ``audit.verify`` applies all
    events once more, in an SQLite database in memory, and compares. So its SQL has to work on
    SQLite, too; and rows must be the same whether something was erased before or after they were
    made.

    ``apply`` is a plain function in both faces. It runs inside the transaction that moves the
    checkpoint and is repeated if that is rolled back. So it must do nothing but change its tables;
    it must not call the store.
    """

    @property
    def name(self) -> str:
        """Its name in the store."""

    @property
    def tables(self) -> Sequence[str]:
        """Short names of its tables, used in SQL in braces."""

    def create(self, tables: WritableTables, /) -> object:
        """Create the tables and their indexes."""

    def apply(self, tables: WritableTables, event: RecordedEvent, /) -> object:
        """Change the tables for one event."""


class Definition(NamedTuple):
    """A checked projection."""

    name: str
    tables: tuple[str, ...]
    version: int
    categories: tuple[str, ...] | None
    types: tuple[str, ...] | None
    create: Create
    apply: Apply
    stores_words: bool = True
    contents: Contents | None = None


class _OfFunction(NamedTuple):
    """A projection made of functions: keeps the protocol :class:`Projection`."""

    name: str
    tables: Sequence[str]
    version: int
    categories: Sequence[str] | None
    types: Sequence[str] | None
    create: Create
    apply: Apply
    stores_words: bool


def projection(
    name: str,
    *,
    tables: Sequence[str],
    create: str | Sequence[str] | Create,
    version: int = 1,
    categories: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    stores_words: bool = True,
) -> Callable[[Apply], Projection]:
    """Make a projection of a function that applies one event; ``create`` may be SQL.

    Other mistakes are reported when it is registered.

    Raises:
        InvalidInput: ``create`` is neither a function nor SQL.
    """
    making = create if callable(create) else _running(create)

    def made(apply: Apply) -> Projection:
        columns = name, tables, version, categories, types
        return _OfFunction(*columns, making, apply, stores_words)

    return made


def _running(statements: object) -> Create:
    given = [statements] if isinstance(statements, str) else statements
    if not isinstance(given, Sequence) or not all(isinstance(text, str) for text in given):
        raise InvalidInput(
            "create", "is not SQL", "Give a statement, a list of them, or a function."
        )
    texts = tuple(given)

    def create(tables: WritableTables) -> None:
        for text in texts:
            tables.run(text)

    return create


def defined(given: Projection) -> Definition:
    """Return the checked definition of a projection.

    Raises:
        InvalidInput: naming what is missing or malformed.
    """
    for needed in ("name", "tables", "create", "apply"):
        if not hasattr(given, needed):
            raise InvalidInput(
                "projection", f"has no {needed!r}", "See eventstore.read_models.Projection."
            )
    functions: tuple[object, ...] = (given.create, given.apply)
    if not all(map(callable, functions)):
        raise InvalidInput("projection", "create or apply is not a function", "Give functions.")
    tables = _names(given.tables, "tables") or ()
    names: tuple[object, ...] = (given.name, *tables)
    for name in names:
        if not isinstance(name, str) or _NAME.match(name) is None:
            raise InvalidInput("projection", f"{name!r} is not allowed as a name", _NAME_REMEDY)
    version = getattr(given, "version", 1)
    if not isinstance(version, int) or not 0 < version <= _VERSION_MAX:
        raise InvalidInput(
            "projection", "has a version that is not a positive whole number", "Use 1, 2, 3 …"
        )
    return Definition(
        given.name,
        tables,
        version,
        _names(getattr(given, "categories", None), "categories"),
        _names(getattr(given, "types", None), "types"),
        given.create,
        given.apply,
        bool(getattr(given, "stores_words", True)),
        getattr(given, "contents", None),
    )


def _names(given: object, field: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    if (
        isinstance(given, str)
        or not isinstance(given, Collection)
        or not given
        or not all(isinstance(name, str) for name in given)
    ):
        raise InvalidInput(
            "projection", f"{field} is not a tuple of names", "Give at least one name, as text."
        )
    if len(given) > NAMES_MAX:
        raise InvalidInput(
            "projection",
            f"has {len(given)} {field}",
            f"Give up to {NAMES_MAX}, or none for all and choose in apply().",
        )
    return tuple(check_name(name, f"projection.{field}") for name in given)


class Registry:
    """The projections that one store, and those bound to it, can run."""

    def __init__(self, may_store_words: Collection[str] | None = None) -> None:
        """``may_store_words``: with encryption, the projections that may; None allows all."""
        self._may_store_words = may_store_words
        self._known: dict[str, Definition] = {}
        self.held: Held = Held()
        """The leases of the projections that run."""
        self.watched: Watched = Watched()
        """The leases of other workers, as this process has seen them."""

    def add(self, given: Projection) -> None:
        """Add a projection; it replaces one of the same name.

        Raises:
            InvalidInput: it is malformed, or would store words that the log seals.
        """
        made = defined(given)
        allowed = self._may_store_words
        if allowed is not None and made.stores_words and made.name not in allowed:
            raise InvalidInput(
                "projection",
                f"{made.name!r} may store words in plain, and the store seals them",
                f"Allow it with Encryption(…, may_store_words=[{made.name!r}]), or set its"
                " stores_words to False if it stores none.",
            )
        self._known[made.name] = made

    def named(self, names: Iterable[str] | None) -> list[Definition]:
        """Return the projections of these names, or all.

        Raises:
            InvalidInput: one was not registered.
        """
        return list(self._known.values()) if names is None else [self.get(one) for one in names]

    def get(self, name: object) -> Definition:
        """Return one projection.

        Raises:
            InvalidInput: it was not registered.
        """
        found = self._known.get(name) if isinstance(name, str) else None
        if found is None:
            raise InvalidInput(
                "projection",
                f"{quoted(name)} is not registered in this process",
                f"Registered: {', '.join(self._known) or 'none'}. "
                "store.projections.register() adds one.",
            )
        return found
