"""The guide to job systems is run here: on a server, with procrastinate."""

import procrastinate
import pytest

from tests.guards.markdown import blocks, run_python
from tests.guards.source import PROJECT

GUIDE = PROJECT / "docs" / "guides" / "job-queues.md"

pytestmark = pytest.mark.newest_postgres


def here(block, server, name):
    """A block with the addresses of the test's database, on a server that need not be durable."""
    there = {
        "postgresql+asyncpg://localhost/chat": server.url(database=name, driver="asyncpg"),
        "postgresql://localhost/chat": server.dsn(database=name),
        ".open(STORE_URL)": '.open(STORE_URL, durability="as_is")',
    }
    code = block.code
    for written, meant in there.items():
        code = code.replace(written, meant)
    return block.__class__(block.language, code, block.line)


def test_jobs_execute_the_runs_of_the_guide(server, database):
    connector = procrastinate.SyncPsycopgConnector(conninfo=server.dsn(database=database))
    with procrastinate.App(connector=connector).open() as jobs:
        jobs.schema_manager.apply_schema()
    found = [block for block in blocks(GUIDE.read_text("utf-8")) if block.language == "python"]
    assert all("tests/postgres/test_job_queues.py" in str(block.not_run) for block in found)
    run_python(GUIDE, [here(block, server, database) for block in found])
