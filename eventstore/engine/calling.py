"""Call one tool: limit its time and its output, and turn errors into results.

A model sees every outcome, so a failure says what was wrong in one line, without a traceback.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from pydantic_core import PydanticSerializationError, to_jsonable_python

from eventstore import InvalidInput, ToolError
from eventstore.core.json_values import Json, check_json
from eventstore.engine.effects import CallTool, ToolReturned, ToolUnusable
from eventstore.engine.tools import InvalidArguments, LocalTool, ToolAnswer, ToolContext

__all__ = ["call"]

_DEPTH_MAX: Final = 32
_WORDS_MAX: Final = 1_000


class _Failed(Exception):
    """The call failed; the text is for the model."""


async def call(
    tool: LocalTool, asked: CallTool, context: ToolContext
) -> ToolReturned | ToolUnusable:
    """Call a tool, and return its result, whatever happens."""
    try:
        answer = await _answer(tool, asked.arguments, context)
        output = _plain(tool, answer.output)
    except ToolError as error:
        return ToolUnusable(error.code, str(error))
    except _Failed as failure:
        return ToolReturned(asked.call_id, str(failure)[:_WORDS_MAX], "failed")
    return ToolReturned(asked.call_id, output, answer.status, answer.parts)


async def _answer(tool: LocalTool, given: object, context: ToolContext) -> ToolAnswer:
    limit = asyncio.timeout(tool.timeout_seconds)
    try:
        async with limit:
            returned = await tool.call(given, context)
    except ToolError:
        raise
    except InvalidArguments as error:
        raise _Failed(str(error)) from None
    except TimeoutError as error:
        if limit.expired():
            seconds = f"{tool.timeout_seconds:g} seconds"
            raise _Failed(f"The tool did not answer within {seconds}.") from None
        raise _failed(error) from None
    except asyncio.CancelledError:
        if _being_cancelled():
            raise
        raise _Failed("CancelledError") from None
    except BaseException as error:  # noqa: BLE001 (a tool's error never ends the engine)
        raise _failed(error) from None
    return returned if isinstance(returned, ToolAnswer) else ToolAnswer(returned)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failed(error: BaseException) -> _Failed:
    return _Failed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _plain(tool: LocalTool, returned: object) -> Json:
    """Return a tool's output as JSON."""
    try:
        plain = check_json(to_jsonable_python(returned), "output", _DEPTH_MAX)
    except (PydanticSerializationError, UnicodeDecodeError, RecursionError, ValueError):
        raise _Failed(f"The tool returned {type(returned).__name__}, which is not JSON.") from None
    except InvalidInput as error:
        raise _Failed(f"The tool's output is not JSON: {error.problem}.") from None
    size = len(json.dumps(plain, ensure_ascii=False).encode())
    if size > tool.output_bytes_max:
        most = f"{tool.output_bytes_max:,}"
        raise _Failed(f"The tool's output has {size:,} bytes, but at most {most} are allowed.")
    return plain
