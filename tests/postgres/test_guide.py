"""What the guide to PostgreSQL says to type is typed here."""

import psycopg
import pytest

from eventstore import ConversationStore
from eventstore.testing.conformance import ConformanceSuite
from tests.guards.markdown import blocks
from tests.guards.source import PROJECT

GUIDE = (PROJECT / "docs" / "guides" / "postgresql.md").read_text(encoding="utf-8")


[STATEMENTS] = [block.code for block in blocks(GUIDE) if block.language == "sql"]


class TestPartitionedByThread(ConformanceSuite):
    name: str
    url: str

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _partitioned(cls, newest, databases):
        with databases(newest, changes=STATEMENTS).one() as cls.name:
            cls.url = newest.url(database=cls.name)
            yield

    def opened(self, place):  # noqa: ARG002 (a database of the class's own)
        return ConversationStore.open(self.url, durability="as_is")

    def test_history_is_still_kept(self, newest):
        with self.opened(None) as store:
            thread = store.threads.create()
            store.messages.create(thread.id, role="user", content="long " * 10_000)
        with psycopg.connect(newest.dsn(database=self.name)) as connection:
            parts = connection.execute(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"
            )
            assert parts.fetchone() == (8,)
            for statement in (
                *("DELETE FROM events", "TRUNCATE events"),
                *("DELETE FROM blobs", "TRUNCATE blobs", "UPDATE blobs SET content = 'x'"),
            ):
                with pytest.raises(psycopg.errors.RaiseException):
                    connection.execute(statement)
                connection.rollback()
