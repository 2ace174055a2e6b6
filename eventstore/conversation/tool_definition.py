"""A tool as a caller may give it: its definition, or a thing that has one.

Only the definition is recorded. ``eventstore.engine.tool`` makes such things of functions, and any
other class may be one, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Defined", "ToolGiven"]


@runtime_checkable
class Defined(Protocol):
    """Anything with the definition of a tool."""

    @property
    def definition(self) -> Mapping[str, Any]:
        """The tool as a model is told of it, a JSON object."""
        ...


ToolGiven: TypeAlias = Mapping[str, Any] | Defined
