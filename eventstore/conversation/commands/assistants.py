"""Commands to an assistant; ``conversation.assistants`` decides them."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from eventstore.conversation.commands.base import Command
from eventstore.conversation.run_values import Assistant

__all__ = ["CreateAssistant", "DeleteAssistant", "UpdateAssistant"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class CreateAssistant(Command[Assistant], frozen=True):
    model: str | None = None
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class UpdateAssistant(Command[Assistant], frozen=True):
    model: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    instructions: str | UnsetType | None = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class DeleteAssistant(Command[Assistant], frozen=True):
    pass
