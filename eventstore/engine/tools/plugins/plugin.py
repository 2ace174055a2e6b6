"""A plug-in: an OpenAPI description whose operations are tools.

Credentials come from a callback of the executing process, for each run, and go into the request
alone. They are in no event, log or error, and if the service repeats them, they are blotted out.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from eventstore.engine.tools import InvalidArguments, ToolAnswer, ToolContext
from eventstore.engine.tools.plugins.answers import tool_answer
from eventstore.engine.tools.plugins.description import Auth, Operation, read_description
from eventstore.engine.tools.plugins.guarded_http import Answer, Gate, HttpFailed
from eventstore.engine.tools.plugins.requests import Request, request_of
from eventstore.errors import InvalidInput, ToolError

__all__ = ["Credentials", "Plugin", "PluginCall"]

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_PASSING: Final = frozenset({429, 502, 503, 504})
_TRIES: Final = 3
_WAIT_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class PluginCall:
    """The call that credentials are asked for."""

    plugin: str
    """Id of the plug-in."""
    operation: str
    """Name of the operation."""
    context: ToolContext
    """The run, its thread and the store."""


Credentials: TypeAlias = Callable[[PluginCall], "str | Awaitable[str | None] | None"]
"""Returns the credential for a call: a bearer token, or the value of a header or a parameter."""


class Plugin:
    """The tools of a service."""

    def __init__(
        self,
        id: str,
        description: Mapping[str, Any] | str | Path,
        *,
        credentials: Credentials | None = None,
        auth: Auth | None = None,
        server: str | None = None,
        operations: Collection[str] | None = None,
        prefix: str = "",
        allow_private: Collection[str] = (),
        approval: bool | Collection[str] = False,
        timeout_seconds: float = 30.0,
        answer_bytes_max: int = 1024 * 1024,
        output_bytes_max: int = 64 * 1024,
    ) -> None:
        """Make tools of a description.

        Args:
            id: Id of the plug-in: the ``type`` by which an assistant lists all of its tools.
            description: OpenAPI 3, as a dictionary or a file of JSON.
            credentials: Called for each call of an operation, if the service wants credentials.
            auth: Place of the credentials in a request, in place of what the description says.
            server: Address of the service, in place of the description's.
            operations: Names of those that become tools; by default, all.
            prefix: Beginning of the tools' names, where another plug-in has the same operations.
            allow_private: Hosts that may have private addresses, and be asked without TLS.
            approval: A person approves each call, or those of the operations named.
            timeout_seconds: Longest time of a request.
            answer_bytes_max: Largest answer that is read.
            output_bytes_max: Largest output of a tool, as JSON.

        Raises:
            ToolError: ``"bad_description"``.
        """
        _check_id(id)
        read = read_description(description, server)
        private = {each.lower() for each in allow_private}
        _check_encrypted(read.server, private)
        chosen = [one for one in read.operations if operations is None or one.name in operations]
        self.type = id
        """Id of the plug-in."""
        self.definition: dict[str, str] = {"type": id}
        """Definition by which an assistant lists all of its tools."""
        self.aliases: tuple[str, ...] = ()
        """Other types by which an assistant may list them."""
        self.title: str = read.title
        """Title of the service."""
        gate = Gate(private, timeout_seconds=timeout_seconds, bytes_max=answer_bytes_max)
        self._service = _Service(id, read.server, auth or read.auth, credentials, gate)
        self.tools: tuple[OperationTool, ...] = tuple(
            OperationTool(
                self._service,
                _prefixed(one, prefix),
                approval=approval if isinstance(approval, bool) else one.name in approval,
                timeout_seconds=_TRIES * (timeout_seconds + 1),
                output_bytes_max=output_bytes_max,
            )
            for one in chosen
        )
        """Tools of its operations."""

    async def definitions(self) -> list[dict[str, Any]]:
        """Return its operations as functions for models."""
        return [one.definition for one in self.tools]

    def tool(self, name: str) -> OperationTool | None:
        """Return the tool of a name, if it is one of these."""
        return next((one for one in self.tools if one.name == name), None)


def _prefixed(operation: Operation, prefix: str) -> Operation:
    name = f"{prefix}{operation.name}"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise InvalidInput(
            "prefix",
            f"{name[:100]!r} is not a tool's name",
            "Give letters, digits, _ and -, so that names have up to 64.",
        )
    return replace(operation, name=name)


def _check_id(id: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", id) or id == "function":
        raise InvalidInput("id", "is no id", "Give up to 40 letters, digits, _ and -.")


def _check_encrypted(server: str, private: set[str]) -> None:
    parts = urlsplit(server.lower())
    if parts.scheme == "http" and not private & {parts.netloc, parts.hostname}:
        raise ToolError(
            "bad_description",
            "the service is asked without TLS, so anybody on the way reads along",
            "Give its https address, or name the host in allow_private= if it is your own.",
        )


@dataclass(frozen=True, slots=True)
class _Service:
    """Place where requests of a plug-in go, and their credentials."""

    plugin: str
    server: str
    auth: Auth | None
    credentials: Credentials | None = field(repr=False)
    gate: Gate = field(repr=False)

    async def secret(self, operation: Operation, context: ToolContext) -> str | None:
        """Return the credential for a call.

        Raises:
            ToolError: ``"credentials_missing"``.
        """
        if self.auth is None or operation.is_open:
            return None
        found = await self._asked(PluginCall(self.plugin, operation.name, context))
        if not found:
            raise ToolError(
                "credentials_missing",
                f"the plug-in {self.plugin!r} has no credentials for this run",
                "Give the plug-in a credentials= callback that returns them.",
            )
        if not (isinstance(found, str) and found.isascii() and found.isprintable()):
            raise ToolError(
                "credentials_missing",
                f"the credentials for the plug-in {self.plugin!r} are not printable ASCII",
                "Return the token alone, without a line end.",
            )
        return found

    async def _asked(self, call: PluginCall) -> object:
        if self.credentials is None:
            return None
        try:
            answer = self.credentials(call)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:  # noqa: BLE001 (its text may hold the credentials)
            kind = type(error).__name__
            raise ToolError(
                "credentials_missing",
                f"the credentials= callback of the plug-in {self.plugin!r} raised {kind}",
                "See to it that it returns the credentials, or None if there are none.",
            ) from None


class OperationTool:
    """One operation of a service, as a tool."""

    def __init__(
        self,
        service: _Service,
        operation: Operation,
        *,
        approval: bool,
        timeout_seconds: float,
        output_bytes_max: int,
    ) -> None:
        self._service = service
        self._operation = operation
        self.name: str = operation.name
        """Name that the model calls it by."""
        self.repeatable: bool = operation.method in _IDEMPOTENT
        """Calling it twice does no harm, by the meaning of its method."""
        self.approval = approval
        """A person approves each call."""
        self.timeout_seconds = timeout_seconds
        """Longest time that a call may take."""
        self.output_bytes_max = output_bytes_max
        """Most bytes of its output as JSON."""

    def __repr__(self) -> str:
        return f"<OperationTool {self.name} of {self._service.plugin}>"

    @property
    def definition(self) -> dict[str, Any]:
        """The operation as a function for models."""
        function = {
            "name": self.name,
            "description": self._operation.description,
            "parameters": self._operation.schema,
        }
        return {"type": "function", "function": function}

    async def call(self, arguments: object, context: ToolContext) -> ToolAnswer:
        """Send the request, again if it failed in passing and may be repeated."""
        if not isinstance(arguments, Mapping):
            raise InvalidArguments("The arguments are not a JSON object.")
        request = request_of(self._service.server, self._operation, arguments)
        secret = await self._service.secret(self._operation, context)
        if secret is not None and self._service.auth is not None:
            request.authorize(self._service.auth, secret)
        try:
            answer = await self._sent(request)
        except HttpFailed as failure:
            return ToolAnswer({"error": str(failure)}, "failed")
        return tool_answer(answer, secret)

    async def _sent(self, request: Request) -> Answer:
        tries = _TRIES if self.repeatable else 1
        for number in range(1, tries + 1):
            try:
                answer = await self._service.gate.request(
                    self._operation.method, request.url, request.headers, request.body
                )
            except HttpFailed as failure:
                if not failure.may_pass or number == tries:
                    raise
            else:
                if answer.status not in _PASSING or number == tries:
                    return answer
            await asyncio.sleep(_WAIT_SECONDS * 2**number * random.uniform(0.5, 1))  # noqa: S311
        raise AssertionError
