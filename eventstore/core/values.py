"""The base of all values that users get: frozen, comparable, hashable."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Value"]


class Value(BaseModel):
    """Base of the values that users get.

    Equal values have equal hashes. JSON inside a value (metadata, tool arguments) cannot be hashed,
    so only its size counts; two values that differ in nothing else still compare as different.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    def __hash__(self) -> int:
        return hash((type(self).__name__, *map(_hashed, self.__dict__.values())))


def _hashed(field: object) -> object:
    if isinstance(field, (dict, list)):
        return len(field)
    return tuple(map(_hashed, field)) if isinstance(field, tuple) else field
