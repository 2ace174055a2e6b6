"""Tools of an assistant: Python functions, and those that need more, each an optional extra."""

from eventstore.engine.tools.functions import Tool, tool
from eventstore.engine.tools.local_tools import (
    InvalidArguments,
    LocalTool,
    ToolAnswer,
    ToolContext,
    ToolSet,
)

__all__ = ["InvalidArguments", "LocalTool", "Tool", "ToolAnswer", "ToolContext", "ToolSet", "tool"]
