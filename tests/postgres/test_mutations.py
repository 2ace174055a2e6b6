"""Law 10 on PostgreSQL: every mutation is found and named."""

import psycopg
import pytest

from tests.audit.mutations import LOG_MUTATIONS, table_mutations
from tests.audit.test_mutations import SEEDS, THREADS, check_found
from tests.audit.world import fill, hand_on_postgres
from tests.conftest import LONG
from tests.postgres.bad_days import open_at

pytestmark = [pytest.mark.newest_postgres, pytest.mark.timeout(900)]


def test_every_mutation_is_found_and_named(server, databases):
    with (
        databases(server).one() as name,
        open_at(server.url(database=name), "psycopg") as store,
        psycopg.connect(server.dsn(database=name), autocommit=True) as admin,
    ):
        fill(store, THREADS)
        hand = hand_on_postgres(admin)
        report = store.audit.verify()
        assert report.ok
        assert report.threads_compared == len(hand.rows("threads", "tenant = 1"))
        of_tables = [*table_mutations(hand.columns).items()]
        if not LONG:
            of_tables = of_tables[::5]
        for seed in SEEDS[:2]:
            for told, mutation in (*LOG_MUTATIONS.items(), *of_tables):
                try:
                    check_found(store, hand, mutation, seed)
                except AssertionError as error:
                    raise AssertionError(told) from error
        assert store.audit.verify() == report
