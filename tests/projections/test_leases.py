"""Leases of runs: a table that no event fills, which a rebuild still keeps true."""

import pytest

from eventstore import ConversationStore, IdempotencyConflict, InvalidInput, LeaseLost
from tests.projections.vandals import contents, vandal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path):
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        yield opened


def started(store, **options):
    thread = store.threads.create().id
    return store.runs.start(thread, store.runs.create(thread).id, **options)


def test_a_lease_that_was_lost_counts_as_ended(store, path):
    run = started(store, holder="one", lease_seconds=600)
    with vandal(path) as connection:
        connection.execute("DELETE FROM leases")
    assert [one.id for one in store.runs.list(lease_ended=True)] == [run.id]
    [finding] = store.projections.compare().findings
    assert (finding.kind, finding.message[:6]) == ("missing_row", "leases")
    store.projections.rebuild()
    assert store.projections.compare().ok
    assert [one.id for one in store.runs.list(lease_ended=True)] == [run.id]
    store.runs.heartbeat(run.thread_id, run.id, fence=run.fence)
    assert [one.id for one in store.runs.list(lease_ended=False)] == [run.id]


def test_a_lease_on_a_run_that_nobody_holds_goes(store, path):
    kept, ended = started(store), started(store)
    store.runs.complete(ended.thread_id, ended.id)
    before = contents(path)
    with vandal(path) as connection:
        connection.execute(
            "INSERT INTO leases SELECT tenant, thread, run, 5 FROM runs WHERE run = ?",
            [bytes.fromhex(ended.id.removeprefix("run_"))],
        )
    [finding] = store.projections.compare().findings
    assert (finding.kind, finding.message[:6]) == ("extra_row", "leases")
    store.projections.rebuild()
    assert contents(path) == before
    assert store.runs.get(kept.thread_id, kept.id) == kept


def test_the_table_holds_the_runs_at_hand_and_no_others(store, path):
    for _ in range(5):
        run = started(store)
        store.runs.complete(run.thread_id, run.id)
    assert contents(path)["leases"] == []
    started(store)
    assert len(contents(path)["leases"]) == 1


def test_a_heartbeat_is_no_event(store):
    run = started(store)
    before = list(store.events.read(run.thread_id))
    for _ in range(3):
        store.runs.heartbeat(run.thread_id, run.id, fence=run.fence)
    assert list(store.events.read(run.thread_id)) == before
    assert store.threads.get(run.thread_id).version == before[-1].version


def test_a_lease_outlives_the_store_that_gave_it(store, path):
    run = started(store, lease_seconds=600)
    with ConversationStore.open(f"sqlite:///{path}") as other:
        moved = other.runs.heartbeat(run.thread_id, run.id, fence=run.fence, lease_seconds=900)
    assert store.runs.get(run.thread_id, run.id) == moved


def test_the_next_holder_may_repeat_what_the_one_before_wrote(store):
    first = started(store)
    thread = first.thread_id

    def answer(fence, text="done"):
        return store.messages.create(
            thread,
            role="assistant",
            content=text,
            run_id=first.id,
            fence=fence,
            idempotency_key="answer",
        )

    made = answer(first.fence)
    second = store.runs.start(thread, first.id, take_over=True)
    assert answer(second.fence) == answer(first.fence) == made
    with pytest.raises(IdempotencyConflict):
        answer(second.fence, "something else")


def test_a_refused_batch_leaves_the_lease(store):
    run = started(store, lease_seconds=600)

    def batch():
        with store.threads.batch(run.thread_id) as both:
            both.runs.complete(run.id, fence=run.fence)
            both.messages.create(role="assistant", content="late", run_id=run.id, fence=1)

    with pytest.raises(LeaseLost):
        batch()
    assert store.runs.get(run.thread_id, run.id) == run
    assert store.projections.compare().ok


def test_a_run_that_is_being_cancelled_is_taken_over_too(store):
    run = started(store, holder="one")
    store.runs.cancel(run.thread_id, run.id)
    taken = store.runs.start(run.thread_id, run.id, holder="two", take_over=True, fence=run.fence)
    assert (taken.status, taken.holder) == ("cancelling", "two")
    with pytest.raises(LeaseLost):
        store.runs.cancel(run.thread_id, run.id, fence=run.fence)
    assert store.runs.cancel(run.thread_id, run.id, fence=taken.fence).status == "cancelled"


BAD = {
    "lease_seconds": [
        lambda s, r: s.runs.start(r.thread_id, r.id, lease_seconds=-1),
        lambda s, r: s.runs.start(r.thread_id, r.id, lease_seconds=True),
        lambda s, r: s.runs.start(r.thread_id, r.id, lease_seconds=float("nan")),
        lambda s, r: s.runs.heartbeat(r.thread_id, r.id, fence=r.fence, lease_seconds=1e9),
    ],
    "fence": [
        lambda s, r: s.runs.start(r.thread_id, r.id, fence=0),
        lambda s, r: s.runs.heartbeat(r.thread_id, r.id, fence=None),
        lambda s, r: s.runs.complete(r.thread_id, r.id, fence="3"),
        lambda s, r: s.messages.create(r.thread_id, role="user", content="x", fence=3),
    ],
    "queue": [
        lambda s, r: s.runs.create(r.thread_id, queue=""),
        lambda s, _: s.runs.list(queue=3),
    ],
    "status": [lambda s, _: s.runs.list(status="running"), lambda s, _: s.runs.list(status=3)],
    "lease_ended": [lambda s, _: s.runs.list(lease_ended="yes")],
    "updated_before": [lambda s, _: s.runs.list(updated_before="yesterday")],
    "after": [lambda s, _: s.runs.list(after="x")],
}


@pytest.mark.parametrize("field", BAD)
def test_bad_values_are_named(store, field):
    run = started(store)
    for act in BAD[field]:
        with pytest.raises(InvalidInput) as caught:
            act(store, run)
        assert caught.value.field == field
