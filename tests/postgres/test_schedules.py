"""The schedules find what is wrong with two well-known orders, and nothing with the right one.

A test that cannot fail proves nothing: the first ones here are the test of this test. What it can
find does not depend on the server's version, so the newest is enough for them. Then comes the store
itself; `EVENTSTORE_TORTURE_APPENDS=100000 make pytest PYTEST="-k schedules"` for more.
"""

import gc
import os
from typing import Any

import psycopg
import pytest

from eventstore.testing.postgres_server import PostgresServer
from eventstore.testing.schedules import Schedule, long_schedule, run
from eventstore.testing.schedules.naive import PostgresStore
from eventstore.testing.schedules.ours import OurStore

APPENDS = 500
ONE_PROCESS: dict[str, Any] = {"processes": 1, "threads": 8}
"""Enough for what goes wrong between transactions, and quicker to start than two."""
TWO_PROCESSES: dict[str, Any] = {"processes": 2, "threads": 4}
"""Where processes are killed, or a lock within one would hide what happens between two."""
OURS = int(os.environ.get("EVENTSTORE_TORTURE_APPENDS", "20000"))
"""Of the store itself, on the newest version."""


@pytest.fixture
def store(server, database):
    """A store with one of the orders."""
    return lambda order: PostgresStore(server.dsn(database=database), order)


@pytest.mark.newest_postgres
def test_a_plain_sequence_is_found_to_lose(store):
    report = run(Schedule(appends=APPENDS, seed=1, **ONE_PROCESS), store("position"))
    assert report.lost
    assert not report.reordered
    assert not report.gaps
    assert not report.stalled


@pytest.mark.newest_postgres
def test_transaction_ids_below_the_horizon_are_found_to_reorder(store):
    report = run(Schedule(appends=APPENDS, seed=2, **ONE_PROCESS), store("transaction"))
    assert report.reordered
    assert not report.lost
    assert not report.gaps
    assert not report.stalled


@pytest.mark.newest_postgres
def test_a_key_that_never_falls_loses_and_reorders_nothing(store):
    report = run(
        Schedule(appends=APPENDS, seed=3, kills=1, poll_seconds=0.01, **TWO_PROCESSES), store("key")
    )
    assert report.ok, str(report)
    assert report.killed == 1
    assert report.stored >= report.acknowledged > APPENDS


@pytest.mark.newest_postgres
def test_a_transaction_left_open_is_found_to_stall_the_readers(server, database, store):
    with psycopg.connect(server.dsn(database=database)) as forgotten:
        forgotten.execute("SELECT pg_current_xact_id()")
        report = run(Schedule(appends=20, settle_seconds=0.2, **ONE_PROCESS), store("key"))
    assert len(report.stalled) == 3  # the two, and the late reader
    assert not report.lost


def test_nothing_acknowledged_is_lost_by_the_reference_when_its_server_is_killed():
    with PostgresServer(durable=False) as own:
        store = PostgresStore(own.dsn(database=own.create_database()), "key")
        schedule = Schedule(appends=2 * APPENDS, seed=5, server_kills=1, **TWO_PROCESSES)
        report = run(schedule, store, server=own)
    assert report.ok, str(report)
    assert report.servers_killed == 1


def test_the_store_loses_and_reorders_nothing_on_every_version(server, migrated):
    store = OurStore(server.url(database=migrated), durability="as_is")
    schedule = Schedule(
        appends=APPENDS // 2, seed=7, kills=1, streams=30, poll_seconds=0.01, **TWO_PROCESSES
    )
    report = run(schedule, store)
    gc.collect()
    assert report.ok, str(report)
    assert report.killed == 1
    assert report.stored >= report.acknowledged > APPENDS // 2 * 0.8


@pytest.mark.timeout(120 + OURS // 20)
def test_nothing_is_lost_doubled_reordered_or_stalled_while_writers_and_the_server_are_killed():
    with PostgresServer(durable=False) as own:
        store = OurStore(own.url(database=own.create_database()), durability="as_is")
        report = run(long_schedule(OURS, seed=6, server_kills=1), store, server=own)
        gc.collect()
    assert report.ok, str(report)
    assert report.killed == 2
    assert report.servers_killed == 1
    assert report.stored >= report.acknowledged > report.transactions > OURS * 0.8
