"""Finds everything that an erasure removes in one thread: events, keys and external ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eventstore.conversation.commands import EraseAll, EraseContent
from eventstore.conversation.commands.erasable_content import Found
from eventstore.conversation.commands.erase_all import find_all
from eventstore.conversation.commands.erasures import find
from eventstore.core import ids
from eventstore.core.events import StreamKey, Trace
from eventstore.storage.erasing import keys_of
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.threads.indexes import names_of
from eventstore.threads.stored_thread import StoredThread

__all__ = ["Erasing", "find_erasing"]


class Erasing(NamedTuple):
    """Everything that an erasure removes in one thread."""

    found: Found
    keys: Sequence[tuple[int, str]]
    """Idempotency keys of commands whose events lose content; see ``storage.erasing.keys_of``."""
    names: Sequence[tuple[str, bytes]]
    """External ids, each with its message."""


def find_erasing(
    tx: Transaction, view: StoredThread, command: EraseContent | EraseAll, traces: Sequence[Trace]
) -> Erasing:
    """Find what an erasure removes: scans all events (``traces``), keys and external ids."""
    stream = StreamKey(view.tenant_name, ids.THREAD, view.thread_id)
    tenant = find_tenant(tx, stream.tenant)
    if isinstance(command, EraseAll):
        found = find_all(view, command, traces)
    else:
        found = find(view, command, traces)
    messages = frozenset(found.messages)
    names = [] if tenant is None else names_of(tx, tenant, stream.id, messages)
    return Erasing(found, keys_of(tx, stream, found.versions), names)
