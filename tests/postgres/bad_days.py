"""A store on a server that is having a bad day, with each driver and face, and what it says."""

from sqlalchemy import make_url

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking

WAYS = ["psycopg", "psycopg async", "asyncpg"]


def open_at(url, way, **options):
    """Open a store on a URL of psycopg, with a driver and a face."""
    options = {"durability": "as_is", "busy_timeout_seconds": 5.0, **options}
    driver, _, face = way.partition(" ")
    url = make_url(url).set(drivername=f"postgresql+{driver}")
    if driver == "psycopg" and not face:
        return ConversationStore.open(url, **options)
    return blocking(lambda: AsyncConversationStore.open(url, **options))


def unavailable(caught, reason):
    assert caught.value.reason == reason, caught.value
    assert "sesame" not in repr(caught.value) + str(caught.value)


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id, limit=None)]


def say(store, thread_id, text, **options):
    return store.messages.create(thread_id, role="user", content=text, **options)
