"""A store for users whose server is killed meanwhile: each call is repeated until it works.

Every write has an idempotency key, so one whose outcome is unknown is simply repeated.
"""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

from eventstore import OutcomeUnknown, StoreBusy, StoreUnavailable

__all__ = ["Patient"]

_WRITES: Final = frozenset({"create", "cancel", "submit_tool_outputs", "approve", "deny"})
_TROUBLES: Final = (StoreBusy, StoreUnavailable, OutcomeUnknown)
_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.05


class Patient:
    """A store, or a resource of one. Followers wait by themselves."""

    def __init__(self, within: Any) -> None:  # noqa: ANN401 (a store or a resource)
        self._within = within

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        found = getattr(self._within, name)
        if not callable(found):
            return Patient(found)
        return found if name == "stream" else _patiently(name, found)


def _patiently(name: str, call: Any) -> Any:  # noqa: ANN401 (a method)
    def repeated(*given: Any, **named: Any) -> Any:  # noqa: ANN401
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
