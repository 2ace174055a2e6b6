"""Read a run's events back as the records that the engine decided, and the deeds of others between.

A replay compares the records with those that it decides anew, and takes results from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from eventstore import ProviderForm, RecordedEvent, RunContext, TokenUsage, ToolResultPart
from eventstore.conversation.content import from_stored
from eventstore.engine import records as r
from eventstore.engine.journal import CALLS

__all__ = ["Erased", "Item", "OutputsCame", "TakenOver", "script_of"]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another engine went on with the run."""


@dataclass(frozen=True, slots=True)
class OutputsCame:
    """People answered calls, or let the engine make them."""

    answered: frozenset[str]
    approved: frozenset[str]
    all_in: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """Content was erased that a replay needs."""


Item: TypeAlias = r.Record | TakenOver | OutputsCame | Erased


def script_of(
    run_id: str, events: Iterable[RecordedEvent], contexts: Mapping[str, RunContext]
) -> list[Item]:
    """Return the records of a run and the deeds of others, in order.

    Args:
        run_id: The run.
        events: Those of its thread.
        contexts: Contexts of its steps, by id.
    """
    reader = _Reader(contexts)
    for event in events:
        if event.data.get("run_id") == run_id:
            reader.read(event)
    return reader.items


class _Reader:
    """Reads one event after another."""

    def __init__(self, contexts: Mapping[str, RunContext]) -> None:
        self.items: list[Item] = []
        self._contexts = contexts
        self._numbers: dict[str, int] = {}
        """Numbers of the steps, by id."""
        self._usage = TokenUsage(input_tokens=0, output_tokens=0, total_tokens=0)

    def read(self, event: RecordedEvent) -> None:
        """Read an event of the run."""
        made = getattr(self, f"_{event.type}", None)
        if made is not None:
            item = made(event.data, event.content or {})
            if item is not None:
                self.items.append(item)

    # Each method reads one type of event, and is named after it.
    # ruff: noqa: N802

    def _RunStepStarted(self, data: dict[str, Any], content: dict[str, Any]) -> Item:
        self._numbers[data["step_id"]] = len(self._numbers)
        details = content.get("details") or {}
        if data["type"] == CALLS:
            return r.BeginCalls(tuple(details["calls"])) if "calls" in details else Erased()
        context = self._contexts.get(data["step_id"])
        if context is None:
            return Erased()
        listed = details.get("tools")
        tools = None if listed is None else tuple(listed)
        return r.BeginAnswer(context, details.get("estimated_tokens"), tools)

    def _MessageAdded(self, data: dict[str, Any], content: dict[str, Any]) -> Item | None:
        if data.get("interrupted"):
            return None
        parts = content.get("parts")
        if not parts:
            return Erased()
        if data["role"] == "tool":
            result, *others = from_stored(parts)
            if not isinstance(result, ToolResultPart):
                return Erased()
            return r.WriteResult(result.call_id, result.output, result.status, tuple(others))
        status = data.get("status", "completed")
        form = content.get("provider")
        provider = None if form is None else ProviderForm(**_with_bytes(form))
        return r.WriteAnswer(len(self._numbers) - 1, from_stored(parts), status, provider)

    def _RunStepCompleted(self, data: dict[str, Any], content: dict[str, Any]) -> Item:
        usage = None if data.get("usage") is None else TokenUsage(**data["usage"])
        return r.EndStep(self._numbers[data["step_id"]], usage, content.get("details") or {})

    def _RunStepFailed(self, data: dict[str, Any], content: dict[str, Any]) -> Item:
        number = self._numbers[data["step_id"]]
        return r.FailStep(number, data.get("code", "server_error"), content.get("message"))

    def _RunActionRequired(self, data: dict[str, Any], _: object) -> Item:
        reasons = data.get("reasons") or ["outputs"] * len(data["calls"])
        return r.RequireAction(dict(zip(data["calls"], reasons, strict=True)))

    def _ToolOutputsSubmitted(self, data: dict[str, Any], _: object) -> Item:
        """Take the results back: people gave them, not the engine."""
        answered = frozenset(data["calls"])
        while self.items and isinstance(self.items[-1], r.WriteResult | Erased):
            self.items.pop()
        return OutputsCame(answered, frozenset(data.get("approved", ())), data["all_in"])

    def _RunTakenOver(self, _: object, __: object) -> Item:
        return TakenOver()

    def _RunCompleted(self, data: dict[str, Any], _: object) -> Item:
        return r.Complete(_usage(data))

    def _RunIncomplete(self, data: dict[str, Any], _: object) -> Item:
        self._drop_closings()
        return r.Complete(_usage(data), data.get("reason", "other"))

    def _RunFailed(self, data: dict[str, Any], content: dict[str, Any]) -> Item:
        self._drop_closings()
        return r.Fail(data.get("code", "server_error"), content.get("message"), _usage(data))

    def _RunExpired(self, _: object, __: object) -> Item:
        self._drop_closings()
        return r.Expire()

    def _RunCancelled(self, _: object, __: object) -> Item:
        self._drop_closings()
        return r.Cancel()

    def _drop_closings(self) -> None:
        """Leave out the results with which the store closes the calls of a run that ends."""
        while self.items:
            last = self.items[-1]
            if not isinstance(last, r.WriteResult) or last.status == "completed" or last.output:
                return
            self.items.pop()


def _with_bytes(form: Mapping[str, str]) -> dict[str, Any]:
    return {"format": form["format"], "data": bytes.fromhex(form["data"])}


def _usage(data: Mapping[str, Any]) -> TokenUsage:
    return TokenUsage(**(data.get("usage") or {}))
