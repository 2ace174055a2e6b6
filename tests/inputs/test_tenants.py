"""A store that is bound to a tenant learns nothing of others, not even that there are any."""

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.read_models import Usage, projection


@projection("broken", tables=("nothing",), create="CREATE TABLE {nothing} (x INTEGER)")
def broken(*_):
    """Stop at the first event."""
    raise RuntimeError


@pytest.fixture
def shared(store):
    """A store whose tenant north has two events, and south four."""
    store.tenant("north").threads.create(messages=[{"role": "user", "content": "x"}])
    store.tenant("south").threads.create(messages=[{"role": "user", "content": "x"}] * 3)
    return store


def events_seen(store):
    return store.health().events


def missing(store):
    [status] = [one for one in store.projections.status() if one.name == "usage"]
    return status.lag_events


@pytest.mark.parametrize("asked", [events_seen, missing])
def test_a_tenant_counts_its_own_events_and_the_application_everybodys(shared, asked):
    shared.projections.register(Usage())
    north = shared.tenant("north")
    assert [asked(one) for one in (north, shared.tenant("nobody"), shared)] == [2, 0, 6]
    shared.tenant("south").threads.create()
    assert [asked(one) for one in (north, shared)] == [2, 7]
    north.threads.create()
    assert [asked(one) for one in (north, shared)] == [3, 8]


def test_how_late_a_projection_is_is_told_by_the_tenants_own_events(shared):
    shared.projections.register(Usage())
    [late] = shared.tenant("south").projections.status()
    [never] = shared.tenant("nobody").projections.status()
    assert late.lag_seconds > 0
    assert never.lag_seconds == 0


def test_where_a_projection_stopped_is_told_to_the_application_alone(shared):
    shared.projections.register(broken)
    [whole] = shared.projections.catch_up()
    [north] = shared.tenant("north").projections.status()
    [south] = shared.tenant("south").projections.status()
    assert whole.failed.version == 1
    assert "RuntimeError" in whole.error
    for told in (north, south):
        assert (told.state, told.failed) == ("failed", None)
        assert told.error == "ask the store that is not bound to a tenant why it stopped"


async def test_the_async_face_is_told_the_same(tmp_path):
    async with AsyncConversationStore.open(f"sqlite+aiosqlite:///{tmp_path}/x.db") as store:
        await store.tenant("north").threads.create()
        assert (await store.tenant("south").health()).events == 0
        assert (await store.health()).events == 1


def test_what_was_purged_is_no_longer_counted_to_its_tenant(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/x.db") as store:
        north = store.tenant("north")
        thread = north.threads.create(messages=[{"role": "user", "content": "x"}] * 5)
        north.privacy.purge(thread.id)
        assert north.health().events == 1  # the tombstone
