"""Erasures whose process is killed after one of their commits, and which are then done again."""

import itertools
import signal
from datetime import timedelta
from unittest.mock import patch

import pytest

from eventstore import ConversationStore
from eventstore.core import ids
from eventstore.storage.postgres import PostgresDatabase
from eventstore.testing.faults import die
from tests.concurrency.schedules import Child
from tests.encryption.vaults import in_the_database
from tests.privacy.test_erased_bytes import WORDS
from tests.privacy.test_erasing_persons import lived


def a_person(store, name):
    return store.tenant(name).privacy.erase(subject="alice")


def a_tenant(store, name):
    return store.tenants.erase(name)


def a_purge(store, name):
    return store.tenants.purge(name)


def all_that_is_old(store, name):
    return store.tenant(name).privacy.retain(older_than=timedelta(0))


ACTS = {act.__name__: act for act in (a_person, a_tenant, a_purge, all_that_is_old)}


def after_commits(act):
    """Call ``act`` with the number of each commit of this process, once the server has done it."""
    commit, count = PostgresDatabase.commit, itertools.count(1)

    def counted(self, driver):
        done = commit(self, driver)
        act(next(count))
        return done

    return patch.object(PostgresDatabase, "commit", counted)


def die_at(number):
    def maybe(count):
        if count == number:
            die()

    return maybe


def killed_and_done_again(url, admin, act, numbers, **options):
    """Kill an erasure after some of its commits, each in a tenant of its own, and repeat it."""

    def opened():
        return ConversationStore.open(url, durability="as_is", **options)

    def dies(name, number):
        with opened() as store, after_commits(die_at(number)):
            act(store, name)

    commits: list[int] = []
    with opened() as store:
        lived(store.tenant("whole"))
        with after_commits(commits.append):
            act(store, "whole")
    assert len(commits) > 3
    for number in numbers(commits):
        name = f"killed after {number}"
        with opened() as store:
            lived(store.tenant(name))
        assert Child(lambda name=name, number=number: dies(name, number)).wait() == -signal.SIGKILL
        with opened() as store:
            act(store, name)
            tenant = store.tenant(name)
            store.projections.catch_up()
            assert act(store, name).pending is False
            assert tenant.audit.verify().findings == ()
            assert tenant.projections.compare().findings == ()
    assert admin.execute("SELECT count(*) FROM erasing").fetchone() == (0,)
    return commits


def assert_words_are_gone(admin, act):
    """Look for the words of all tenants in what the tables hold."""
    word = WORDS.encode()
    for table in ("events", "blobs"):
        found = admin.execute(
            f"SELECT count(*) FROM {table} WHERE position(%s in content) > 0", [word]
        ).fetchone()
        if act is all_that_is_old:  # which takes threads, and lets assistants be
            found = admin.execute(
                f"SELECT count(*) FROM {table} e JOIN categories c ON c.id = e.category"
                " WHERE c.name = 'thread' AND position(%s in content) > 0",
                [word],
            ).fetchone()
        assert found == (0,), table
    [(chunks,)] = admin.execute("SELECT count(*) FROM run_chunks").fetchall()
    assert chunks == 0


@pytest.mark.newest_postgres
def test_killed_in_the_middle_an_erasure_is_finished_by_a_repeat(url, admin):
    killed_and_done_again(url, admin, a_person, lambda commits: commits[2:3])
    assert_words_are_gone(admin, a_person)


@pytest.mark.long
@pytest.mark.newest_postgres
@pytest.mark.parametrize("name", ACTS)
def test_killed_after_any_commit_a_repeat_finishes(url, admin, name):
    killed_and_done_again(url, admin, ACTS[name], lambda commits: commits)
    assert_words_are_gone(admin, ACTS[name])


@pytest.mark.long
@pytest.mark.newest_postgres
@pytest.mark.parametrize("name", ["a_person", "a_tenant", "a_purge"])
def test_so_it_is_with_encryption_and_keys_are_destroyed(url, admin, name):
    commits = killed_and_done_again(
        url,
        admin,
        ACTS[name],
        lambda commits: commits,
        encryption=in_the_database(may_store_words=["search"]),
    )
    tenants = ["whole", *(f"killed after {number}" for number in range(1, len(commits) + 1))]
    hers = [ids.derived("subject", tenant, "alice") for tenant in tenants]
    kept = admin.execute(
        "SELECT owner FROM data_keys WHERE kind = '#subject' AND wrapped IS NOT NULL"
    ).fetchall()
    left = {bytes(owner) for (owner,) in kept}
    assert left.isdisjoint(hers)
    assert bool(left) is (name == "a_person"), "Bob's stay only where she alone was erased"
