"""Opens the store of ``--db``, and finds the whole ids of THREAD and MESSAGE.

A command that reads must not create a database, nor add tables to a file of another program: it
opens only existing stores (:func:`existing`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Self, TypeAlias, TypeVar

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from eventstore import (
    ConversationStore,
    InvalidInput,
    MessageNotFound,
    StoreUnavailable,
    ThreadNotFound,
)
from eventstore.api.operations import Read
from eventstore.cli.encrypting import NO_KEYS, KeysGiven
from eventstore.conversation.rows import MessageRow
from eventstore.core import ids
from eventstore.storage.migrations import Migrate
from eventstore.storage.transaction import Transaction
from eventstore.threads.rebuild import next_thread

__all__ = [
    "Database",
    "Target",
    "ThreadPrefix",
    "count_threads",
    "existing",
    "find_branch",
    "find_message",
    "find_stream",
    "find_thread",
    "made",
    "short",
]

T = TypeVar("T")

DEFAULT: Final = "sqlite:///chat.db"

Database: TypeAlias = Annotated[
    str,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="EVENTSTORE_DB",
        show_default=True,
        help="Database URL, or path of a file.",
    ),
]
ThreadPrefix: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="THREAD", help="The thread's id, or a unique prefix of it."),
]

_MEMORY: Final = ":memory:"
_DIGITS: Final = 32
_SHORT_MIN: Final = 8


class Target(str):  # noqa: SLOT000 (it has attributes)
    """A database URL with the tenant, prefix and schema to look into."""

    tenant: str
    prefix: str
    schema: str | None

    keys: KeysGiven

    def __new__(
        cls,
        url: str,
        *,
        tenant: str = "",
        prefix: str = "",
        schema: str | None = None,
        keys: KeysGiven = NO_KEYS,
    ) -> Self:
        made = super().__new__(cls, url)
        made.tenant, made.prefix, made.schema, made.keys = tenant, prefix, schema, keys
        return made

    def of(self, tenant: str) -> Target:
        """Return the same store for another tenant."""
        return Target(self, tenant=tenant, prefix=self.prefix, schema=self.schema, keys=self.keys)


def made(database: str) -> ConversationStore:
    """Open a store for writing; make it if it does not exist."""
    return _opened(database, migrate="auto")


def _opened(database: str, *, migrate: Migrate) -> ConversationStore:
    target = database if isinstance(database, Target) else Target(database)
    store = ConversationStore.open(
        _url(target),
        prefix=target.prefix,
        schema=target.schema,
        migrate=migrate,
        encryption=target.keys.encryption(),
    )
    try:
        return store if target.tenant == "" else store.tenant(target.tenant)
    except InvalidInput:
        store.close()
        raise


def existing(database: str) -> ConversationStore:
    """Open a store that exists.

    Raises:
        StoreUnavailable: it does not exist, or is no conversation store.
    """
    url = _url(database)
    file = _sqlite_file(url)
    if file is not None:
        _check_there(file)
    try:
        return _opened(database, migrate="check")
    except StoreUnavailable as error:
        if error.reason != "not_migrated":
            raise
        raise StoreUnavailable(
            error.reason,
            f"{file!r} holds no conversation store, or one of an earlier version",
            "Check --db; any application that opens the store brings it up to date.",
        ) from None


def _url(database: str) -> str:
    """Return a URL; any other text is the path of a file."""
    return database if "://" in database or not database else f"sqlite:///{database}"


def _sqlite_file(url: str) -> str | None:
    """Return the file of an SQLite URL; None for any other URL, which ``open()`` checks."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    return (parsed.database or _MEMORY) if parsed.get_backend_name() == "sqlite" else None


def _check_there(file: str) -> None:
    if file == _MEMORY:
        raise StoreUnavailable(
            "cannot_open",
            "a new database in memory has nothing to read",
            "Name a file with --db or EVENTSTORE_DB.",
        )
    if not Path(file).is_file():
        raise StoreUnavailable(
            "cannot_open",
            f"there is no database {file!r}",
            "Name another with --db or EVENTSTORE_DB; 'eventstore import' and 'demo' make one.",
        )


# -- threads ---------------------------------------------------------------------------------------


