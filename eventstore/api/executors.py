"""The executors that the two faces run on, as types."""

from __future__ import annotations

from typing import TypeAlias

from eventstore.execution.async_url import AsyncUrlExecutor
from eventstore.execution.owned import OwnedEngine
from eventstore.execution.owned_async import OwnedAsyncEngine
from eventstore.execution.url import UrlExecutor
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Outcome, Request

__all__ = ["AsyncExecutor", "SyncExecutor", "ThreadedExecutor"]

ThreadedExecutor: TypeAlias = UrlExecutor[Transaction, Request, Outcome]
"""Has both faces."""
SyncExecutor: TypeAlias = ThreadedExecutor | OwnedEngine[Transaction, Request, Outcome]
AsyncExecutor: TypeAlias = (
    ThreadedExecutor
    | OwnedAsyncEngine[Transaction, Request, Outcome]
    | AsyncUrlExecutor[Transaction, Request, Outcome]
)
