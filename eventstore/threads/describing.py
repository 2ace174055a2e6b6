"""Index forks anew under the metadata that they inherit, after some of it was erased."""

from __future__ import annotations

from eventstore.conversation.present import thread_details
from eventstore.core.events import StreamKey
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.forks import forks_below
from eventstore.threads.indexes import ContentIndex
from eventstore.threads.stored_thread import StoredThread

__all__ = ["describe_forks"]


def describe_forks(tx: Transaction, log: Log, source: StreamKey) -> None:
    """Give every fork of a thread, and forks of these, the index entries of its metadata as of now.

    The caller holds the head of the source, so no fork is made meanwhile.
    """
    tenant = find_tenant(tx, source.tenant)
    index = ContentIndex()
    for fork_id in () if tenant is None else forks_below(tx, tenant, source.id):
        view = StoredThread(tx, log, source.tenant, fork_id)
        if view.thread is not None:
            metadata = thread_details(view)[1]
            index.describe(source._replace(id=fork_id), metadata, view.thread.created_position)
    index.write(tx)
