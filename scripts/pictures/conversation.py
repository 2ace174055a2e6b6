"""The conversation of the README, played the same way each time."""

from __future__ import annotations

import hashlib
import itertools

from eventstore import ConversationStore, Environment

START_US = 1_767_261_600_000_000  # 1 January 2026, 10:00 UTC
SECOND_US = 1_000_000


def same_each_time() -> Environment:
    """Return a clock that moves on a second with each read, and repeatable random bytes."""
    seconds, rolls = itertools.count(), itertools.count()

    def chance(count: int) -> bytes:
        return hashlib.shake_256(str(next(rolls)).encode()).digest(count)

    return Environment(lambda: START_US + next(seconds) * SECOND_US, chance)


def play(store: ConversationStore) -> str:
    """Play the conversation of the README and return the id of its thread."""
    thread = store.threads.create(title="Dinner")
    store.messages.create(thread.id, role="user", content="What shall I cook?")
    first = store.messages.create(thread.id, role="assistant", content="Mushroom risotto.")
    store.messages.regenerate(thread.id, first.id, content="Lentil curry.")
    time = store.messages.create(thread.id, role="user", content="How long does it take?")
    answer = store.messages.create(thread.id, role="assistant", content="Forty minutes.")
    store.messages.edit(thread.id, time.id, content="Is it vegan?")
    store.messages.create(thread.id, role="assistant", content="Yes, it is.")
    store.branches.select(thread.id, answer.id)
    return thread.id
