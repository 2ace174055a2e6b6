"""A mistake in what the writer remembers is not written on PostgreSQL, either.

Each append locks and reads the heads of its streams there, and what is remembered of a stream whose
head is another one is dropped.
"""

import pytest

from tests.storage.test_remembered_heads import MISTAKES, begun, confirm, mistake

pytestmark = pytest.mark.newest_postgres


@pytest.mark.parametrize("change", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_memory_is_not_written(store, change):
    thread_id = begun(store)
    mistake(store, thread_id, change)
    assert store.messages.create(thread_id, role="user", content="two").version == 3
    confirm(store, thread_id, ["one", "two"])
