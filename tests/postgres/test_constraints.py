"""A constraint that one request breaks on PostgreSQL, and what only looks like one.

A unique key may be met because another transaction was first, so a request that is alone is tried
again, but not for ever.
"""

from contextlib import contextmanager
from typing import ClassVar

import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore, StoreUnavailable
from tests.faults.refusing import TRIES_ALONE, UNIQUE, Refusing
from tests.postgres.bad_days import open_at

pytestmark = pytest.mark.newest_postgres


class OnPostgres(Refusing):
    tries_alone = TRIES_ALONE
    check = (
        "ALTER TABLE thread_metadata ADD CONSTRAINT planted CHECK (value <> 's:open-sesame')"
        " NOT VALID"
    )
    named: ClassVar = dict.fromkeys(["unique", "check"], "planted of the table thread_metadata")

    @pytest.fixture(autouse=True)
    def _place(self, url, admin):
        self.url, self.run = url, admin.execute


class TestUrl(OnPostgres):
    @pytest.fixture(autouse=True)
    def _way(self, way):
        self.way = way

    def opened(self):
        return open_at(self.url, self.way)


class TestEngine(OnPostgres):
    @contextmanager
    def opened(self):
        engine = create_engine(self.url)
        with ConversationStore.open(engine, durability="as_is") as store:
            yield store
        engine.dispose()


def test_a_deferred_constraint_is_told_by_commit_and_is_its_requests_error(store, admin):
    admin.execute(
        "ALTER TABLE thread_metadata ADD CONSTRAINT planted UNIQUE (value) DEFERRABLE"
        " INITIALLY DEFERRED"
    )
    store.threads.create(metadata={"a": "1"})
    with pytest.raises(StoreUnavailable, match="planted") as caught:
        store.threads.create(metadata={"b": "1"})
    assert caught.value.reason == "constraint"
    store.threads.create(metadata={"b": "2"})


def test_a_constraint_is_told_within_the_applications_transaction(store, admin, engine):
    store.tenant("first").threads.create(metadata={"note": "x"})
    admin.execute(UNIQUE)
    with engine.begin() as connection:
        with pytest.raises(StoreUnavailable, match="planted") as caught:
            store.threads.create(metadata={"note": "x"}, connection=connection)
        assert caught.value.reason == "constraint"
        kept = store.threads.create(metadata={"note": "y"}, connection=connection)
    assert store.threads.get(kept.id).metadata == {"note": "y"}
