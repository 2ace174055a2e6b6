"""The event types and the handler of each category of streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from eventstore.conversation.events import ASSISTANT_EVENTS, THREAD_EVENTS
from eventstore.conversation.store_events import STORE_EVENTS
from eventstore.core import ids
from eventstore.core.catalogue import Catalogue
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.assistant_streams import AssistantHandler
from eventstore.write_path.plain_streams import PlainHandler
from eventstore.write_path.requests import CategoryHandler, NewId
from eventstore.write_path.store_streams import StoreHandler
from eventstore.write_path.thread_streams import ThreadHandler

__all__ = ["CATALOGUES", "CATEGORY_HANDLERS"]

CATALOGUES: Final[Mapping[str, Catalogue]] = {
    ids.THREAD: Catalogue(one.kind for one in THREAD_EVENTS),
    ids.ASSISTANT: Catalogue(one.kind for one in ASSISTANT_EVENTS),
    ids.STORE: Catalogue(one.kind for one in STORE_EVENTS),
}
"""Built-in categories; an application's own events may not use them."""

CATEGORY_HANDLERS: Final[Mapping[str, Callable[[Transaction, Log, NewId], CategoryHandler]]] = {
    ids.THREAD: ThreadHandler,
    ids.ASSISTANT: AssistantHandler,
    ids.STORE: StoreHandler,
    "": PlainHandler,
}
"""By category; ``""`` is for the application's own."""
