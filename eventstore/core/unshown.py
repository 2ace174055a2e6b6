"""What people said, kept out of the ``repr`` of the values that hold it.

A value is logged, or shown beside a failing assertion, more easily than meant. So its ``repr`` says
which message it is, and not what it says: ``.text``, ``.content`` and ``.model_dump()`` do.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

from pydantic import Field

__all__ = ["Unshown"]

T = TypeVar("T")

Unshown: TypeAlias = Annotated[T, Field(repr=False)]
"""A field of a model that may hold words."""
