"""Servers of the Model Context Protocol: their tools are a set. An extra: ``[mcp]``.

A server is connected when it is needed, and again after it died; a call that finds it dead is a
failed result. Its tools are listed once for each run, and the definitions are recorded.

    engine = Engine(store, tools=[McpServer("files", command=["my-files-server"])])
    assistant = store.assistants.create(model="qwen-plus", tools=[{"type": "files"}])
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import mcp
from mcp import types
from mcp.client import Transport
from mcp.client.stdio import StdioServerParameters, stdio_client

from eventstore.engine.tools import InvalidArguments, ToolAnswer, ToolContext
from eventstore.engine.tools.mcp_results import answer_of
from eventstore.errors import InvalidInput, ToolError

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.server.mcpserver import MCPServer

__all__ = ["McpServer", "McpTool"]

_Reachable: TypeAlias = "Server[Any] | MCPServer | Transport | StdioServerParameters | str"
"""Anything that ``mcp.Client`` connects to."""

_TOOLS_MAX: Final = 500
_NAME_MAX: Final = 64
_JOINED: Final = "__"
_DIGITS: Final = 6
"""Of the digest in the name of a tool whose own name models do not accept."""
_GONE: Final = "The server is gone, or cannot be reached. The next call starts it again."


class McpServer:
    """The tools of a server, over stdio or streamable HTTP.

    The names that a model sees begin with the server's id: ``files__read``.
    """

    def __init__(
        self,
        id: str,
        *,
        command: Sequence[str] | None = None,
        url: str | None = None,
        environment: Mapping[str, str] | None = None,
        server: _Reachable | None = None,
        tools: Collection[str] | None = None,
        approval: bool | Collection[str] = False,
        timeout_seconds: float = 60.0,
        output_bytes_max: int = 256 * 1024,
    ) -> None:
        """Describe a server; nothing is started yet.

        Args:
            id: Id of the server: the ``type`` by which an assistant lists its tools.
            command: Program and arguments of a server on stdio.
            url: Address of a server with streamable HTTP.
            environment: Variables of the program, beside a few harmless ones of this process.
            server: Anything else that ``mcp.Client`` takes, in place of command and address.
            tools: Names of the tools that are offered; by default, all.
            approval: A person approves each call, or those of the tools named.
            timeout_seconds: Longest time of a call, and of starting.
            output_bytes_max: Largest output of a tool, as JSON.
        """
        if not re.fullmatch(r"[A-Za-z0-9-]{1,30}", id) or id == "function":
            raise InvalidInput("id", "is no id", "Give up to 30 letters, digits and -.")
        if sum(one is not None for one in (command, url, server)) != 1:
            raise InvalidInput("command", "is not the only one", "Give command=, url= or server=.")
        self.type = id
        """Id of the server."""
        self.definition: dict[str, str] = {"type": id}
        """Definition by which an assistant lists its tools."""
        self._server = server or url or _parameters(command or (), environment)
        self._only = None if tools is None else frozenset(tools)
        named = () if isinstance(approval, bool) else approval
        self._approval = approval is True
        self._approved = frozenset(map(self.shown, named))
        self._names: dict[str, str] = {}
        self._timeout = timeout_seconds
        self._output_bytes_max = output_bytes_max
        self._connection: _Connection | None = None

    async def definitions(self) -> list[dict[str, Any]]:
        """Connect, and return the server's tools as functions for models.

        Raises:
            ToolError: ``"tools_unavailable"``.
        """
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._listed()
        except Exception as error:  # noqa: BLE001 (transports raise what they like)
            raise ToolError(
                "tools_unavailable",
                f"the tools of the server {self.type!r} cannot be listed ({_word(error)})",
                "See that the server runs, and answers tools/list.",
            ) from None
        return [self._definition(one) for one in found]

    async def _listed(self) -> list[types.Tool]:
        client = await self._client()
        found: list[types.Tool] = []
        cursor: str | None = None
        while len(found) < _TOOLS_MAX:
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            found += [one for one in page.tools if self._offers(one.name)]
            cursor = page.next_cursor
            if cursor is None:
                break
        self._names |= {self.shown(one.name): one.name for one in found}
        return found[:_TOOLS_MAX]

    def _offers(self, name: str) -> bool:
        return self._only is None or name in self._only

    def _definition(self, tool: types.Tool) -> dict[str, Any]:
        function = {
            "name": self.shown(tool.name),
            "description": tool.description or tool.title or tool.name,
            "parameters": tool.input_schema,
        }
        return {"type": "function", "function": function}

    def shown(self, name: str) -> str:
        """Return the name that models see: one that they accept, and no other tool has.

        It follows from the tool's own name, so every process finds the same.
        """
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        shown = f"{self.type}{_JOINED}{plain}"
        if plain == name and len(shown) <= _NAME_MAX:
            return shown
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        return f"{shown[: _NAME_MAX - _DIGITS - 1]}_{digest}"

    def tool(self, name: str) -> McpTool | None:
        """Return the tool of a name, if it is one of this server's; nothing is asked for that."""
        own, joined, _ = name.partition(_JOINED)
        if own != self.type or not joined:
            return None
        if self._only is not None and name not in map(self.shown, self._only):
            return None
        return McpTool(
            self,
            name,
            approval=self._approval or name in self._approved,
            timeout_seconds=self._timeout,
            output_bytes_max=self._output_bytes_max,
        )

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Call a tool of the server, by the name that models see."""
        try:
            client = await self._client()
            if name not in self._names:  # another process listed them
                await self._listed()
            inner = self._names.get(name) or name.partition(_JOINED)[2]
            result = await client.call_tool(inner, dict(arguments))
        except asyncio.CancelledError:
            raise
        except mcp.MCPError as error:
            if error.code == types.CONNECTION_CLOSED:
                await self.aclose()
                return ToolAnswer({"error": _GONE}, "failed")
            return ToolAnswer({"error": f"The server refused: {str(error)[:500]}"}, "failed")
        except Exception:  # noqa: BLE001 (transports raise what they like)
            await self.aclose()
            return ToolAnswer({"error": _GONE}, "failed")
        return answer_of(result)

    async def _client(self) -> mcp.Client:
        loop = asyncio.get_running_loop()
        if self._connection is None or not self._connection.is_alive(loop):
            self._connection = _Connection(self._server, self._timeout)
        return await self._connection.client()

    async def aclose(self) -> None:
        """Close the connection; a server on stdio is ended."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


