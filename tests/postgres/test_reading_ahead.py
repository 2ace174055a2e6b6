"""Reading everything with asyncpg: the next page comes in while this one is looked at."""

import gc
from contextlib import aclosing
from typing import Any

import pytest

from eventstore import AsyncConversationStore, StoreUnavailable
from eventstore.storage import read
from eventstore.storage.postgres_transaction import AsyncpgTransaction

pytestmark = pytest.mark.newest_postgres

EVENTS = 2 * read.PAGE + 200


@pytest.fixture
def url(server, migrated):
    return server.url("asyncpg", database=migrated)


@pytest.fixture
def fetched(monkeypatch):
    """Every page that was asked for; ``errors`` holds what is raised for those to come."""
    asked: list[Any] = []
    errors: list[int | None] = []
    fetch = AsyncpgTransaction._fetch  # noqa: SLF001 (where the driver is asked)

    def heard(tx, sql, parameters):
        if "ORDER BY epoch, xid" in sql:
            asked.append(parameters)
            if errors and errors[0] == len(asked):
                raise StoreUnavailable("driver", "the second page is not to be had", "Go.")
        return fetch(tx, sql, parameters)

    monkeypatch.setattr(AsyncpgTransaction, "_fetch", heard)
    return asked, errors


async def filled(url):
    """A store with a few pages of events, all names known."""
    store = AsyncConversationStore.open(url, durability="as_is", readers=1)
    async with store as opened:
        thread = await opened.threads.create()
        drafts = [{"role": "user", "content": f"words {n}"} for n in range(EVENTS - 1)]
        for start in range(0, len(drafts), 1_000):
            await opened.messages.create_many(thread.id, drafts[start : start + 1_000])
    return AsyncConversationStore.open(url, durability="as_is", readers=1)


async def collect(events, versions):
    async for event in events:
        versions.append(event.version)


async def test_a_page_is_asked_for_before_the_one_before_was_looked_at_to_its_end(url, fetched):
    asked, _ = fetched
    async with await filled(url) as store:
        counts, versions = [], []
        async for event in store.events.read_all():
            counts.append(len(asked))
            versions.append(event.version)
    assert versions == list(range(1, EVENTS + 1))
    assert counts[0] == 1  # whoever looks at one event alone reads one page
    assert counts[read.PAGE - 1] == 2
    assert counts[2 * read.PAGE - 1] == counts[-1] == 3


async def test_whoever_leaves_in_the_middle_leaves_nothing_behind(url, fetched, caplog):
    asked, errors = fetched
    async with await filled(url) as store:
        for error in (None, len(asked) + 2):
            errors[:] = [error]
            asked.clear()
            async with aclosing(store.events.read_all()) as events:
                async for event in events:
                    if event.version == read.PAGE - 1:
                        break
            assert len(asked) == 2
            errors.clear()
            assert (await store.threads.list()).data
            gc.collect()
            assert caplog.messages == []  # as of an error that nobody ever heard of


async def test_what_a_page_raises_is_raised_where_it_begins(url, fetched):
    _, errors = fetched
    async with await filled(url) as store:
        errors.append(2)
        versions: list[int] = []
        with pytest.raises(StoreUnavailable, match="second page"):
            await collect(store.events.read_all(), versions)
        assert versions == list(range(1, read.PAGE + 1))
        errors.clear()
        assert [event.version async for event in store.events.read_all(limit=2)] == [1, 2]


async def test_no_page_is_asked_for_behind_the_limit(url, fetched):
    asked, _ = fetched
    async with await filled(url) as store:
        read_to = [event.version async for event in store.events.read_all(limit=read.PAGE)]
    assert (len(read_to), len(asked)) == (read.PAGE, 1)
