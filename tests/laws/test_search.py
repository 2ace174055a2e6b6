"""What is said is found where it can be read: also when a thread goes, or comes back.

The machine searches, too, but meets these moments by chance: few of its threads stay deleted. Here
it is led there.
"""

import pytest

from eventstore.read_models import search
from eventstore.testing.machine import ConversationMachine


@pytest.fixture
def machine():
    """It has opened a store, said something in its only thread, and found it."""
    made = ConversationMachine()
    made.open(seed=0)
    made.find()
    yield made
    made.teardown()


def where_found(machine, word):
    machine.find()  # compares with the oracle
    hits = machine.store.projections.read("search", search(word))
    return {hit.thread_id for hit in hits}


def test_a_deleted_thread_is_not_found_until_it_is_restored(machine):
    here = machine.threads[0].id
    assert where_found(machine, "because") == {here}
    machine.live(at=0, what="delete", back=False)
    assert where_found(machine, "because") == set()
    machine.live(at=0, what="delete", back=False)  # takes back what it finds deleted
    assert where_found(machine, "because") == {here}


def test_a_source_is_found_when_its_fork_was_purged(machine):
    machine.fork(at=0, pick=0, where="head")
    source = machine.threads[0].id
    machine.purge(at=1, along=True)
    assert where_found(machine, "because") == {source}
