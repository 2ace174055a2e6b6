"""Runs whose workers are killed: a short case; ``make torture-runs`` has a thousand."""

import pytest

from eventstore.testing.killed_workers import torture


def test_runs_end_whatever_becomes_of_their_workers(tmp_path):
    report = torture(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path, 10, people=10, workers=2)
    assert report.ok, str(report)
    assert report.killed.total() >= 2
    assert report.statuses.total() == report.runs


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 4))
def test_and_with_other_stories(tmp_path, seed):
    report = torture(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path, 200, seed=seed)
    assert report.ok, str(report)
    assert len(report.killed) > 8, "in many states"
