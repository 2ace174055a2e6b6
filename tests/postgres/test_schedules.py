"""The schedules find what is wrong with two well-known orders, and nothing with the right one.

A test that cannot fail proves nothing: the first two here are the test of this test. Then comes
the store itself; `EVENTSTORE_TORTURE_APPENDS=20000 make pytest PYTEST="-k schedules"` for more.
"""

import gc
import os
from typing import Any

import psycopg
import pytest

from eventstore.testing.postgres_server import PostgresServer, available_majors
from eventstore.testing.schedules import Progress, Schedule, run
from eventstore.testing.schedules.naive import PostgresStore
from eventstore.testing.schedules.ours import OurStore

APPENDS = 500
ONE_PROCESS: dict[str, Any] = {"processes": 1, "threads": 8}
"""Enough for what goes wrong between transactions, and quicker to start than two."""
OURS = int(os.environ.get("EVENTSTORE_TORTURE_APPENDS", "1200"))
"""Of the store itself, on all servers together."""


@pytest.fixture
def store(server, database):
    """A store with one of the orders."""
    return lambda order: PostgresStore(server.dsn(database=database), order)


def test_a_plain_sequence_is_found_to_lose(store):
    report = run(Schedule(appends=APPENDS, seed=1, **ONE_PROCESS), store("position"))
    assert report.lost
    assert not report.reordered
    assert not report.gaps
    assert not report.stalled


def test_transaction_ids_below_the_horizon_are_found_to_reorder(store):
    report = run(Schedule(appends=APPENDS, seed=2, **ONE_PROCESS), store("transaction"))
    assert report.reordered
    assert not report.lost
    assert not report.gaps
    assert not report.stalled


def test_a_key_that_never_falls_loses_and_reorders_nothing(store):
    report = run(Schedule(appends=APPENDS, seed=3, kills=1), store("key"))
    assert report.ok, str(report)
    assert report.killed == 1
    assert report.stored >= report.acknowledged > APPENDS


def test_a_transaction_left_open_is_found_to_stall_the_readers(server, database, store):
    with psycopg.connect(server.dsn(database=database)) as forgotten:
        forgotten.execute("SELECT pg_current_xact_id()")
        report = run(Schedule(appends=20, settle_seconds=0.2, **ONE_PROCESS), store("key"))
    assert len(report.stalled) == 3  # the two, and the late reader
    assert not report.lost


@pytest.mark.parametrize("which", ["reference", "ours"])
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(which):
    killed: list[Progress] = []

    with PostgresServer() as own:

        def kill_it_once(progress):
            if progress.acknowledged > progress.of // 20 and not killed:
                killed.append(progress)
                own.kill()
                own.restart()

        name = own.create_database()
        store = (
            PostgresStore(own.dsn(database=name), "key")
            if which == "reference"
            else OurStore(own.url(database=name))
        )
        report = run(Schedule(appends=2 * APPENDS, seed=5), store, kill_it_once)
        gc.collect()
    assert killed
    assert report.ok, str(report)


@pytest.mark.timeout(60 + OURS // 20)
def test_the_store_loses_and_reorders_nothing(server, database):
    store = OurStore(server.url(database=database), durability="as_is")
    appends = OURS // len(available_majors())
    report = run(
        Schedule(
            appends=appends, seed=6, kills=1, page=200, poll_seconds=0.01, seconds=60 + OURS / 20
        ),
        store,
    )
    gc.collect()
    assert report.ok, str(report)
    assert report.killed == 1
    assert report.stored >= report.acknowledged > appends * 0.8
