"""Looking for threads by metadata costs what it finds, however many threads there are."""

import pytest

from eventstore import ConversationStore
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
