"""A store for users whose server is killed meanwhile: each call is repeated until it works.

Every write has an idempotency key, so one whose outcome is unknown is simply repeated.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from eventstore import ConversationStore, OutcomeUnknown, StoreBusy, StoreUnavailable

__all__ = ["patient"]

T = TypeVar("T")

_WRITES: Final = frozenset({"create", "cancel", "submit_tool_outputs", "approve", "deny"})
_TROUBLES: Final = (StoreBusy, StoreUnavailable, OutcomeUnknown)
_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.05


class _Patient:
    """A store, or a resource of one."""

    def __init__(self, within: object) -> None:
        self._within = within

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever has that name)
        found = getattr(self._within, name)
        if not callable(found):
            return _Patient(found)
        return found if name == "stream" else _patiently(name, found)


def patient(store: ConversationStore) -> ConversationStore:
    """Return a store whose calls are repeated until they work. Followers wait by themselves."""
    return cast("ConversationStore", _Patient(store))  # it has every method of it


def _patiently(name: str, call: Callable[..., T]) -> Callable[..., T]:
    def repeated(*given: object, **named: object) -> T:
        if name in _WRITES:
            named["idempotency_key"] = uuid.uuid4().hex
        until = time.monotonic() + _SECONDS
        while True:
            try:
                return call(*given, **named)
            except _TROUBLES:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)

    return repeated
