"""The tables ``thread_metadata`` and ``external_ids``: finding threads and messages.

Read models of content, kept inline: top-level scalars of a thread's metadata, for equality, and the
external ids of messages. Both may hold personal data, so erasure deletes from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.conversation import events as e
from eventstore.conversation.events.threads import named_by
from eventstore.core.events import Event, StreamKey
from eventstore.storage.among import among, in_few
from eventstore.storage.interning import find_tenant
from eventstore.storage.statements import Delete, Insert
from eventstore.storage.transaction import Transaction
from eventstore.threads.hidden_words import forms_of_name, hidden_name, rows_as_stored
from eventstore.threads.thread_table import ThreadKey, ThreadTable

__all__ = [
    "ContentIndex",
    "IndexSavepoint",
    "clear_indexes",
    "find_external_id",
    "forget_names",
    "metadata_key",
    "metadata_text",
    "names_of",
    "stored_entries",
]

_CLEAR: Final = "DELETE FROM {thread_metadata} WHERE tenant = ? AND thread = ?"
_VALUES: Final = ("key", "value", "created_position")
_INSERT: Final = Insert("thread_metadata", ("tenant", "thread", *_VALUES))
THREAD_METADATA: Final = ThreadTable("thread_metadata", _VALUES, 1)
EXTERNAL_IDS: Final = ThreadTable("external_ids", ("external_id", "message"), 2)
_METADATA: Final = (
    f"SELECT {', '.join(_VALUES)} FROM {{thread_metadata}} WHERE tenant = ? AND thread = ?"
)
_NAMES: Final = "SELECT external_id, message FROM {external_ids} WHERE tenant = ? AND thread = ?"
_NAMED: Final = ("tenant", "thread", "external_id", "message")
_NAME: Final = Insert("external_ids", _NAMED, conflict=_NAMED)
_FORGET_NAME: Final = Delete("external_ids", ("tenant", "thread", "external_id", "message"))
_FIND: Final = (
    "SELECT thread, message FROM {external_ids} WHERE tenant = ? AND external_id = ? AND thread"
)


def metadata_text(value: object) -> str | None:
    """Return a scalar as the index holds it, with its kind; None if it is not indexed."""
    text = _with_kind(value)
    return None if text is None else _indexed(text)


def metadata_key(key: str) -> str:
    """Return a key as the index holds it.

    Its kind comes first, as with values, so no key equals the digest of another one.
    """
    return _indexed(f"k:{key}")


def _indexed(text: str) -> str:
    """Return text for an index: a digest if it is long, or if a database cannot compare it.

    The text begins with its kind, and no kind is called ``h``. Only equality is queried, and an
    entry of PostgreSQL's index has room for 2,700 bytes: key and value together, of up to four
    bytes a character.
    """
    if len(text) <= _INDEXED_MAX and "\0" not in text:
        return text
    return f"h:{sha256(text.encode()).hexdigest()}"


def _with_kind(value: object) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"b:{value}"
    if isinstance(value, float):
        return f"n:{int(value)}" if value.is_integer() else f"n:{value!r}"
    if isinstance(value, int):
        return f"n:{value}"
    return f"s:{value}" if isinstance(value, str) else None


_INDEXED_MAX: Final = 300

IndexEntry: TypeAlias = tuple[Any, ...]


class _Metadata(NamedTuple):
    """A thread's metadata, with its place among the threads of its tenant."""

    created_position: int
    values: Mapping[str, Any]


IndexSavepoint: TypeAlias = tuple[dict[StreamKey, _Metadata], int]


