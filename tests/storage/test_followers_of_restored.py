"""Subscriptions and projections that have come further than a restored log goes."""

import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore, StoreUnavailable
from eventstore.read_models import projection
from tests.storage.test_restored import back_up, restore, say


@projection("counting", tables=["seen"], create="CREATE TABLE {seen} (stream TEXT)")
def counting(tables, event):
    tables.run("INSERT INTO {seen} VALUES (?)", (event.stream_id,))


@pytest.fixture
def places(tmp_path):
    return tmp_path / "chat.db", tmp_path / "backup.db"


def refused(act):
    with pytest.raises(StoreUnavailable) as caught:
        act()
    assert caught.value.reason == "restored"


def test_a_subscription_that_has_come_further_says_so(places):
    path, place = places
    with ConversationStore.open(f"sqlite:///{path}") as store:
        say(store, "", "first")
        back_up(path, place)
        say(store, "", "lost")
        told = list(store.events.read_all())
        following = store.events.subscribe()
        assert [next(following) for _ in told] == told
        restore(place, path)
        refused(lambda: next(following))
        refused(lambda: next(store.events.subscribe(after=told[-1].position)))
        again = store.events.subscribe(after=told[1].position)
        say(store, "", "after")
        assert next(again).type == "ThreadCreated"


def test_so_does_one_whose_last_event_is_another_by_now(places):
    path, place = places
    with ConversationStore.open(f"sqlite:///{path}") as store:
        say(store, "", "first")
        back_up(path, place)
        say(store, "", "lost")
        following = store.events.subscribe()
        told = [next(following) for _ in range(4)]
        restore(place, path)
        with ConversationStore.open(f"sqlite:///{path}") as other:
            for _ in range(3):
                say(other, "", "beyond where the log ended")
            positions = [one.position for one in other.events.read_all()]
        assert positions[:4] == [one.position for one in told]
        refused(lambda: next(following))


def test_one_that_was_not_overtaken_goes_on(places):
    path, place = places
    with ConversationStore.open(f"sqlite:///{path}") as store:
        say(store, "", "first")
        following = store.events.subscribe()
        told = [next(following) for _ in range(2)]
        back_up(path, place)
        say(store, "", "lost")
        restore(place, path)
        say(store, "", "after")
        later = [next(following) for _ in range(2)]
        assert [one.position.sequence for one in [*told, *later]] == [1, 2, 3, 4]
        assert (later[1].content or {})["parts"] == ["after"]


@pytest.mark.parametrize("running", [False, True])
def test_a_projection_whose_checkpoint_lies_ahead_says_so_until_it_is_built_anew(places, running):
    path, _ = places
    with ConversationStore.open(f"sqlite:///{path}") as store:
        store.projections.register(counting)
        say(store, "", "first")
        store.projections.catch_up()
        with closing(sqlite3.connect(path)) as database:  # a restored table, beside older events
            database.execute("UPDATE projections SET position = 99")
            database.commit()
        refused(store.projections.run if running else store.projections.catch_up)
        store.projections.rebuild(projection="counting")
        [status] = store.projections.catch_up()
        assert (status.state, status.generation, status.active) == ("idle", 2, True)
        assert len(store.projections.query("counting", "SELECT stream FROM {seen}")) == 2
        say(store, "", "after")
        store.projections.catch_up()
        assert len(store.projections.query("counting", "SELECT stream FROM {seen}")) == 4
