"""The fixture ``async_store`` where pytest-asyncio is missing: it says so."""

from __future__ import annotations

import pytest

__all__ = ["async_store"]


@pytest.fixture
def async_store() -> None:
    """An open ``AsyncConversationStore`` on a new SQLite file: needs pytest-asyncio."""
    pytest.fail(
        "`async_store` needs pytest-asyncio: pip install 'conversation-eventstore[testing]'",
        pytrace=False,
    )
