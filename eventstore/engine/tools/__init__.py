"""Tools of an assistant: Python functions, and those that need more, each an optional extra."""

from eventstore.engine.tools.functions import (
    InvalidArguments,
    LocalTool,
    Tool,
    ToolAnswer,
    ToolContext,
    ToolSet,
    tool,
)

__all__ = ["InvalidArguments", "LocalTool", "Tool", "ToolAnswer", "ToolContext", "ToolSet", "tool"]
