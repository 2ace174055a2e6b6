"""The fixture ``async_store``, made by pytest-asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from pytest_eventstore import sqlite_url

if TYPE_CHECKING:
    from eventstore import AsyncConversationStore

__all__ = ["async_store"]


@pytest_asyncio.fixture
async def async_store(tmp_path: Path) -> AsyncIterator[AsyncConversationStore]:
    """An open ``AsyncConversationStore`` on a new SQLite file in ``tmp_path``; closed afterwards.

    It is the same file as that of ``store``: a test may use both faces on one database.
    """
    from eventstore import AsyncConversationStore  # noqa: PLC0415 (only where a test asks for it)

    async with AsyncConversationStore.open(sqlite_url(tmp_path)) as opened:
        yield opened
