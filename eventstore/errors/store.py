"""Errors of the database: busy, failed while committing, or not usable as it is."""

from __future__ import annotations

from eventstore.errors.base import ConversationStoreError

__all__ = ["OutcomeUnknown", "SchemaTooNew", "StoreBusy", "StoreClosed", "StoreUnavailable"]


class StoreBusy(ConversationStoreError):
    """The database or the queue of writes stayed busy for too long. **Nothing** was written."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. Nothing was written. Try again.")
        self.problem = problem


class OutcomeUnknown(ConversationStoreError):
    """The database failed while committing: the write **may** have happened."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem}. The write may have been committed. Send it again with the same "
            "idempotency key, or read the thread to find out."
        )
        self.problem = problem


class StoreUnavailable(ConversationStoreError):
    """The database cannot be used as it is. Nothing was written.

    ``reason`` is one of ``"not_a_database"``, ``"read_only"``, ``"disk_full"``, ``"cannot_open"``,
    ``"io_error"``, ``"corrupt"``, ``"not_migrated"``, ``"names_taken"``, ``"schema_too_new"``,
    ``"unsafe_settings"``, ``"constraint"``, ``"forked"``, ``"restored"``, ``"driver"``; with a
    database server, also ``"connection_lost"``, ``"password"``, ``"authorization"``,
    ``"no_permission"``, ``"no_such_database"``, ``"no_such_schema"``, ``"transaction_failed"``,
    ``"encoding"``, ``"out_of_memory"``.
    """

    def __init__(self, reason: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.reason = reason
        self.problem = problem
        self.remedy = remedy


class SchemaTooNew(StoreUnavailable):
    """The database was made or migrated by a newer version of this library."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            "schema_too_new",
            f"the database has schema revision {found!r}, but this version of the library knows"
            f" only up to {known!r}",
            "Upgrade conversation-eventstore to the version that migrated the database.",
        )
        self.found = found
        self.known = known


class StoreClosed(ConversationStoreError):
    """The store was closed. Nothing was written."""

    def __init__(self) -> None:
        super().__init__("the store is closed. Open it again with open().")
