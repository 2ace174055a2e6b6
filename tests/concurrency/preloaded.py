"""What a server imports before it forks: a module that opens a store, at $PRELOADED."""

import os

from eventstore import ConversationStore

store = ConversationStore.open(os.environ["PRELOADED"])
thread_id = store.threads.create().id


def say(where, text):
    """In whatever process: the store is this module's, opened again in a forked child."""
    store.messages.create(where, role="user", content=text)
