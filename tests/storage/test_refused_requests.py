"""A refused request in a transaction that others share takes nothing along, in any table."""

import pytest

from eventstore import ConversationStore, MessageNotFound
from eventstore.batches import Batch
from eventstore.connect import Performer
from eventstore.operations import messages, threads
from eventstore.operations.operation import Maintenance
from eventstore.storage.append import Appended, Failed

UNKNOWN = "msg_" + "0" * 32


def together(store, *writes):
    """Perform several writes in one transaction, as the shared writer does."""
    perform = Performer(store.scope.log, store.scope.meter)
    return store._executor.write(  # noqa: SLF001 (no public way to make two callers meet)
        Maintenance(lambda tx: perform(tx, [write.request for write in writes]))
    ).result


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def test_a_refused_create_many_leaves_no_external_id_behind(store):
    thread = store.threads.create()
    scope = store.scope
    good = {"role": "user", "content": "x", "external_id": "taken back"}
    refused = messages.create_many(scope, thread.id, [good, {**good, "parent_id": UNKNOWN}])
    taken = messages.create(scope, thread.id, role="user", content="y", external_id="kept")
    first, second = together(store, refused, taken)
    assert isinstance(first, Failed)
    assert isinstance(second, Appended)
    assert [message.text for message in store.messages.list(thread.id)] == ["y"]
    assert store.messages.get(thread.id, external_id="kept").text == "y"
    with pytest.raises(MessageNotFound):
        store.messages.get(thread.id, external_id="taken back")
    assert store.projections.compare().ok
    rows = store._executor.read(lambda tx: tx.all("SELECT external_id FROM {external_ids}"))  # noqa: SLF001
    assert rows == [("kept",)]


def test_a_refused_batch_leaves_no_metadata_behind(store):
    thread, other = store.threads.create(metadata={"k": "old"}), store.threads.create()
    scope = store.scope
    batch = Batch(scope, thread.id, {})
    batch.thread.update(metadata={"k": "new"})
    batch.messages.remove(UNKNOWN)
    refused = batch.as_write()
    assert refused is not None
    first, _ = together(store, refused, threads.update(scope, other.id, title="x"))
    assert isinstance(first, Failed)
    assert [one.id for one in store.threads.list(metadata={"k": "old"})] == [thread.id]
    assert list(store.threads.list(metadata={"k": "new"})) == []
