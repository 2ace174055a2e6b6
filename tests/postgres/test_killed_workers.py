"""Runs whose workers are killed, on PostgreSQL: news of a run reaches workers by NOTIFY."""

import pytest

from eventstore.testing.killed_workers import torture


@pytest.mark.long
@pytest.mark.newest_postgres
def test_runs_end_whatever_becomes_of_their_workers(url, tmp_path):
    report = torture(url, tmp_path, 200, seed=2, durability="as_is")
    assert report.ok, str(report)
    assert report.statuses.total() == report.runs
    assert len(report.killed) > 8, "in many states"