class McpTool:
    """One tool of a server."""

    def __init__(
        self,
        server: McpServer,
        name: str,
        *,
        approval: bool,
        timeout_seconds: float,
        output_bytes_max: int,
    ) -> None:
        self._server = server
        self.name = name
        """Name that the model calls it by."""
        self.definition: dict[str, Any] = {"type": "function", "function": {"name": name}}
        """Definition by name alone; the server's list says the rest."""
        self.repeatable = False
        """Nobody promises that calling it twice does no harm."""
        self.approval = approval
        """A person approves each call."""
        self.timeout_seconds = timeout_seconds
        """Longest time that a call may take."""
        self.output_bytes_max = output_bytes_max
        """Most bytes of its output as JSON."""

    async def call(self, arguments: object, context: ToolContext) -> ToolAnswer:  # noqa: ARG002
        """Call the tool at its server."""
        if not isinstance(arguments, Mapping):
            raise InvalidArguments("The arguments are not a JSON object.")
        return await self._server.call(self.name, arguments)


class _Connection:
    """A client that is kept open by a task of its own: it must end in the task it began in."""

    def __init__(self, server: _Reachable, timeout_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[mcp.Client] = self._loop.create_future()
        self._closing = asyncio.Event()
        self._task = self._loop.create_task(self._keep(server, timeout_seconds))

    async def _keep(self, server: _Reachable, timeout_seconds: float) -> None:
        try:
            reached = server
            if isinstance(server, StdioServerParameters):  # its complaints go where ours would
                reached = stdio_client(server, errlog=sys.__stderr__ or sys.stderr)
            async with mcp.Client(reached, read_timeout_seconds=timeout_seconds) as client:
                self._ready.set_result(client)
                await self._closing.wait()
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            if not self._ready.done():
                self._ready.set_exception(ConnectionError(_word(error)))
            self._ready.exception()

    def is_alive(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self._loop is loop and not self._task.done()

    async def client(self) -> mcp.Client:
        return await asyncio.shield(self._ready)

    async def aclose(self) -> None:
        self._closing.set()
        if self._loop is asyncio.get_running_loop():
            with contextlib.suppress(Exception):
                await asyncio.wait([self._task], timeout=5)


def _parameters(
    command: Sequence[str], environment: Mapping[str, str] | None
) -> StdioServerParameters:
    program, *arguments = command
    return StdioServerParameters(command=program, args=arguments, env=dict(environment or {}))


def _word(error: BaseException) -> str:
    """Return the kind of an error, not its text: that may hold an address or a command."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return type(error).__name__
