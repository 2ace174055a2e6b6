"""Assistants that answer: executes runs over the public API of the store.

::

    with Engine(store, tools=[weather]) as engine:
        assistant = store.assistants.create(model="qwen-plus", tools=[weather])
        thread = store.threads.create(messages=[{"role": "user", "content": "Weather in Oslo?"}])
        run = engine.run(thread.id, assistant.id)
"""

from eventstore.engine.async_engine import AsyncEngine
from eventstore.engine.replaying import RunReplay, replay, replay_async
from eventstore.engine.run_options import RunOptions
from eventstore.engine.settings import RunSettings
from eventstore.engine.sync_engine import Engine
from eventstore.engine.tools import LocalTool, Tool, ToolAnswer, ToolContext, tool

__all__ = [
    "AsyncEngine",
    "Engine",
    "LocalTool",
    "RunOptions",
    "RunReplay",
    "RunSettings",
    "Tool",
    "ToolAnswer",
    "ToolContext",
    "replay",
    "replay_async",
    "tool",
]
