"""The tools of a chat, from the options of the command."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from eventstore import InvalidInput, ToolError
from eventstore.engine import LocalTool, tool
from eventstore.engine.tools import ToolSet

__all__ = ["ToolOptions", "tools_of"]


NamedTool: TypeAlias = LocalTool | ToolSet


class ToolOptions(NamedTuple):
    """Tools as they are named on the command line."""

    modules: tuple[str, ...] = ()
    """``module:name`` of tools in Python modules."""
    names: tuple[str, ...] = ()
    """Names of tools that come with the library."""
    plugins: tuple[str, ...] = ()
    """Files of OpenAPI descriptions."""
    servers: tuple[str, ...] = ()
    """Commands and addresses of MCP servers."""


def tools_of(options: ToolOptions) -> list[NamedTool]:
    """Return the tools.

    Raises:
        InvalidInput: one cannot be found.
        ToolError: one cannot be used here, or its extra is not installed.
    """
    imported = [one for name in options.modules for one in _imported(name)]
    named = [_named(name) for name in options.names]
    plugins = [_plugin(Path(file)) for file in options.plugins]
    servers = [_server(text, number) for number, text in enumerate(options.servers, 1)]
    return [*imported, *named, *plugins, *servers]


def _imported(name: str) -> list[NamedTool]:
    """Return the tools that ``module:name`` stands for."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 (as python -m does)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(
            "tools",
            f"{name!r} cannot be imported ({type(error).__name__})",
            "Write module:name, of a module that Python finds from here.",
        ) from None
    finally:
        sys.path.pop(0)
    several = found if isinstance(found, list | tuple) else [found]
    return [one if hasattr(one, "definition") else tool(one) for one in several]


def _named(name: str) -> NamedTool:
    if name != "code_interpreter":
        raise InvalidInput(
            "tool", f"{name!r} is not known", "Use code_interpreter, or --tools module:name."
        )
    return _with_extra("code", _code_interpreter)


def _code_interpreter() -> LocalTool:
    from eventstore.engine.tools.code_interpreter import CodeInterpreter  # noqa: PLC0415

    return CodeInterpreter()


def _plugin(file: Path) -> NamedTool:
    """Return the plug-in of a description; its token is in a variable named after it."""

    def made() -> NamedTool:
        from eventstore.engine.tools.plugins import Plugin  # noqa: PLC0415

        name = re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem)
        variable = f"{name.upper().replace('-', '_')}_TOKEN"
        return Plugin(name, file, credentials=lambda _: os.environ.get(variable))

    return _with_extra("plugins", made)


def _server(text: str, number: int) -> NamedTool:
    def made() -> NamedTool:
        from eventstore.engine.tools.mcp_server import McpServer  # noqa: PLC0415

        if text.startswith(("http://", "https://")):
            return McpServer(f"mcp{number}", url=text)
        return McpServer(f"mcp{number}", command=shlex.split(text))

    return _with_extra("mcp", made)


def _with_extra(extra: str, make: Callable[[], NamedTool]) -> NamedTool:
    try:
        return make()
    except ImportError:
        raise ToolError(
            "missing_dependency",
            f"this tool needs the extra {extra!r}",
            f"Install it: pip install 'conversation-eventstore[{extra}]'.",
        ) from None
