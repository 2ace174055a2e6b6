"""Short calls that the suites of conformance tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventstore.conversation.values import Message
from eventstore.errors import Refused
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["kind_of_error", "reason_of_refusal", "say", "texts"]


def say(store: AnyStore, thread_id: str, text: object, **options: object) -> Message:
    """Add a message of the user, or of another role."""
    options = {"role": "user", **options}
    made: Message = store.messages.create(thread_id, content=text, **options)
    return made


def texts(store: AnyStore, thread_id: str) -> list[str]:
    """Return the texts of the active path."""
    return [message.text for message in store.messages.list(thread_id)]


def kind_of_error(act: Callable[[], Any]) -> str:
    """Return the name of the error that a call raises, or "" if it does not."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 (the caller compares)
        return type(error).__name__
    return ""


def reason_of_refusal(act: Callable[[], Any]) -> str:
    """Return the reason for which a call is refused."""
    with pytest.raises(Refused) as told:
        act()
    return told.value.reason
