"""The tools of an engine: single ones by name, and sets by the type under which they are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from eventstore import InvalidInput
from eventstore.engine.tools import LocalTool, Tool, ToolSet

__all__ = ["AnyTool", "Toolbox"]

AnyTool: TypeAlias = LocalTool | ToolSet | Callable[..., Any]


class Toolbox:
    """Finds a tool by its name, in this process."""

    def __init__(self, tools: Sequence[AnyTool] = ()) -> None:
        """Take tools and sets of them; a plain function becomes a tool.

        Raises:
            InvalidInput: two have the same name, or one cannot be a tool.
        """
        self.tools: dict[str, LocalTool] = {}
        """Single tools, by name."""
        self.sets: dict[str, ToolSet] = {}
        """Sets, by type."""
        for one in _listed(tools):
            if hasattr(one, "definitions"):
                self._take(self.sets, one.type, one)
            else:
                given: Any = one if hasattr(one, "definition") else _made(one)
                self._take(self.tools, given.name, given)
        for each in self.sets.values():
            self._check_apart(each)
        self._take_aliases()

    def _take(self, into: dict[str, Any], name: str, one: object) -> None:
        if name in self.tools or name in self.sets:
            raise InvalidInput("tools", f"two are called {name}", "Give each its own name.")
        into[name] = one

    def _take_aliases(self) -> None:
        """List tools under their other names, too, where no tool has such a name for its own."""
        for tool in [*self.tools.values()]:
            for alias in getattr(tool, "aliases", ()):
                if not self.knows(alias):
                    self.tools[alias] = tool.named(alias)  # type: ignore[attr-defined]
        for one in [*self.sets.values()]:
            for alias in getattr(one, "aliases", ()):
                if not self.knows(alias):
                    self.sets[alias] = one

    def _check_apart(self, one: ToolSet) -> None:
        """Refuse a tool of a set whose name others have: a call would go to either."""
        others = [other for other in self.sets.values() if other is not one]
        for own in getattr(one, "tools", ()):  # of a set that knows them beforehand
            if own.name in self.tools or any(other.tool(own.name) for other in others):
                raise InvalidInput(
                    "tools",
                    f"{own.name} of {one.type} is also a tool of another",
                    "Give one of them a prefix=, or choose its operations=.",
                )

    def find(self, name: str) -> LocalTool | None:
        """Return the tool of a name, alone or in a set."""
        if name in self.tools:
            return self.tools[name]
        return next((found for one in self.sets.values() if (found := one.tool(name))), None)

    def knows(self, name: str) -> bool:
        """Check for a name that runs may use."""
        return name in self.sets or self.find(name) is not None

    def __iter__(self) -> Iterator[LocalTool | ToolSet]:
        yield from self.tools.values()
        yield from {id(one): one for one in self.sets.values()}.values()


def _listed(tools: object) -> Iterable[Any]:
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise InvalidInput("tools", "is not a list of tools", "Give functions made with @tool.")
    return tools


def _made(function: object) -> Tool[..., Any]:
    if not callable(function):
        raise InvalidInput(
            "tools", f"{type(function).__name__} is not a tool", "Give functions made with @tool."
        )
    return Tool(function)
