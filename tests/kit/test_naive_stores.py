"""A stranger's store with ordering bugs: each is found, and the report says which it is."""

import sqlite3

import pytest

from eventstore.testing.schedules import Schedule, run
from tests.kit import naive_stores

APPENDS = 300


@pytest.fixture
def reported(tmp_path):
    """Run a store of the module through a schedule."""

    def of(store, **schedule):
        return run(Schedule(appends=APPENDS, **schedule), store(tmp_path / "events.db"))

    return of


def found(report):
    return {kind for kind, count in report.counts.items() if count}


def test_a_store_that_is_right_is_found_to_be_right(reported):
    report = reported(naive_stores.RightStore)
    assert report.ok, str(report)
    assert report.transactions == APPENDS
    assert report.timelines == {}


def test_a_store_that_is_right_is_right_in_processes_that_are_killed_too(reported):
    report = reported(naive_stores.RightStore, processes=2, threads=2, kills=1)
    assert report.ok, str(report)
    assert report.killed == 1


def test_a_version_read_before_the_lock_is_found_duplicated(reported):
    report = reported(naive_stores.VersionBeforeTheLock)
    assert found(report) == {"duplicated"}
    first, second = report.duplicated[0].events
    stream = report.duplicated[0].stream
    lines = [line for line in report.timelines["duplicated"] if stream in line]
    assert any(first in line and "acknowledged" in line for line in lines)
    assert any(second in line and "acknowledged" in line for line in lines)


def test_a_cursor_of_time_is_found_to_lose_and_to_reorder(reported):
    report = reported(naive_stores.CursorOfTime)
    assert {"lost", "reordered"} <= found(report)
    assert "duplicated" not in found(report)


def test_a_position_drawn_before_the_lock_is_found_to_lose(reported):
    report = reported(naive_stores.PositionDrawnBefore)
    assert "lost" in found(report)
    assert "duplicated" not in found(report)
    [event] = report.lost[0].events
    assert any(event in line for line in report.timelines["lost"])


def test_a_write_that_failed_and_told_nobody_is_found_lost(reported):
    assert found(reported(naive_stores.DeferredTransaction)) == {"lost"}


def test_a_store_that_says_what_it_did_not_write_is_right(reported):
    report = reported(naive_stores.HonestlyDeferred)
    assert report.ok, str(report)
    assert report.refused > 0
    assert f"{report.refused:,} appends refused" in str(report)


def test_a_cursor_that_includes_itself_is_found_to_double(reported):
    assert found(reported(naive_stores.InclusiveCursor)) == {"doubled"}


def test_a_torn_batch_is_found_duplicated(reported):
    assert found(reported(naive_stores.TornBatch)) == {"duplicated"}


def test_an_error_that_is_no_refusal_ends_the_schedule_and_is_named(reported, monkeypatch):
    monkeypatch.setattr(naive_stores.HonestlyDeferred, "refusals", ())
    with pytest.raises(RuntimeError, match=r"writer w\.\d failed: OperationalError: .*`refusals`"):
        reported(naive_stores.HonestlyDeferred)


def test_a_store_that_refuses_everything_is_not_found_to_be_right(reported):
    with pytest.raises(RuntimeError, match="no append was acknowledged"):
        reported(naive_stores.Refusing)


def test_writers_in_threads_end_with_a_schedule_that_takes_too_long(tmp_path):
    store = naive_stores.RightStore(tmp_path / "events.db")
    with pytest.raises(RuntimeError, match="longer than 0"):
        run(Schedule(appends=1_000_000, seconds=0), store)
    written = count(tmp_path)
    assert 0 <= written < 1_000_000
    assert written == count(tmp_path)  # nobody writes any more


def count(folder):
    connection = sqlite3.connect(folder / "events.db")
    try:
        return connection.execute("SELECT count(*) FROM events").fetchone()[0]
    finally:
        connection.close()
