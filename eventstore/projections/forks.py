"""Which threads were forked from a thread, and which of them still read what they inherit from it.

A fork that was copied stands by itself, but holds what it copied. Whoever wants the answer to last
holds the head of the thread: making a fork takes it, too.
"""

from __future__ import annotations

from typing import Final

from eventstore.storage.transaction import Transaction

__all__ = ["all_forks", "copied_forks", "direct_forks", "holders_of_copies", "readers_of"]

_FORKS: Final = (
    "SELECT thread FROM {threads} WHERE tenant = ? AND fork_thread = ? AND copied = 0"
    " ORDER BY created_position, thread"
)
_ALL: Final = _FORKS.replace(" AND copied = 0", "")
_COPIED: Final = _FORKS.replace("copied = 0", "copied = 1")
_READERS: Final = (
    "WITH RECURSIVE readers (thread) AS ("
    "SELECT thread FROM {threads} WHERE tenant = ? AND fork_thread = ? AND copied = 0"
    " UNION SELECT t.thread FROM {threads} t JOIN readers r ON t.fork_thread = r.thread"
    " WHERE t.tenant = ? AND t.copied = 0) SELECT thread FROM readers"
)
_HOLDERS: Final = (
    "SELECT m.thread FROM {messages} m"
    " JOIN {threads} t ON t.tenant = m.tenant AND t.thread = m.thread"
    " WHERE m.message = ? AND m.tenant = ? AND m.hop > 0 AND t.copied = 1"
    " ORDER BY t.created_position, m.thread"
)


def all_forks(tx: Transaction, tenant: int, thread_id: bytes) -> list[bytes]:
    """Return every fork of a thread, copied and deleted ones too, in the order of creation."""
    return [bytes(row[0]) for row in tx.all(_ALL, (tenant, thread_id))]


def direct_forks(tx: Transaction, tenant: int, thread_id: bytes) -> list[bytes]:
    """Return the threads forked from a thread, deleted ones too, in the order of their creation."""
    return [bytes(row[0]) for row in tx.all(_FORKS, (tenant, thread_id))]


def copied_forks(tx: Transaction, tenant: int, thread_id: bytes) -> list[bytes]:
    """Return the forks of a thread that stand by themselves, in the order of their creation."""
    return [bytes(row[0]) for row in tx.all(_COPIED, (tenant, thread_id))]


def readers_of(tx: Transaction, tenant: int, thread_id: bytes) -> frozenset[bytes]:
    """Return every thread that reads from a thread: its forks, their forks, and so on."""
    rows = tx.all(_READERS, (tenant, thread_id, tenant))
    return frozenset(bytes(row[0]) for row in rows)


def holders_of_copies(tx: Transaction, tenant: int, message_id: bytes) -> list[bytes]:
    """Return the threads that stand by themselves and hold a copy of a message they inherited."""
    return [bytes(row[0]) for row in tx.all(_HOLDERS, (message_id, tenant))]
