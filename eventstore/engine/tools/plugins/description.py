"""An OpenAPI 3 description, read into the operations that it describes.

References inside of the document are resolved; others are refused, since following them would be a
request to wherever the document says. Schemas stay as they are written, and go to the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from eventstore.core.json_values import Json
from eventstore.errors import ToolError

__all__ = ["Auth", "Description", "Operation", "Parameter", "read_description"]

Place: TypeAlias = Literal["path", "query", "header"]

_METHODS: Final = ("get", "put", "post", "delete", "head", "patch", "options")
_DEPTH_MAX: Final = 40
_NAME_MAX: Final = 64
_REMEDY: Final = "Give an OpenAPI 3 description as JSON."
_OWN_HEADERS: Final = frozenset(
    {"accept", "authorization", "connection", "content-length", "content-type", "cookie", "host"}
)
"""Headers that a description cannot let the model choose."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: Place
    argument: str
    """Name of the model's argument: that of the parameter, unless two are called the same."""
    explode: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: a tool."""

    name: str
    method: str
    path: str
    description: str
    parameters: tuple[Parameter, ...]
    body: str | None
    """Media type of its body, if it has one."""
    schema: Mapping[str, Any] = field(repr=False)
    """JSON schema of the model's arguments."""
    is_open: bool = False
    """The description says that it wants no credentials."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The place of a credential in a request."""

    place: Literal["bearer", "header", "query"]
    name: str = ""
    """Name of the header or of the query parameter."""


@dataclass(frozen=True, slots=True)
class Description:
    """A service, as it describes itself."""

    title: str
    server: str
    operations: tuple[Operation, ...]
    auth: Auth | None


def read_description(given: Mapping[str, Any] | str | Path, server: str | None) -> Description:
    """Read a description from a dictionary or a file of JSON.

    Raises:
        ToolError: ``"bad_description"``, with what is wrong.
    """
    document = given if isinstance(given, Mapping) else _loaded(Path(given))
    try:
        return _read(document, server)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise _bad("a part of it has another form than OpenAPI says") from None


def _read(document: Mapping[str, Any], server: str | None) -> Description:
    if not str(document.get("openapi", "")).startswith("3."):
        raise _bad("it is no OpenAPI 3 description")
    reader = _Reader(document)
    operations = tuple(reader.operations())
    if not operations:
        raise _bad("it describes no operation")
    return Description(
        title=str(reader.mapping(document.get("info", {})).get("title", "")),
        server=_checked_server(server or reader.server()),
        operations=operations,
        auth=reader.auth(),
    )


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _bad(f"{path.name} cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(document, Mapping):
        raise _bad("it is no JSON object")
    return document


def _bad(problem: str) -> ToolError:
    return ToolError(
        "bad_description", f"the plug-in's description is unusable: {problem}", _REMEDY
    )


def _checked_server(server: str) -> str:
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _bad("it names no server with http or https, and server= does not either")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _bad("the server's address holds more than a host and a path")
    return server.rstrip("/")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document: dict[str, Json] = dict(document)

    def server(self) -> str:
        servers = self._document.get("servers")
        first = self.mapping(servers[0]) if isinstance(servers, list) and servers else {}
        url = str(first.get("url", ""))
        for name, variable in self.mapping(first.get("variables", {})).items():
            url = url.replace("{" + name + "}", str(self.mapping(variable).get("default", "")))
        return url

    def auth(self) -> Auth | None:
        """Return the first way to give credentials that is known here."""
        components = self.mapping(self._document.get("components", {}))
        for scheme in self.mapping(components.get("securitySchemes", {})).values():
            given = self.mapping(scheme)
            match given.get("type"), given.get("scheme", "").lower(), given.get("in"):
                case ("http", "bearer", _) | ("oauth2" | "openIdConnect", _, _):
                    return Auth("bearer")
                case ("apiKey", _, "header" | "query" as place):
                    return Auth(place, str(given.get("name", "")))
        return None

    def operations(self) -> Iterator[Operation]:
        seen: set[str] = set()
        for path, item in self.mapping(self._document.get("paths", {})).items():
            methods = self.mapping(item)
            shared = methods.get("parameters", [])
            for method in _METHODS:
                if method in methods:
                    operation = self._operation(path, method, self.mapping(methods[method]), shared)
                    if operation.name in seen:
                        raise _bad(f"two operations are called {operation.name}")
                    seen.add(operation.name)
                    yield operation

    def _operation(
        self, path: str, method: str, given: Mapping[str, Any], shared: list[Any]
    ) -> Operation:
        if not path.startswith("/"):  # behind the server's name it would make another one
            raise _bad("a path does not begin with /")
        named = given.get("operationId")
        name = _plain(str(named or "")) or _plain(f"{method}{path}")
        parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
        for each in (*shared, *given.get("parameters", [])):
            parameter = self.mapping(each)
            parameters[str(parameter.get("in")), str(parameter.get("name"))] = parameter
        properties: dict[str, Any] = {}
        required: list[str] = []
        found: list[Parameter] = []
        for (place, own_name), parameter in parameters.items():
            if place not in {"path", "query", "header"} or own_name.lower() in _OWN_HEADERS:
                continue
            argument = own_name if own_name not in properties else f"{own_name}_{place}"
            schema = dict(self.mapping(self.resolved(parameter.get("schema", {}))))
            if parameter.get("description"):
                schema.setdefault("description", str(parameter["description"]))
            properties[argument] = schema
            if parameter.get("required") or place == "path":
                required.append(argument)
            explode = bool(parameter.get("explode", place == "query"))
            found.append(Parameter(own_name, place, argument, explode))  # type: ignore[arg-type]
        body = self._body(given, properties, required)
        return Operation(
            name=name[:_NAME_MAX],
            method=method.upper(),
            path=path,
            description=str(given.get("summary") or given.get("description") or name),
            parameters=tuple(found),
            body=body,
            schema={
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            },
            is_open=given.get("security", self._document.get("security")) == [],
        )

    def _body(
        self, given: Mapping[str, Any], properties: dict[str, Any], required: list[str]
    ) -> str | None:
        if "requestBody" not in given:
            return None
        body = self.mapping(given["requestBody"])
        contents = self.mapping(body.get("content", {}))
        for media_type in ("application/json", "application/x-www-form-urlencoded"):
            if media_type in contents:
                schema = self.mapping(contents[media_type]).get("schema", {})
                properties["body"] = self.resolved(schema)
                if body.get("required"):
                    required.append("body")
                return media_type
        raise _bad("the body of an operation is neither JSON nor a form")

    def mapping(self, value: object) -> Mapping[str, Any]:
        """Return a JSON object, or the one that it refers to."""
        for _ in range(_DEPTH_MAX):
            if not isinstance(value, Mapping):
                break
            if "$ref" not in value:
                return value
            value = self._referred(value["$ref"])
        raise _bad("a part of it is no JSON object, or refers to itself")

    def _referred(self, reference: object) -> Json:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise _bad("it refers to another document")
        found: Json = self._document
        for step in reference[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or key not in found:
                raise _bad("a reference leads nowhere")
            found = found[key]
        return found

    def resolved(self, value: Json, depth: int = 0) -> Json:
        """Return a schema without references; one that contains itself ends in ``{}``."""
        if depth > _DEPTH_MAX // 4:
            return {}
        if isinstance(value, list):
            return [self.resolved(each, depth + 1) for each in value]
        if not isinstance(value, Mapping):
            return value
        if "$ref" in value:
            return self.resolved(self._referred(value["$ref"]), depth + 1)
        return {key: self.resolved(each, depth + 1) for key, each in value.items()}
