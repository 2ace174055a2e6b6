"""Full-text search over messages and titles, as a projection that follows the log.

::

    store.projections.register(MessageSearch())
    store.projections.catch_up("search")
    hits = store.projections.read("search", search("blue sky", thread_id=thread.id))

A message is found if ``store.messages.get`` finds it, and if all the words stand in its text as it
reads now: amended ones by their last wording; removed ones, what hangs below them, and deleted
threads not until they are restored. A message that a fork inherits is found in its source; in the
fork, too, once the fork has a wording of its own.

A title is found in its thread, unless the thread is deleted. A fork shows its source's title, and
is found by a title of its own once it has one.

Words are compared without regard to case; ``sun*`` finds words that begin so. There is no stemming,
in no language. What a word is differs at the edges: FTS5 splits at whatever is no letter or digit,
PostgreSQL keeps addresses, paths and signed numbers together, leaves out markup, and folds the case
of letters beyond ASCII as its locale does. The text parts of a message count, up to 100,000
characters (PostgreSQL takes no more than a megabyte of words). On PostgreSQL what has no blank for
more than 255 characters is taken in pieces of that length: its parser goes over ``a_a_a_…`` and
``~/~/~/…`` again from each character, so that one message of 100,000 would keep the server busy for
half an hour.

**Erasure.** What was erased is not found any more once the projection has caught up. An index keeps
words of texts that are gone or replaced until it is merged, so on SQLite an erasure or a purge
merges it, which takes as long as the index is large (FTS5 learned to overwrite single words,
``secure-delete``, in SQLite 3.42). On PostgreSQL dead rows keep them until VACUUM FULL.

How hidden messages are known: each row counts the removed messages from it up to the root. A
removal adds one to everything below; a new message begins with none, since nothing is ever added
below a removed one. A fork gets rows for the path it inherits when it first does something to it.

When a thread is purged it is forgotten here. It never goes without its forks, so whatever a fork
does, its source has been told of: also to a rebuild, which never hears of either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from eventstore.core import ids
from eventstore.core.events import RecordedEvent
from eventstore.read_models.catch_up.tables import Tables, WritableTables
from eventstore.read_models.search_text import contents_of_search, in_pieces

__all__ = ["MessageSearch"]

_CHARACTERS_MAX: Final = 100_000

_OF: Final = "tenant = ? AND thread_id = ?"
_ROW: Final = f"{_OF} AND message_id = ?"
_MESSAGES: Final = (
    "CREATE TABLE {messages} (tenant TEXT NOT NULL, thread_id TEXT NOT NULL,"
    " message_id TEXT NOT NULL, parent_id TEXT, hidden INTEGER NOT NULL,"
)
_CREATE: Final = {
    "sqlite": (
        f"{_MESSAGES} number INTEGER PRIMARY KEY)",
        "CREATE VIRTUAL TABLE {words} USING fts5(text, tokenize = 'unicode61 remove_diacritics 0')",
    ),
    "postgresql": (
        f"{_MESSAGES} text TEXT, words tsvector)",
        "CREATE INDEX ON {messages} USING gin (words)",
    ),
}
_CREATE_FORKS: Final = (
    "CREATE TABLE {forks} (tenant TEXT NOT NULL, thread_id TEXT NOT NULL, source_id TEXT NOT NULL,"
    " message_id TEXT NOT NULL, PRIMARY KEY (tenant, thread_id))"
)
_CREATE_DELETED: Final = (
    "CREATE TABLE {deleted} (tenant TEXT NOT NULL, thread_id TEXT NOT NULL,"
    " PRIMARY KEY (tenant, thread_id))"
)
_FIND: Final = f"SELECT 1 FROM {{messages}} WHERE {_ROW}"
_INSERT: Final = (
    "INSERT INTO {messages} (tenant, thread_id, message_id, parent_id, hidden)"
    " VALUES (?, ?, ?, ?, 0)"
)
_INSERT_WITH_WORDS: Final = (
    "INSERT INTO {messages} (tenant, thread_id, message_id, parent_id, hidden, text, words)"
    " VALUES (?, ?, ?, ?, 0, CAST(? AS text), to_tsvector('simple', CAST(? AS text)))"
)
"""On PostgreSQL: writing the row a second time would index it twice."""
_JOIN: Final = f"UPDATE {{messages}} SET parent_id = ? WHERE {_ROW}"
_SAY: Final = {
    "sqlite": (
        f"INSERT INTO {{words}} (rowid, text) SELECT number, ? FROM {{messages}} WHERE {_ROW}"
    ),
    "postgresql": (
        "UPDATE {messages} SET text = said.text, words = to_tsvector('simple', said.text)"
        f" FROM (SELECT CAST(? AS text) AS text) said WHERE {_ROW}"
    ),
}
_UNSAY: Final = (
    f"DELETE FROM {{words}} WHERE rowid = (SELECT number FROM {{messages}} WHERE {_ROW})"
)
_MERGE: Final = "INSERT INTO {words} ({words}) VALUES ('optimize')"
"""One segment is written anew from all, without what was deleted."""
_HIDE: Final = (
    "WITH RECURSIVE below (message_id) AS (SELECT CAST(? AS text) UNION ALL"
    " SELECT m.message_id FROM {messages} m JOIN below ON m.parent_id = below.message_id"
    f" WHERE m.tenant = ? AND m.thread_id = ?) UPDATE {{messages}} SET hidden = hidden + ?"
    f" WHERE {_OF} AND message_id IN (SELECT message_id FROM below)"
)
_FORK: Final = "INSERT INTO {forks} VALUES (?, ?, ?, ?)"
_FIND_FORK: Final = f"SELECT source_id, message_id FROM {{forks}} WHERE {_OF}"
_INHERIT: Final = (
    "INSERT INTO {messages} (tenant, thread_id, message_id, parent_id, hidden)"
    " WITH RECURSIVE up (message_id, parent_id) AS ("
    f"SELECT message_id, parent_id FROM {{messages}} WHERE {_ROW} UNION ALL"
    " SELECT m.message_id, m.parent_id FROM {messages} m JOIN up ON m.message_id = up.parent_id"
    " WHERE m.tenant = ? AND m.thread_id = ?)"
    " SELECT CAST(? AS text), CAST(? AS text), message_id, parent_id, 0 FROM up"
)
_FORGET: Final = {
    "sqlite": (
        f"DELETE FROM {{words}} WHERE rowid IN (SELECT number FROM {{messages}} WHERE {_OF})",
        f"DELETE FROM {{messages}} WHERE {_OF}",
    ),
    "postgresql": (f"DELETE FROM {{messages}} WHERE {_OF}",),
}
_FORGET_FORK: Final = f"DELETE FROM {{forks}} WHERE {_OF}"
_DELETE: Final = "INSERT INTO {deleted} VALUES (?, ?) ON CONFLICT (tenant, thread_id) DO NOTHING"
_UNDELETE: Final = f"DELETE FROM {{deleted}} WHERE {_OF}"


class MessageSearch:
    """Keeps the words of every message; see the module."""

    name = "search"
    version = 1
    tables: tuple[str, ...] = ("messages", "words", "forks", "deleted")
    """Names of its tables, without their common beginning."""
    categories: tuple[str, ...] = (ids.THREAD, ids.STORE)
    """Categories of the events that it follows."""

    def contents(self, tables: Tables) -> list[tuple[Any, ...]]:
        """Return the words of each message and title that has any, as any database keeps them."""
        return contents_of_search(tables)

    def create(self, tables: WritableTables) -> None:
        """Make the tables; on PostgreSQL the words stand with their messages."""
        for text in (*_CREATE[tables.dialect], _CREATE_FORKS, _CREATE_DELETED):
            tables.run(text)
        tables.index("messages", "tenant", "thread_id", "message_id", unique=True)
        tables.index("messages", "tenant", "thread_id", "parent_id")
        tables.index("forks", "tenant", "source_id")

    def apply(self, tables: WritableTables, event: RecordedEvent) -> None:
        """Change what can be found as one event says."""
        rule = _RULES.get(event.type)
        if rule is not None:
            rule(_Thread(tables, event.stream_id), event)


class _Thread:
    """The rows of one thread."""

    def __init__(self, tables: WritableTables, thread_id: str) -> None:
        self._tables = tables
        self.key = (tables.tenant, thread_id)

    def of(self, thread_id: str) -> _Thread:
        """Return the rows of another thread of the same tenant."""
        return _Thread(self._tables, thread_id)

    def add(self, message_id: str, parent_id: str | None, text: str) -> None:
        place = (*self.key, message_id)
        if self._tables.dialect == "postgresql":
            taken = self._taken(text)
            self._tables.run(_INSERT_WITH_WORDS, (*place, parent_id, taken, taken))
        else:
            self._tables.run(_INSERT, (*place, parent_id))
            self._say(place, text)

    def name(self, title: str) -> None:
        """Say what the thread is called: its own row is named like it."""
        place = (*self.key, self.key[1])
        if not self._has(self.key[1]):
            if title:
                self.add(self.key[1], None, title)
            return
        if self._tables.dialect == "sqlite":
            self._tables.run(_UNSAY, place)
        self._say(place, title)

    def join(self, message_id: str, parent_id: str | None) -> None:
        """Hang a message that was queued below another one."""
        self._tables.run(_JOIN, (parent_id, *self.key, message_id))

    def amend(self, message_id: str, text: str) -> None:
        self._inherit()
        place = (*self.key, message_id)
        if self._tables.dialect == "sqlite":
            self._tables.run(_UNSAY, place)
        self._say(place, text)

    def erase(self, message_ids: Sequence[str]) -> None:
        """Leave nothing of what messages said, nor of what they said before."""
        for message_id in message_ids:
            if self._has(message_id):
                self.amend(message_id, "")
        self._merge()

    def hide(self, message_id: str, by: int) -> None:
        """Count a removed message more, or less, for everything from it downwards."""
        self._inherit()
        self._tables.run(_HIDE, (message_id, *self.key, by, *self.key))

    def begin_as_fork(self, source_id: str, message_id: str) -> None:
        self._tables.run(_FORK, (*self.key, source_id, message_id))

    def forget(self) -> None:
        """Keep nothing of a thread that is gone for good."""
        for text in (*_FORGET[self._tables.dialect], _FORGET_FORK, _UNDELETE):
            self._tables.run(text, self.key)
        self._merge()

    def delete(self) -> None:
        self._tables.run(_DELETE, self.key)

    def restore(self) -> None:
        self._tables.run(_UNDELETE, self.key)

    def _merge(self) -> None:
        """Leave no word in the index of a text that is gone."""
        if self._tables.dialect == "sqlite":
            self._tables.run(_MERGE)

    def _say(self, place: tuple[str, str, str], text: str) -> None:
        self._tables.run(_SAY[self._tables.dialect], (self._taken(text), *place))

    def _taken(self, text: str) -> str:
        """Return as much of a text as counts, as this database takes it."""
        cut = text[:_CHARACTERS_MAX].replace("\0", " ")
        return cut if self._tables.dialect == "sqlite" else in_pieces(cut)

    def _has(self, message_id: str) -> bool:
        return self._tables.one(_FIND, (*self.key, message_id)) is not None

    def _inherit(self) -> None:
        """Make rows for the path that a fork inherits, if it has none yet."""
        fork = self._tables.one(_FIND_FORK, self.key)
        if fork is None or self._has(fork[1]):
            return
        source = _Thread(self._tables, fork[0])
        source._inherit()
        self._tables.run(_INHERIT, (*source.key, fork[1], *source.key, *self.key))


def _text(event: RecordedEvent) -> str:
    parts = (event.content or {}).get("parts", ())
    return "".join(part for part in parts if isinstance(part, str))


def _born(thread: _Thread, event: RecordedEvent) -> None:
    data = event.data
    parent_id = data.get("parent_id")
    if data.get("queued_version") is None:
        thread.add(data["message_id"], parent_id, _text(event))
    else:
        thread.join(data["message_id"], parent_id)


def _named(thread: _Thread, event: RecordedEvent) -> None:
    content = event.content or {}
    if "title" in content:
        thread.name(content["title"] or "")


def _erased(thread: _Thread, event: RecordedEvent) -> None:
    data = event.data
    messages = [one for one in (data.get("message_id"), *data.get("also", ())) if one is not None]
    if data.get("untitled"):
        thread.name("")
    thread.erase(messages)


def _purged(thread: _Thread, event: RecordedEvent) -> None:
    thread.of(event.data["thread_id"]).forget()


_RULES: Final[Mapping[str, Callable[[_Thread, RecordedEvent], object]]] = {
    **dict.fromkeys(("ThreadCreated", "ThreadUpdated"), _named),
    **dict.fromkeys(("MessageAdded", "MessageEdited", "MessageRegenerated"), _born),
    "MessageQueued": _born,
    "MessageAmended": lambda thread, event: thread.amend(event.data["message_id"], _text(event)),
    "MessageRemoved": lambda thread, event: thread.hide(event.data["message_id"], 1),
    "MessageRestored": lambda thread, event: thread.hide(event.data["message_id"], -1),
    "ThreadForked": lambda thread, event: thread.begin_as_fork(
        event.data["source_id"], event.data["message_id"]
    ),
    "ThreadPurged": _purged,
    "ContentErased": _erased,
    "ThreadDeleted": lambda thread, _: thread.delete(),
    "ThreadRestored": lambda thread, _: thread.restore(),
}
