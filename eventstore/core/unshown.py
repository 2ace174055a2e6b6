"""Keeps the words of users out of the ``repr`` of the values that hold them.

A value easily ends up in a log, or beside a failing assertion. So its ``repr`` identifies the
message and leaves out its words; ``.text``, ``.content`` and ``.model_dump()`` give them.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

from pydantic import Field

__all__ = ["Unshown"]

T = TypeVar("T")

Unshown: TypeAlias = Annotated[T, Field(repr=False)]
"""A field of a model that may hold words."""