class ContentIndex:
    """The index entries that one transaction adds; it also writes them."""

    def __init__(self) -> None:
        self._metadata: dict[StreamKey, _Metadata] = {}
        self._names: list[tuple[StreamKey, str, bytes]] = []
        self._begun: set[StreamKey] = set()
        """Threads that begin here: they have no entries to clear, which would be a trip."""

    def see(self, thread: StreamKey, event: Event, created_position: int) -> None:
        """Add an event's index entries; ``created_position`` is that of the thread."""
        content = event.content
        if isinstance(content, e.MessageContent):
            if content.external_id is not None:
                self._names.append((thread, content.external_id, event.data.message_id))
            return
        said = named_by(event)
        if said is not None and isinstance(said.metadata, dict):
            self._metadata[thread] = _Metadata(created_position, said.metadata)
            if event.version == 1:
                self._begun.add(thread)

    def inherit(self, fork: StreamKey, metadata: Mapping[str, Any], created_position: int) -> None:
        """Index a new fork under its source's metadata until it has its own."""
        self._metadata.setdefault(fork, _Metadata(created_position, metadata))
        self._begun.add(fork)

    def describe(self, thread: StreamKey, metadata: Mapping[str, Any], created: int) -> None:
        """Index a thread under the metadata that it has now, of which some was erased."""
        self._metadata[thread] = _Metadata(created, metadata)

    def entries(self, tx: Transaction, thread: StreamKey) -> set[IndexEntry]:
        """Return a thread's index entries, in the form of :func:`stored_entries`."""
        tenant = find_tenant(tx, thread.tenant) or 0
        rows = _metadata_rows(tenant, b"", self._metadata.get(thread, _NO_METADATA))
        hidden = rows_as_stored(tx, THREAD_METADATA.name, rows)
        found = {("thread_metadata", *row[2:]) for row in hidden}
        return found | {
            ("external_ids", hidden_name(tx, tenant, external_id), message.hex())
            for stream, external_id, message in self._names
            if stream == thread
        }

    def rows(self, tenant: int) -> list[tuple[ThreadTable, list[tuple[Any, ...]]]]:
        """Return the rows for completely folded threads of one tenant."""
        metadata = [
            row
            for thread, found in self._metadata.items()
            for row in _metadata_rows(tenant, thread.id, found)
        ]
        names = {(tenant, thread.id, name, message): None for thread, name, message in self._names}
        return [(THREAD_METADATA, metadata), (EXTERNAL_IDS, list(names))]

    def savepoint(self) -> IndexSavepoint:
        """Return a mark of the entries so far."""
        return dict(self._metadata), len(self._names)

    def rollback_to(self, savepoint: IndexSavepoint) -> None:
        """Drop the entries since a mark: their events were refused."""
        self._metadata, names = savepoint
        del self._names[names:]

    def write(self, tx: Transaction) -> None:
        """Write the entries."""
        for thread, metadata in self._metadata.items():
            tenant = find_tenant(tx, thread.tenant)
            assert tenant is not None  # noqa: S101 (the event interned it)
            if thread not in self._begun:
                tx.run(_CLEAR, (tenant, thread.id))
            rows = _metadata_rows(tenant, thread.id, metadata)
            rows = rows_as_stored(tx, THREAD_METADATA.name, rows)
            if rows:
                tx.write(_INSERT, rows)
        if self._names:
            names = [
                (find_tenant(tx, thread.tenant), thread.id, external_id, message_id)
                for thread, external_id, message_id in self._names
            ]
            tx.write(_NAME, rows_as_stored(tx, EXTERNAL_IDS.name, names))
        self._metadata.clear()
        self._names.clear()
        self._begun.clear()


_NO_METADATA: Final = _Metadata(0, {})


def _metadata_rows(tenant: int, thread: bytes, metadata: _Metadata) -> list[tuple[Any, ...]]:
    texts = [(key, metadata_text(value)) for key, value in metadata.values.items()]
    return [
        (tenant, thread, metadata_key(key), text, metadata.created_position)
        for key, text in texts
        if text is not None
    ]


def stored_entries(tx: Transaction, tenant: int, thread: bytes) -> set[IndexEntry]:
    """Return a thread's stored entries: table, indexed value, found object; words hidden."""
    rows = [(tenant, thread, *row) for row in tx.all(_METADATA, (tenant, thread))]
    hidden = rows_as_stored(tx, THREAD_METADATA.name, rows)
    named = {
        ("external_ids", hidden_name(tx, tenant, name), bytes(key).hex())
        for name, key in tx.all(_NAMES, (tenant, thread))
    }
    return {("thread_metadata", *row[2:]) for row in hidden} | named


def clear_indexes(tx: Transaction, threads: Sequence[ThreadKey]) -> None:
    """Delete the index entries of threads, each named by tenant and id."""
    THREAD_METADATA.clear(tx, threads)
    EXTERNAL_IDS.clear(tx, threads)


def names_of(
    tx: Transaction, tenant: int, thread: bytes, messages: Collection[bytes]
) -> list[tuple[str, bytes]]:
    """Return the external ids of messages; it scans all of the thread's."""
    found = [(name, bytes(key)) for name, key in tx.all(_NAMES, (tenant, thread))]
    return [one for one in found if one[1] in messages]


def forget_names(
    tx: Transaction, tenant: int, thread: bytes, names: Iterable[tuple[str, bytes]]
) -> None:
    """Delete the index entries of erased messages of a thread."""
    tx.write(_FORGET_NAME, [(tenant, thread, *one) for one in names])


def find_external_id(
    tx: Transaction, tenant: int, threads: Sequence[bytes], external_id: str
) -> list[bytes]:
    """Return the messages of threads that have an external id.

    In the order of the threads, the newest of each first.
    """
    found: list[tuple[int, bytes]] = []
    forms = forms_of_name(tx, tenant, external_id)
    find = _FIND.replace("= ? AND thread", f"IN ({', '.join('?' * len(forms))}) AND thread")
    orders = {thread: order for order, thread in enumerate(threads)}
    for few in in_few(threads):
        asked, names = among(few)
        rows = tx.all(f"{find} {asked}", (tenant, *forms, *names))
        found += [(orders[bytes(thread)], bytes(message)) for thread, message in rows]
    newest = sorted(found, key=itemgetter(1), reverse=True)
    return [message for _, message in sorted(newest, key=itemgetter(0))]
