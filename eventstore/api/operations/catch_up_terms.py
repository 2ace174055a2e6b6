"""The terms on which projections catch up, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from eventstore.api.operations.operation import Maintenance, Write
from eventstore.core.json_values import check_name
from eventstore.errors import (
    InvalidInput,
)
from eventstore.storage.transaction import Transaction

__all__ = ["Terms", "changing", "checked_terms"]

_MOST: Final = 86_400


class Terms(NamedTuple):
    """The settings of a worker."""

    lease_seconds: float = 30.0
    batch_events_max: int = 200
    poll_seconds: float = 1.0
    holder: str = ""


def checked_terms(
    lease_seconds: float, batch_events_max: int, poll_seconds: float, holder: str | None
) -> Terms:
    """Return the settings of a worker.

    Raises:
        InvalidInput: an option is not allowed.
    """
    terms = Terms(lease_seconds, batch_events_max, poll_seconds, holder or "")
    for name, kinds in (
        ("lease_seconds", (int, float)),
        ("batch_events_max", int),
        ("poll_seconds", (int, float)),
    ):
        value = getattr(terms, name)
        if not isinstance(value, kinds) or not 0 < value <= _MOST:
            raise InvalidInput(name, "is not allowed", f"Give more than 0, up to {_MOST}.")
    check_name(terms.holder or "?", "holder")
    return terms


def changing(act: Callable[[Transaction], Any]) -> Write[Any]:
    """Return the write of a function that changes none of the store's own rows."""
    return Write(Maintenance(act, keeps_rows=True, alone=True))
