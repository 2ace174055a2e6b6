"""Law 10 on PostgreSQL: every mutation is found and named."""

import psycopg
import pytest

from eventstore.audit import verifying
from tests.audit.mutations import LOG_MUTATIONS, table_mutations
from tests.audit.test_evidence import check_changes, check_transcripts
from tests.audit.test_mutations import SEEDS, THREADS, check_found
from tests.audit.test_read_models import check_untouched
from tests.audit.test_tree_heads import KEY, PUBLIC, race, signed_heads
from tests.audit.test_tree_heads import check_found as check_against
from tests.audit.test_verifying import write_between_pages
from tests.audit.tree_mutations import TREE_MUTATIONS
from tests.audit.world import fill, hand_on_postgres
from tests.conftest import LONG
from tests.postgres.bad_days import open_at

pytestmark = [pytest.mark.newest_postgres, pytest.mark.timeout(900)]


def test_every_mutation_is_found_against_a_tree_head(server, databases):
    with (
        databases(server).one() as name,
        open_at(server.url(database=name), "psycopg") as store,
        psycopg.connect(server.dsn(database=name), autocommit=True) as admin,
    ):
        fill(store, THREADS)
        head = signed_heads(store)[-1]
        hand = hand_on_postgres(admin)
        for seed in SEEDS[:2]:
            for told, mutation in TREE_MUTATIONS.items():
                try:
                    check_against(store, hand, head, mutation, seed)
                except AssertionError as error:
                    raise AssertionError(told) from error
        assert store.audit.verify(tree_head=head, public_key=PUBLIC).ok
        assert check_transcripts(store) > 0


def test_who_writes_between_two_pages_causes_no_finding(url, monkeypatch):
    monkeypatch.setattr(verifying, "_PAGE_EVENTS", 3)
    with open_at(url, "psycopg") as store:
        write_between_pages(store)


def test_of_many_issuers_at_once_heads_never_fork(url):
    with open_at(url, "psycopg") as one, open_at(url, "psycopg") as other:
        race(one, other)


def test_an_event_of_an_open_transaction_is_covered_by_a_later_head(url, engine):
    """It may appear before events that a head covers already."""
    with open_at(url, "psycopg") as store:
        early, late = store.threads.create().id, store.threads.create().id
        with engine.connect() as open_one, open_one.begin() as transaction:
            store.threads.update(early, title="not yet", connection=open_one)
            store.threads.update(late, title="committed")
            first = store.audit.sign_tree_head(KEY)
            assert store.audit.inclusion_proof(early).version == 1
            assert store.audit.inclusion_proof(late).version == 2
            transaction.commit()
        second = store.audit.sign_tree_head(KEY)
        assert (first.size, second.size) == (2, 3)
        assert store.audit.inclusion_proof(early).version == 2
        assert store.audit.verify(tree_head=first, public_key=PUBLIC).ok


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


@pytest.mark.parametrize("way", ["psycopg", "asyncpg"])
def test_read_models_and_marks_are_those_of_the_log(url, way):
    """What this database keeps for search is compared with what another one makes of the events."""
    with open_at(url, way) as store:
        check_untouched(store)
        assert store.audit.verify(mark=True).ok
        thread = store.threads.create(title="since the mark").id
        some = store.audit.verify(changed_only=True, mark=True)
        assert (some.ok, some.streams) == (True, 2)
        store.privacy.erase(thread)
        assert store.audit.verify(changed_only=True).ok


def test_any_change_of_evidence_is_rejected(url):
    with open_at(url, "psycopg") as store:
        fill(store, 3)
        check_changes(store)
