"""One listing is one path, whatever happens between its pages; and what else is pinned, or not."""

from datetime import UTC, datetime, timedelta

import pytest

SIZE = 2


@pytest.fixture
def said(store, thread):
    """The ids of a path of six messages."""
    return [
        store.messages.create(thread.id, role="user", content=str(number)).id for number in range(6)
    ]


def selects_another(store, thread_id, said):
    other = store.messages.edit(thread_id, said[1], content="another branch")
    assert store.threads.get(thread_id).head_id == other.id


def says_more(store, thread_id, _):
    store.messages.create(thread_id, role="user", content="more")


def goes_back(store, thread_id, said):
    store.messages.create(thread_id, role="user", content="below", parent_id=said[2])


def removes_the_end(store, thread_id, said):
    store.messages.remove(thread_id, said[4])


def removes_the_first(store, thread_id, said):
    store.messages.remove(thread_id, said[0])


BETWEEN = [selects_another, says_more, goes_back, removes_the_end, removes_the_first]


def rest_of(page):
    """The ids on all pages."""
    return [message.id for message in page.iter()]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("happens", BETWEEN, ids=lambda act: act.__name__)
def test_one_listing_is_one_path(store, thread, said, happens, order):
    page = store.messages.list(thread.id, limit=SIZE, order=order)
    happens(store, thread.id, said)
    assert rest_of(page) == (said if order == "asc" else said[::-1])


@pytest.mark.parametrize("happens", BETWEEN, ids=lambda act: act.__name__)
def test_so_is_one_of_a_branch_that_is_named(store, thread, said, happens):
    page = store.messages.list(thread.id, branch=said[0], limit=SIZE)
    happens(store, thread.id, said)
    assert rest_of(page) == said


def test_of_the_present_a_later_page_shows_messages_as_they_are_by_then(store, thread, said):
    page = store.messages.list(thread.id, limit=SIZE)
    store.messages.amend(thread.id, said[2], content="amended")
    store.messages.remove(thread.id, said[3])
    shown = [(message.text, message.removed) for message in page.iter()]
    assert shown[:4] == [("0", False), ("1", False), ("amended", False), ("3", True)]
    assert [message.text for message in store.messages.list(thread.id)] == ["0", "1", "amended"]


def test_so_it_does_in_a_fork_of_what_its_source_had_changed(store, thread, said):
    store.messages.update(thread.id, said[4], name="Ann")
    fork = store.threads.fork(thread.id).id
    page = store.messages.list(fork, limit=SIZE)
    store.messages.remove(fork, said[4])
    assert [message.removed for message in page.iter()] == [False] * 4 + [True, False]


@pytest.mark.parametrize("by", ["version", "time"])
def test_of_the_past_every_page_shows_one_version(store, thread, said, by):
    version = store.threads.get(thread.id).version
    soon = datetime.now(UTC) + timedelta(days=1)  # what is to come would be in it, too
    past = {"at_version": version} if by == "version" else {"at_time": soon}
    whole = list(store.messages.list(thread.id, **past))
    page = store.messages.list(thread.id, limit=SIZE, **past)
    store.messages.amend(thread.id, said[2], content="amended")
    store.messages.remove(thread.id, said[3])
    assert list(page.iter()) == whole
