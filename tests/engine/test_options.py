"""An engine hands on the options of a write: those of every write, by their names."""

import inspect

from eventstore import ConversationStore
from eventstore.engine.recording import WRITE_OPTIONS
from eventstore.engine.run_options import RunOptions


def test_the_options_of_a_write_are_those_of_a_batch():
    with ConversationStore.open("sqlite://") as store:
        of_batch = set(inspect.signature(store.threads.batch).parameters) - {"thread_id"}
    assert of_batch == WRITE_OPTIONS


def test_the_options_of_a_run_are_those_of_its_creation():
    with ConversationStore.open("sqlite://") as store:
        of_create = set(inspect.signature(store.runs.create).parameters)
    assert of_create - {"thread_id", "assistant_id"} == set(RunOptions.__annotations__)
