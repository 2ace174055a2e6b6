"""Runs whose workers are killed, on PostgreSQL: news of a run reaches workers by NOTIFY."""

import pytest

from eventstore.testing.killed_workers import torture
from eventstore.testing.postgres_server import PostgresServer


@pytest.mark.long
@pytest.mark.newest_postgres
def test_runs_end_whatever_becomes_of_their_workers(url, tmp_path):
    report = torture(url, tmp_path, 200, seed=2, durability="as_is")
    assert report.ok, str(report)
    assert report.statuses.total() == report.runs
    assert len(report.killed) > 8, "in many states"


@pytest.mark.long
@pytest.mark.newest_postgres
def test_and_whatever_becomes_of_the_server(tmp_path):
    with PostgresServer(max_connections=300, durable=False) as server:

        def disturb():
            server.kill()
            server.restart()

        url = server.url(database=server.create_database())
        report = torture(url, tmp_path, 50, seed=3, durability="as_is", disturb=disturb)
    assert report.ok, str(report)
    assert report.statuses.total() == report.runs
    assert report.counts["disturbed"] > 1
