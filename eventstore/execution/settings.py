"""The settings of ``open()`` about waiting and connecting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Settings"]


class Settings(NamedTuple):
    """The settings of one store."""

    busy_timeout_seconds: float = 10.0
    """Longest wait for another process's transaction, or for room in the queue of writes."""
    queue_max: int = 10_000
    """Most writes that may wait at once."""
    readers: int = 4
    """Connections, and threads under the async face, that may read at once."""
    connect_args: Mapping[str, Any] = {}
    """Passed to the driver's ``connect()``."""
