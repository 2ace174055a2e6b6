"""Snapshots of states on PostgreSQL, where writes go on side by side."""

import psycopg
import pytest

from eventstore.threads import folding, leaving
from tests.effort import events_decoded
from tests.postgres.bad_days import WAYS, open_at

COUNT = "SELECT count(*) FROM snapshots"


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(folding, "EVENTS_MAX", 10)


def amended(store, count=40):
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content="words").id
    for n in range(count):
        store.messages.amend(thread, said, content=f"words {n}")
    return thread


@pytest.mark.newest_postgres
@pytest.mark.parametrize("way", WAYS)
def test_the_next_write_takes_them_along_for_everybody(url, admin, way):
    with open_at(url, way) as store, open_at(url, way) as other:
        thread = amended(store)
        told = store.replay.state(thread).value()
        assert admin.execute(COUNT).fetchone() == (0,)
        store.threads.create()
        assert admin.execute(COUNT).fetchone()[0] > 1
        assert events_decoded(other.replay.state, thread) < 20
        assert other.replay.state(thread).value() == told
        assert other.replay.state(thread, at_version=30).messages[0].text == "words 27"
        assert other.audit.verify().findings == ()
        other.privacy.purge(thread)
        assert admin.execute(COUNT).fetchone() == (0,)


@pytest.mark.newest_postgres
@pytest.mark.parametrize("way", WAYS)
def test_whoever_passes_a_multiple_leaves_them_and_so_does_whoever_closes(
    url, admin, way, monkeypatch
):
    monkeypatch.setattr(leaving, "SPAN", 30)
    with open_at(url, way) as store, open_at(url, way) as other:
        thread = amended(store, 70)
        store.threads.create()
        assert admin.execute(COUNT).fetchone()[0] > 1
        assert events_decoded(other.replay.state, thread) < 50
    admin.execute("DELETE FROM snapshots")
    with open_at(url, way) as store:
        store.replay.state(thread)
        assert admin.execute(COUNT).fetchone() == (0,)
    assert admin.execute(COUNT).fetchone()[0] > 1


@pytest.mark.newest_postgres
def test_a_write_waits_for_nobody_who_holds_the_thread(store, admin, server, migrated):
    thread = amended(store)
    store.replay.state(thread)
    with psycopg.connect(server.dsn(database=migrated)) as held:
        held.execute("SELECT 1 FROM streams FOR UPDATE")
        store.threads.create()
        assert admin.execute(COUNT).fetchone() == (0,)
    store.replay.state(thread)
    store.threads.create()
    assert admin.execute(COUNT).fetchone()[0] > 1
