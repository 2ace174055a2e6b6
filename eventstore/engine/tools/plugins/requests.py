"""The request of one call: the model's arguments in path, query, headers and body.

An argument stays in its place: a part of a path is encoded whole, a header has no line end, and the
server is the description's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from eventstore.core.json_values import Json
from eventstore.engine.tools import InvalidArguments
from eventstore.engine.tools.plugins.description import Auth, Operation, Parameter

__all__ = ["Request", "request_of"]


@dataclass(slots=True)
class Request:
    """A request; its text may hold credentials, so nothing of it is shown."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)

    def authorize(self, auth: Auth, secret: str) -> None:
        """Put a credential in its place."""
        if auth.place == "bearer":
            self.headers["Authorization"] = f"Bearer {secret}"
        elif auth.place == "header":
            self.headers[auth.name] = secret
        else:
            joined = "&" if "?" in self.url else "?"
            self.url += f"{joined}{quote(auth.name, safe='')}={quote(secret, safe='')}"


def request_of(server: str, operation: Operation, given: Mapping[str, Any]) -> Request:
    """Return the request of a call.

    Raises:
        InvalidArguments: one is missing, unknown, or cannot stand where it belongs.
    """
    known = set(operation.schema["properties"])
    unknown, missing = set(given) - known, set(operation.schema["required"]) - set(given)
    if unknown or missing:
        wrong = [f"{name} is missing" for name in sorted(missing)]
        wrong += [f"{name[:100]} is unknown" for name in sorted(unknown)]
        raise InvalidArguments(f"The arguments are invalid: {'; '.join(wrong)}.")
    path = operation.path
    query: list[tuple[str, str]] = []
    headers = {"Accept": "application/json, text/*;q=0.5, */*;q=0.1"}
    for parameter in operation.parameters:
        value = given.get(parameter.argument)
        if value is None:
            continue
        if parameter.place == "path":
            path = path.replace("{" + parameter.name + "}", _segment(parameter, value))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        else:
            headers[parameter.name] = _header(parameter, value)
    if "{" in path:
        raise InvalidArguments("A part of the path has no argument.")
    body = _body(operation, given.get("body"), headers)
    url = server + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    return Request(url, headers, body)


def _segment(parameter: Parameter, value: Json) -> str:
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if text in {"", ".", ".."}:
        raise InvalidArguments(f"{parameter.argument} cannot be a part of a path.")
    return quote(text, safe="")


def _pairs(parameter: Parameter, value: Json) -> list[tuple[str, str]]:
    if isinstance(value, list):
        texts = list(map(_text, value))
        return [
            (parameter.name, each) for each in (texts if parameter.explode else [",".join(texts)])
        ]
    if isinstance(value, Mapping):
        return [(str(key), _text(each)) for key, each in value.items()]
    return [(parameter.name, _text(value))]


def _header(parameter: Parameter, value: Json) -> str:
    text = _text(value)
    if not text.isascii() or not text.isprintable():
        raise InvalidArguments(f"{parameter.argument} cannot be a header: it is not plain ASCII.")
    return text


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _body(operation: Operation, given: Json, headers: dict[str, str]) -> bytes | None:
    if operation.body is None or given is None:
        return None
    headers["Content-Type"] = operation.body
    if operation.body == "application/json":
        return json.dumps(given, ensure_ascii=False).encode()
    if not isinstance(given, Mapping):
        raise InvalidArguments("body is not a JSON object, so it cannot be sent as a form.")
    return urlencode({key: _text(value) for key, value in given.items()}).encode()
