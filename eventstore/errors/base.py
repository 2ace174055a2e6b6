"""The base of every error, which keeps its facts when it is pickled."""

from __future__ import annotations

from typing import Any

__all__ = ["ConversationStoreError"]


def _revived(
    kind: type[ConversationStoreError], args: tuple[Any, ...], facts: dict[str, Any]
) -> ConversationStoreError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class ConversationStoreError(Exception):
    """Base of every error that this library raises on purpose. Pickling keeps its attributes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (type(self), self.args, self.__dict__)