def find_thread(store: ConversationStore, prefix: str) -> str:
    """Return the id of the only thread whose id begins with ``prefix``.

    Raises:
        ThreadNotFound: there is none.
        InvalidInput: there are several.
    """
    digits = prefix.removeprefix(f"{ids.THREAD}_").lower()
    found = _perform(store, lambda tx: _beginning(tx, store.scope.tenant, digits))
    if not found:
        raise ThreadNotFound(prefix)
    if len(found) > 1:
        raise InvalidInput(
            "THREAD",
            f"{prefix!r} begins the ids of several threads",
            f"Give more of it: {', '.join(sorted(short(store, found).values()))}.",
        )
    return found[0]


def find_stream(store: ConversationStore, prefix: str) -> str:
    """Do the same, but return a whole id as it is: the thread may be purged, or its head lost."""
    try:
        return find_thread(store, prefix)
    except ThreadNotFound:
        digits = prefix.removeprefix(f"{ids.THREAD}_").lower()
        if len(digits) != _DIGITS:
            raise
        return f"{ids.THREAD}_{digits}"


def find_message(store: ConversationStore, thread_id: str, text: str) -> str:
    """Return the id of the only message whose id begins or ends with a text; a whole id as it is.

    Other commands print the end of an id as ``msg…3f2a9c``.

    Raises:
        MessageNotFound: there is none.
        InvalidInput: there are several.
    """
    digits = text.removeprefix(f"{ids.MESSAGE}_").removeprefix(f"{ids.MESSAGE}…").lower()
    if len(digits) == _DIGITS:
        return f"{ids.MESSAGE}_{digits}"
    folded = store.replay.state(thread_id).folded
    known = [ids.show(ids.MESSAGE, key) for key in dict(folded.rows[MessageRow])]
    near = [one for one in known if one[4:].startswith(digits) or one.endswith(digits)]
    if not near or not digits:
        raise MessageNotFound(text, thread_id)
    if len(near) > 1:
        raise InvalidInput(
            "MESSAGE",
            f"{text!r} begins or ends the ids of {len(near)} messages",
            "Give more of it: 'eventstore tree THREAD --ids' shows them whole.",
        )
    return near[0]


def find_branch(store: ConversationStore, thread_id: str, text: str) -> str:
    """Return the id of a message, or the text itself, which may be a label.

    Raises:
        InvalidInput: several messages match.
    """
    if text in store.replay.state(thread_id).labels:
        return text
    try:
        return find_message(store, thread_id, text)
    except MessageNotFound:
        return text


def short(store: ConversationStore, thread_ids: list[str]) -> dict[str, str]:
    """Return for each thread the shortest beginning of its id that :func:`find_thread` accepts."""

    def look(tx: Transaction) -> dict[str, str]:
        return {one: _shortest(tx, store.scope.tenant, one) for one in thread_ids}

    return _perform(store, look)


def _shortest(tx: Transaction, tenant: str, thread_id: str) -> str:
    digits = thread_id.removeprefix(f"{ids.THREAD}_")
    for length in range(_SHORT_MIN, _DIGITS):
        if len(_beginning(tx, tenant, digits[:length])) == 1:
            return digits[:length]
    return digits


def _beginning(tx: Transaction, tenant: str, digits: str) -> list[str]:
    """Return up to two threads whose ids begin with these digits, in order of their ids."""
    if len(digits) > _DIGITS or set(digits) - set("0123456789abcdef"):
        return []
    first = int(digits.ljust(_DIGITS, "0"), 16)
    after = (first - 1).to_bytes(16, "big") if first else b""
    found: list[str] = []
    while len(found) < 2 and (key := next_thread(tx, tenant, after)) is not None:  # noqa: PLR2004
        if not key.hex().startswith(digits):
            break
        found.append(ids.show(ids.THREAD, key))
        after = key
    return found


def count_threads(store: ConversationStore) -> int:
    """Return the number of threads with events, for a progress bar."""

    def look(tx: Transaction) -> int:
        count, after = 0, next_thread(tx, store.scope.tenant, b"")
        while after is not None:
            count, after = count + 1, next_thread(tx, store.scope.tenant, after)
        return count

    return _perform(store, look)


def _perform(store: ConversationStore, look: Callable[[Transaction], T]) -> T:
    return store.perform(Read(look))
