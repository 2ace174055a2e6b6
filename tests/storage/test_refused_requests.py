"""A refused request in a transaction that others share takes nothing along, in any table."""

import pytest

from eventstore import ConversationStore, InvalidInput, MessageNotFound, NewEvent
from eventstore.api.batches import Batch
from eventstore.api.operations import messages, threads
from eventstore.api.operations.operation import NO_OPTIONS, Maintenance, WriteOptions
from eventstore.write_path.requests import Appended, Failed
from eventstore.write_path.transaction_runner import TransactionRunner

UNKNOWN = "msg_" + "0" * 32


def together(store, *writes):
    """Perform several writes in one transaction, as the shared writer does."""
    perform = TransactionRunner(store.scope.log, store.scope.metrics.begun)
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
    batch = Batch(scope, thread.id, NO_OPTIONS)
    batch.thread.update(metadata={"k": "new"})
    batch.messages.remove(UNKNOWN)
    refused = batch.as_write()
    assert refused is not None
    first, _ = together(store, refused, threads.update(scope, other.id, title="x"))
    assert isinstance(first, Failed)
    assert [one.id for one in store.threads.list(metadata={"k": "old"})] == [thread.id]
    assert list(store.threads.list(metadata={"k": "new"})) == []


NAMES = "SELECT name FROM {tenants} UNION SELECT name FROM {categories}"


def test_a_refused_request_to_a_new_stream_leaves_no_name_of_its_tenant_behind(store):
    scope = store.tenant("nobody").scope
    said = {"role": "user", "content": "x"}
    refused = threads.create(scope, messages=[said, {**said, "parent_id": UNKNOWN}])
    first, second = together(store, refused, threads.create(store.scope))
    assert isinstance(first, Failed)
    assert isinstance(second, Appended)
    assert names(store) == {"", "thread"}
    with pytest.raises(InvalidInput):
        store.tenant("nobody").events.append(
            f"invoice_{1:032x}",
            [NewEvent(type="Paid"), NewEvent(type="Sent", content={"said": "x" * 2**25})],
            expected_version="no_stream",
        )
    assert names(store) == {"", "thread"}


def test_the_first_streams_of_a_tenant_share_its_name_and_are_found(store):
    """Several, in one transaction, each with several events; one of them is refused."""
    scope = store.tenant("acme").scope
    said = [{"role": "user", "content": word} for word in ("one", "two")]
    refused = threads.create(scope, messages=[*said, {**said[0], "parent_id": UNKNOWN}])
    made = together(
        store,
        threads.create(scope, messages=said, options=WriteOptions(idempotency_key="k")),
        refused,
        threads.create(scope, messages=said),
    )
    assert [type(one) for one in made] == [Appended, Failed, Appended]
    assert names(store) == {"acme", "thread"}
    bound = store.tenant("acme")
    ids = [thread.id for thread in bound.threads.list()]
    assert set(ids) == {made[at].result[0].id for at in (0, 2)}
    for thread in ids:
        assert [message.text for message in bound.messages.list(thread)] == ["one", "two"]
    assert bound.projections.compare().ok
    assert bound.threads.create(messages=said, idempotency_key="k").id == made[0].result[0].id


def names(store):
    return {row[0] for row in store._executor.read(lambda tx: tx.all(NAMES))}  # noqa: SLF001
