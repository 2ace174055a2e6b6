"""A forked child has no listener and no subscriber of its parent's; both go on by themselves."""

import os
import sqlite3
import threading

import pytest

from eventstore import ConversationStore
from eventstore.testing.postgres_server import PostgresServer
from tests.concurrency.schedules import Child
from tests.subscriptions.ways import FOREVER, changed, named, opened, stream, until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def watching():
    return [one for one in threading.enumerate() if one.name == "eventstore-watcher"]


def assert_parent_and_child_follow(url, **options):
    with opened(ConversationStore, url, **options) as store:
        follower = store.follow(poll_seconds=FOREVER)
        until(watching)

        def act():
            assert not watching()
            assert not changed(store.store).in_demand
            events = store.store.events.subscribe(poll_seconds=FOREVER)
            store.store.events.append(stream(2), named("child"), expected_version="any")
            assert next(events).data == {"name": "before"}
            assert next(events).data == {"name": "child"}
            store.store.close()

        store.append(1, "before")
        follower.until(1)
        store.until_waiting()
        assert Child(act).wait() == 0
        follower.until(2)  # heard from the child, by a thread that was started again
        store.append(1, "after")
        follower.until(3)
        assert follower.names == ["before", "child", "after"]
    assert not watching()


def test_on_a_file(tmp_path):
    assert_parent_and_child_follow(f"sqlite:///{tmp_path}/chat.db")
    connection = sqlite3.connect(tmp_path / "chat.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_on_a_server():
    with PostgresServer(durable=False) as server:
        url = server.url(database=server.create_database())
        assert_parent_and_child_follow(url, durability="as_is")
