"""A trail costs what its events cost, and what it leaves out it does not read."""

from functools import partial

import pytest

from eventstore import ConversationStore
from tests.costs.talking import talk
from tests.costs.test_replaying import calls_of
from tests.effort import assert_flat


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def entries(store, thread, **asked):
    return list(store.audit.trail(thread, **asked))


@pytest.mark.parametrize("act", ["say", "amend", "retitle", "select"])
def test_each_event_costs_the_same_in_a_trail_of_any_length(store, act):
    counts = []
    for count in (50, 200):
        thread, (first, second, *_) = talk(store, 4)
        other = store.messages.edit(thread, second, content="otherwise").id
        for n in range(count):
            if act == "say":
                store.messages.create(thread, role="user", content=f"{n}")
            elif act == "amend":
                store.messages.amend(thread, first, content=f"{n}")
            elif act == "retitle":
                store.threads.update(thread, title=f"{n}")
            else:
                store.branches.select(thread, (second, other)[n % 2])
        counts.append(calls_of(partial(entries, store, thread)) / count)
    assert counts[1] <= 1.1 * counts[0]


def test_a_trail_that_begins_late_reads_nothing_of_what_came_before(store, effort):
    counts = []
    for count in (60, 600):
        thread, trunk = talk(store, count)
        store.messages.amend(thread, trunk[3], content="reworded")
        store.branches.label(thread, trunk[5], "here")
        store.messages.edit(thread, trunk[-2], content="otherwise")
        store.branches.select(thread, trunk[-1])
        late = list(store.events.read(thread))[-4].recorded_at
        counts.append(effort(entries, store, thread, since=late))
        assert len(entries(store, thread, since=late)) == 4
    assert_flat(*counts, searches=1)
