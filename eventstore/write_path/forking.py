"""Decides a fork: finds the message and the version in the source, under the same lock."""

from __future__ import annotations

from eventstore.conversation import commands as c
from eventstore.conversation.commands.checks import living_thread
from eventstore.conversation.commands.threads import fork
from eventstore.core import ids
from eventstore.core.events import Decided, StreamKey
from eventstore.errors import InvalidInput, Refused
from eventstore.storage import read
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.past_thread import thread_at
from eventstore.threads.stored_thread import StoredThread
from eventstore.write_path.heads import locked_head

__all__ = ["decide_fork"]


def decide_fork(
    tx: Transaction, log: Log, view: StoredThread, now: StoredThread, command: c.ForkThread
) -> list[Decided]:
    """Return the first event of a fork of the thread ``now``, whose head is locked.

    At the source's current version the rows suffice, and cost the same at any length. At an earlier
    version the path is searched for messages that were removed then.
    """
    last = living_thread(now).version
    version = last if command.at_version is None else command.at_version
    if not 1 <= version <= last:
        raise InvalidInput(
            "at_version", f"{version} is not a version of the source", f"Give 1 to {last}."
        )
    stream = StreamKey(now.tenant_name, ids.THREAD, command.source_id)
    source = now if version == last else thread_at(tx, log, stream, version)
    thread = living_thread(source)
    message_id = command.at_message or thread.head
    if message_id is None:
        raise Refused(
            "nothing_to_fork", "the source has no message on its active path", "Give at_message."
        )
    return fork(view, source, message_id, version, _hash_at(tx, stream, version))


def _hash_at(tx: Transaction, stream: StreamKey, version: int) -> bytes:
    head = locked_head(tx, stream)
    if head is not None and head.version == version:
        return head.hash
    return read.event_at(tx, stream, version).hash
