"""Call one tool: check its arguments, limit its time and its output, and turn errors into results.

A model sees every outcome, so a failure says what was wrong in one line, without a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from eventstore import InvalidInput
from eventstore.core.json_values import check_json
from eventstore.engine.effects import CallTool, ToolReturned
from eventstore.engine.tools import Tool, ToolContext

__all__ = ["call", "in_thread"]

T = TypeVar("T")

_DEPTH_MAX: Final = 32
_WORDS_MAX: Final = 1_000


class _Failed(Exception):
    """The call failed; the text is for the model."""


async def call(tool: Tool[..., Any], asked: CallTool, context: ToolContext) -> ToolReturned:
    """Call a tool, and return its result, whatever happens."""
    try:
        output = await _output(tool, asked.arguments, context)
    except _Failed as failure:
        return ToolReturned(asked.call_id, str(failure), "failed")
    return ToolReturned(asked.call_id, output)


async def _output(tool: Tool[..., Any], given: Any, context: ToolContext) -> Any:  # noqa: ANN401
    arguments = _arguments(tool, given, context)
    limit = asyncio.timeout(tool.timeout_seconds)
    try:
        async with limit:
            returned = await _returned(tool.function, arguments)
    except _Failed:
        raise
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
    return _plain(tool, returned)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _returned(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:  # noqa: ANN401
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    returned = await in_thread(lambda: function(**arguments))
    return await returned if inspect.isawaitable(returned) else returned


def _failed(error: BaseException) -> _Failed:
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _Failed(words[:_WORDS_MAX])


def _arguments(tool: Tool[..., Any], given: Any, context: ToolContext) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(given, dict):
        raise _Failed("The arguments are not a JSON object.")
    try:
        return tool.arguments(json.dumps(given), context)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
    problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    raise _Failed(f"The arguments are invalid: {problems}"[:_WORDS_MAX])


def _plain(tool: Tool[..., Any], returned: Any) -> Any:  # noqa: ANN401 (a JSON value)
    """Return a tool's output as JSON."""
    try:
        plain = check_json(to_jsonable_python(returned), "output", _DEPTH_MAX)
    except (PydanticSerializationError, UnicodeDecodeError, RecursionError):
        raise _Failed(f"The tool returned {type(returned).__name__}, which is not JSON.") from None
    except InvalidInput as error:
        raise _Failed(f"The tool's output is not JSON: {error.problem}.") from None
    size = len(json.dumps(plain, ensure_ascii=False).encode())
    if size > tool.output_bytes_max:
        most = f"{tool.output_bytes_max:,}"
        raise _Failed(f"The tool's output has {size:,} bytes, but at most {most} are allowed.")
    return plain


async def in_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread of its own, which does not keep the interpreter from ending.

    A thread cannot be stopped. If the waiting task is cancelled, the thread goes on, and its result
    is dropped.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            _tell(loop, _fail, future, _as_exception(error))
        else:
            _tell(loop, _settle, future, result)

    threading.Thread(target=work, name="eventstore-tool", daemon=True).start()
    return await future


def _as_exception(error: BaseException) -> BaseException:
    """A future does not take StopIteration, and re-raises an exit in the loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(type(error).__name__)


def _tell(loop: asyncio.AbstractEventLoop, *call: Any) -> None:  # noqa: ANN401
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(*call)


def _settle(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
