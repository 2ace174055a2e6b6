"""Looking for threads by metadata costs what it finds, however many threads there are."""

from typing import Any

import pytest

from eventstore import ConversationStore
from eventstore.operations.operation import Read
from eventstore.projections import finding
from eventstore.projections.indexes import metadata_key
from eventstore.storage.interning import find_tenant
from tests.effort import assert_flat

FEW, MANY = 30, 300


def crowded(store, count, **metadata):
    """Threads of one kind, among which one is looked for."""
    for number in range(count):
        store.threads.create(metadata={"app": "web", "number": number, **metadata})


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def found(store, **asked):
    return [thread.metadata["number"] for thread in store.threads.list(**asked).data]


@pytest.mark.parametrize(
    "asked",
    [
        {"metadata": {"number": 7}},
        {"metadata": {"number": 7, "app": "web"}},
        {"metadata": {"app": "web", "number": 7}},
        {"metadata": {"app": "web", "number": 7}, "order": "desc"},
        {"metadata": {"app": "web"}, "limit": 10},
        {"metadata": {"app": "web"}, "limit": 10, "order": "desc"},
        {"metadata": {"app": "mail"}},
        {"limit": 10, "sort": "activity"},
        {"limit": 10, "sort": "activity", "order": "desc"},
        {"limit": 10, "sort": "activity", "order": "desc", "archived": False},
        {"metadata": {"number": 7}, "sort": "activity"},
    ],
)
def test_it_takes_the_same_among_few_threads_and_among_many(store, effort, asked):
    counts = []
    for tenant, count in (("small", FEW), ("large", MANY)):
        there = store.tenant(tenant)
        crowded(there, count)
        counts.append(effort(there.threads.list, **asked))
    by_activity = asked.get("sort") == "activity"
    assert_flat(*counts, searches=max(len(asked.get("metadata", ())) - 1 + by_activity, 0))


class Explained:
    """A transaction that explains what it is asked for, instead of answering, once it lists."""

    def __init__(self, tx):
        self.tx, self.plan = tx, []

    def one(self, sql, parameters=()):
        return self.tx.one(sql, parameters)

    def all(self, sql, parameters=()):
        self.plan += self.tx.all(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_threads_are_gone_through_in_the_order_of_activity_without_sorting(
    store, count, monkeypatch
):
    """Also where a value is too frequent for its threads to be sorted."""
    monkeypatch.setattr(finding, "_COUNTED", (2,))
    crowded(store, 8, more="x")
    filters = [(metadata_key("app"), "s:web"), (metadata_key("more"), "s:x")][:count]
    listing = finding.Listing(
        archived=False,
        include_deleted=False,
        by_activity=True,
        start=(5, b"x"),
        newest_first=True,
        most=3,
    )

    def look(tx: Any):
        tenant: Any
        explained: Any
        tenant, explained = find_tenant(tx, store.scope.tenant), Explained(tx)
        explained.interned = tx.interned
        finding.find_threads(explained, tenant, filters, listing)
        return "\n".join(row[3] for row in explained.plan)

    told = store.perform(Read(look))
    assert "streams_by_activity" in told
    assert "SCAN" not in told
    assert "TEMP B-TREE" not in told


def test_the_threads_of_other_tenants_are_not_looked_at(store, effort):
    counts = []
    for crowd in (FEW, MANY):
        crowded(store.tenant(f"crowd {crowd}"), crowd)
        there = store.tenant(f"beside {crowd}")
        crowded(there, 5)
        counts.append(effort(there.threads.list, metadata={"app": "web"}))
    assert_flat(*counts)


def test_what_is_found_comes_in_the_order_of_creation_page_by_page(store):
    crowded(store, 12)
    crowded(store.tenant("other"), 3)
    for order, expected in (("asc", [*range(12)]), ("desc", [*range(11, -1, -1)])):
        pages, after = [], None
        while True:
            page = store.threads.list(metadata={"app": "web"}, limit=5, order=order, after=after)
            pages += [thread.metadata["number"] for thread in page.data]
            after = page.next_cursor
            if after is None:
                break
        assert pages == expected


def test_a_thread_is_found_by_what_it_says_now(store):
    crowded(store, 3)
    thread = store.threads.list(metadata={"number": 1}).data[0].id
    store.messages.create(thread, role="user", content="hello")
    fork = store.threads.fork(thread).id
    store.threads.update(thread, metadata={"number": 9, "app": "mail"})
    assert found(store, metadata={"number": 9, "app": "mail"}) == [9]
    assert [one.id for one in store.threads.list(metadata={"number": 1}).data] == [fork]
    store.threads.archive(thread)
    assert found(store, metadata={"number": 9}, archived=False) == []
    assert found(store, metadata={"number": 9}, archived=True) == [9]
    store.projections.rebuild()
    assert store.projections.compare().ok
    assert found(store, metadata={"number": 9}) == [9]
