"""An engine hands on the options of a write: those of every write, by their names."""

import inspect

from eventstore import ConversationStore
from eventstore.engine.recording import WRITE_OPTIONS


def test_the_options_of_a_write_are_those_of_a_batch():
    with ConversationStore.open("sqlite://") as store:
        of_batch = set(inspect.signature(store.threads.batch).parameters) - {"thread_id"}
    assert of_batch == WRITE_OPTIONS
