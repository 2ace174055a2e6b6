"""Check what belongs to no single stream that was walked: rows of threads that the log lacks."""

from __future__ import annotations

from collections.abc import Iterator

from eventstore.audit.findings import AuditFinding, finding
from eventstore.core import ids
from eventstore.storage.blob_checks import unpaired_blobs
from eventstore.storage.key_checks import keys_beside_the_log
from eventstore.storage.nameless import nameless
from eventstore.storage.transaction import Transaction
from eventstore.threads.orphans import orphans
from eventstore.write_path.assistant_rows import assistants_that_differ

__all__ = ["leftovers"]


def leftovers(tx: Transaction, tenant: str) -> Iterator[AuditFinding]:
    """Yield what is wrong beside the streams of a tenant."""
    tables: dict[bytes, list[str]] = {}
    for table, thread in orphans(tx, tenant):
        tables.setdefault(thread, []).append(table)
    for thread, names in tables.items():
        message = f"the thread has rows in {', '.join(names)}, and no events"
        yield finding(ids.show(ids.THREAD, thread), 0, "missing", message)
    for lacking, number in nameless(tx, tenant):
        message = f"{lacking}: no row names the number {number}, so its streams were not verified"
        yield finding(lacking, number, "missing", message, _NAME)
    for one in unpaired_blobs(tx, tenant):
        message = "blobs: a row that no event's content is in"
        yield finding(one.stream.text, one.version, "inserted", message, _BLOB)
    for stream in keys_beside_the_log(tx, tenant):
        message = "idempotency_keys: a key names versions that the stream does not have"
        yield finding(stream.text, 0, "projection_differs", message, _KEY)
    for assistant, version, message in assistants_that_differ(tx, tenant):
        yield finding(assistant, version, "projection_differs", message, _ASSISTANT)


_BLOB = (
    "Delete it if its event was erased by hand: it may hold what was to go. Otherwise restore the"
    " event from a backup."
)
_NAME = (
    "Restore the row from a backup and verify again: the name is part of each hash, so only the"
    " right one holds."
)
_KEY = "Restore the row from a backup, or delete it: then a late repeat is a new command."
_ASSISTANT = "Correct the row by hand from the assistant's events: nothing rebuilds it."
