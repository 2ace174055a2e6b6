"""Holds that a refusal writes nothing: the rows of every table are counted before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eventstore import ConversationStore, InvalidInput
from eventstore.api.operations.operation import Read
from eventstore.storage.tables import TABLES


def counted(store: ConversationStore) -> dict[str, int]:
    """How many rows each table has, the ones that name tenants and categories included."""
    rows: dict[str, int] = store.perform(Read(_counted))
    return rows


def _counted(tx) -> dict[str, int]:
    counts = ", ".join(f"(SELECT count(*) FROM {{{name}}})" for name in TABLES)
    return dict(zip(TABLES, tx.one(f"SELECT {counts}"), strict=True))


@contextmanager
def untouched(store: ConversationStore) -> Iterator[None]:
    """Fail if the block leaves a row behind, or takes one away."""
    before = counted(store)
    yield
    assert counted(store) == before


@contextmanager
def refused(store: ConversationStore, field: str, remedy: str = "") -> Iterator[None]:
    """Expect InvalidInput that names ``field`` and says what to do, and nothing written."""
    with untouched(store), pytest.raises(InvalidInput) as caught:
        yield
    error = caught.value
    assert error.field == field
    assert error.remedy
    assert remedy in error.remedy
    assert str(error).startswith(f"{field}: ")
