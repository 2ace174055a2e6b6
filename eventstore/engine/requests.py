"""A request to a store, as a value: what a course yields, and a driver performs.

Both stores have the same methods, so one request does for either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eventstore import AsyncConversationStore, Batch, ConversationStore

__all__ = ["AnyStore", "Ask", "Request", "Together"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of a method of the store."""

    call: Callable[[Any], Any]
    """Takes the store; returns the answer, or an awaitable of it."""


@dataclass(frozen=True, slots=True)
class Together:
    """Calls that are performed together, or not at all."""

    thread_id: str
    collect: Callable[[Batch], Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of the write."""


Request: TypeAlias = Ask | Together

AnyStore: TypeAlias = ConversationStore | AsyncConversationStore
