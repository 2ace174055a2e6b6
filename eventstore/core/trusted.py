"""Makes values from fields that were validated before, without validating them again.

Content is validated when it comes in, and msgspec checks the types of what is decoded from the log.
Validating a message once more costs 8 µs, and so does pydantic's ``model_construct``; this costs
less than 1 µs.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel

__all__ = ["trusted"]

V = TypeVar("V", bound=BaseModel)

# Each slot by its own descriptor: ``object.__setattr__`` looks it up again and takes twice as long.
_new: Final = object.__new__
_set_fields: Final = BaseModel.__dict__["__dict__"].__set__
_set_names: Final = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra: Final = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private: Final = BaseModel.__dict__["__pydantic_private__"].__set__


@cache
def _field_names(kind: type[BaseModel]) -> set[str]:
    return set(kind.model_fields)


def trusted(kind: type[V], fields: dict[str, Any]) -> V:
    """Return a ``kind`` with exactly these fields: all of them, of the right types."""
    value = _new(kind)
    _set_fields(value, fields)
    _set_names(value, _field_names(kind))
    _set_extra(value, None)
    _set_private(value, None)
    return value
