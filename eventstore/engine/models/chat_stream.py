"""Reads the deltas of a streamed chat completion: the events of an answer, and its whole message.

The whole message, put together from all deltas, becomes the provider's own form if it has fields
beyond those that the parts of a message hold, such as reasoning with a signature.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, cast
from uuid import uuid4

from eventstore import ModelError, ProviderForm
from eventstore.engine.models.arguments import object_of
from eventstore.engine.models.chat import FORMAT, ChatMessage
from eventstore.engine.models.protocol import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    Usage,
)

__all__ = ["ChatStream"]

_HELD: Final = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "audio"})
"""Fields that the parts of a message hold, or that are never sent back."""
_WHOLE: Final = frozenset({"id", "type", "role", "index", "format", "name"})
"""Fields whose text does not come in pieces."""
_TEXT: Final = frozenset({"content"})
_REASONING: Final = ("reasoning_content", "reasoning")
_REASONS: Final = {"length", "content_filter"}

Reason = Literal["stop", "length", "tool_calls", "content_filter"]


class ChatStream:
    """The answer so far: ``add`` returns the events of a chunk, ``end`` the last ones."""

    def __init__(self) -> None:
        self._said: ChatMessage = {}
        self._calls: list[dict[str, Any]] = []
        self._reason: str | None = None
        self._usage: Usage | None = None

    @property
    def finished(self) -> bool:
        """Whether the model said why it stopped."""
        return self._reason is not None

    def add(self, chunk: Mapping[str, Any]) -> list[ModelEvent]:
        """Return the events of one chunk, given as a plain JSON object."""
        usage = chunk.get("usage")
        if usage:
            self._usage = Usage(
                int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
            )
        choices = chunk.get("choices") or []
        if not choices:
            return []
        self._reason = choices[0].get("finish_reason") or self._reason
        delta = choices[0].get("delta") or {}
        if delta.keys() == _TEXT and isinstance(text := delta["content"], str):  # nearly every one
            self._said["content"] = (self._said.get("content") or "") + text
            return [TextDelta(text)] if text else []
        for fragment in delta.get("tool_calls") or []:
            self._add_call(fragment)
        _merge(self._said, {name: v for name, v in delta.items() if name != "tool_calls"})
        return list(_deltas(delta))

    def end(self) -> list[ModelEvent]:
        """Return calls, usage and the end.

        Raises:
            ModelError: with the code ``stream_broken``, if the model did not say why it stopped.
        """
        if self._reason is None:
            raise ModelError("stream_broken", "the answer broke off", "Ask again.", retryable=True)
        usage = [] if self._usage is None else [self._usage]
        if self._reason in _REASONS:  # an answer that was cut off calls nothing
            return [*usage, Finished(cast("Reason", self._reason))]
        calls = self._whole_calls()
        asked = [ToolCall(call["id"], **_named(call["function"])) for call in calls]
        finished = Finished("tool_calls" if calls else "stop", self._form(calls))
        return [*asked, *usage, finished]

    def _add_call(self, fragment: Mapping[str, Any]) -> None:
        index = fragment.get("index")
        if index is None:  # some servers send whole calls, without a number
            begins = bool(fragment.get("id")) or not self._calls
            index = len(self._calls) if begins else self._calls[-1]["index"]
        call = next((call for call in self._calls if call["index"] == index), None)
        if call is None:
            call = {"index": index, "type": "function"}
            self._calls.append(call)
        _merge(call, {name: v for name, v in fragment.items() if name not in {"index", "type"}})

    def _whole_calls(self) -> list[dict[str, Any]]:
        """Return the calls in order, each with an id of its own, a name and a text of arguments."""
        taken: set[str] = set()
        calls = []
        for call in sorted(self._calls, key=lambda call: call["index"]):
            function = call.get("function") or {}
            given = str(call.get("id") or "")
            id_ = given if given and given not in taken else f"call_{uuid4().hex}"
            taken.add(id_)
            whole = {
                **{name: value for name, value in call.items() if name != "index"},
                "id": id_,
                "function": {
                    **function,
                    "name": function.get("name") or "unnamed",
                    "arguments": function.get("arguments") or "{}",
                },
            }
            calls.append(whole)
        return calls

    def _form(self, calls: list[dict[str, Any]]) -> ProviderForm | None:
        """Return the message as the provider made it, if the parts do not hold all of it."""
        more = [name for name, value in self._said.items() if name not in _HELD and value]
        more += [name for call in calls for name in call if name not in {"id", "type", "function"}]
        sound = all(object_of(call["function"]["arguments"]) is not None for call in calls)
        if not more or not sound or self._said.get("refusal"):
            return None
        said = {
            "role": "assistant",
            "content": self._said.get("content") or (None if calls else ""),
            **{n: v for n, v in self._said.items() if n not in _HELD and v is not None},
            **({"tool_calls": calls} if calls else {}),
        }
        return ProviderForm(format=FORMAT, data=json.dumps(said, ensure_ascii=False).encode())


def _named(function: Mapping[str, Any]) -> dict[str, str]:
    return {name: function[name] for name in ("name", "arguments")}


def _deltas(delta: Mapping[str, Any]) -> Iterator[ModelEvent]:
    thoughts = next((delta[name] for name in _REASONING if delta.get(name)), None)
    if isinstance(thoughts, str):
        yield ReasoningDelta(thoughts)
    if text := delta.get("content"):
        yield TextDelta("" + text)  # anything else is no answer
    if delta.get("refusal"):
        yield RefusalDelta(delta["refusal"])


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add a delta to what came before: texts are joined, lists merged by their items' ``index``."""
    for name, value in more.items():
        before = into.get(name)
        if value is None or (value == "" and name in _WHOLE):
            into.setdefault(name, value)
        elif isinstance(value, str) and isinstance(before, str) and name not in _WHOLE:
            into[name] = before + value
        elif isinstance(value, Mapping) and isinstance(before, dict):
            _merge(before, value)
        elif isinstance(value, list) and isinstance(before, list):
            for item in value:
                _merge_item(before, item)
        elif isinstance(value, str) and before and name in _WHOLE:
            pass  # repeated by some servers in each chunk
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value


def _merge_item(items: list[Any], item: object) -> None:
    if isinstance(item, Mapping) and (index := item.get("index")) is not None:
        for old in items:
            if isinstance(old, dict) and old.get("index") == index:
                _merge(old, item)
                return
    items.append(item)
