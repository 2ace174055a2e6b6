"""Names of models: an alias map from the names of assistants to the models that answer.

::

    models = Models({
        "fast": "qwen-turbo",                             # another name
        "local": Endpoint("smollm2", base_url="http://127.0.0.1:8080/v1", key_variable=None),
        "scripted": ScriptedModel(["Hello."]),            # a model itself
        "claude": PydanticAI("anthropic:claude-sonnet-4-5"),  # anything that pydantic-ai speaks
    })

Names are free strings. Without any map those of the Qwen family, from ``qwen-turbo`` to
``qwen2-72b-instruct``, go to DashScope's OpenAI-compatible endpoint, those that begin with ``gpt-``
to OpenAI's, and those with a colon to pydantic-ai. Some of them are retired there, so an alias of
the same name may lead elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from eventstore import ModelError
from eventstore.core.quoting import named
from eventstore.engine.models.protocol import Model

__all__ = ["DASHSCOPE", "Endpoint", "Models", "PydanticAI", "Target", "dashscope"]

DASHSCOPE: Final = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
"""DashScope's international endpoint. The variable ``DASHSCOPE_BASE_URL`` names another."""
_QWEN: Final = ("qwen-", "qwen1.5-", "qwen2-", "qwen2.5-", "qwen3-", "qwq-", "qvq-")
"""Beginnings of names that DashScope serves."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model at an OpenAI-compatible endpoint."""

    model: str
    """The model's name there."""
    base_url: str | None = None
    """Address of the endpoint; None is OpenAI's own."""
    key_variable: str | None = "OPENAI_API_KEY"
    """Environment variable that holds the key; None for an endpoint that needs no key."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """More arguments of ``OpenAIModel``."""

    def make(self, environment: Mapping[str, str]) -> Model:
        """Return the model."""
        key = "none" if self.key_variable is None else environment.get(self.key_variable, "")
        if not key.strip():
            raise ModelError(
                "invalid_api_key",
                f"the environment variable {self.key_variable} holds no API key for {self.model}",
                f"Set {self.key_variable}, or give the engine a model of your own for this name.",
            )
        try:
            from eventstore.engine.models.openai_chat import OpenAIModel  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise _missing("openai", error) from None
        return OpenAIModel(self.model, base_url=self.base_url, api_key=key, **self.options)


@dataclass(frozen=True, slots=True)
class PydanticAI:
    """A model that pydantic-ai names, such as ``"anthropic:claude-sonnet-4-5"``."""

    model: str
    """Provider and name, as pydantic-ai writes them."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """More arguments of ``PydanticAIModel``."""

    def make(self, environment: Mapping[str, str]) -> Model:  # noqa: ARG002 (its libraries read it)
        """Return the model."""
        try:
            from eventstore.engine.models.pydantic_ai import (  # noqa: PLC0415 (an extra)
                PydanticAIModel,
            )
        except ImportError as error:
            raise _missing("pydantic-ai", error) from None
        return PydanticAIModel(self.model, **self.options)


Target: TypeAlias = "str | Model | Endpoint | PydanticAI"
"""The end of an alias: another name, a model, or where to find one."""


def dashscope(model: str, environment: Mapping[str, str]) -> Endpoint:
    """Return a model of DashScope's OpenAI-compatible endpoint."""
    address = environment.get("DASHSCOPE_BASE_URL", "").strip() or DASHSCOPE
    return Endpoint(
        model,
        base_url=address,
        key_variable="DASHSCOPE_API_KEY",
        options={"max_tokens_field": "max_tokens"},
    )


class Models:
    """The models of an engine, by name. A model is made when it is first asked for, and kept.

    Args:
        aliases: Names and where they lead; they come before the names known here.
        environment: Variables with keys and addresses; those of the process by default.
    """

    def __init__(
        self,
        aliases: Mapping[str, Target] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._aliases = dict(aliases or {})
        self._environment = os.environ if environment is None else environment
        self._made: dict[str, Model] = {}

    def fresh(self) -> Models:
        """Return models of the same names that share no connection with these.

        Connections belong to one event loop, so each engine takes its own.
        """
        return Models(self._aliases, environment=self._environment)

    def resolve(self, name: str) -> Model:
        """Return the model of a name.

        Raises:
            ModelError: ``unknown_model`` for a name that leads nowhere or in a circle,
                ``invalid_api_key`` if its variable holds no key, ``missing_dependency`` if the
                library that it needs is not installed.
        """
        key, target = self._end(name)
        if not isinstance(target, Endpoint | PydanticAI):
            return target
        if key not in self._made:
            self._made[key] = target.make(self._environment)
        return self._made[key]

    def knows(self, name: str) -> bool:
        """Check for a name that leads somewhere. Nothing is made for that."""
        try:
            self._end(name)
        except ModelError:
            return False
        return True

    def _end(self, name: str) -> tuple[str, Model | Endpoint | PydanticAI]:
        """Follow a name; return the last one on the way, and where it leads."""
        passed: list[str] = []
        target: Target = name
        while isinstance(target, str):
            if target in passed:
                raise _unknown(name, f"its aliases lead in a circle: {', '.join(passed)}")
            passed.append(target)
            target = self._next(target, name)
        return passed[-1], target

    async def disconnect(self) -> None:
        """Close the connections that handed-over models opened on this loop, which is about to end.

        They may be asked again on another one.
        """
        for target in {id(one): one for one in self._aliases.values()}.values():
            if hasattr(target, "disconnect"):
                await target.disconnect()

    async def aclose(self) -> None:
        """Close the models that were made here; models that were handed over stay open."""
        made, self._made = self._made, {}
        for model in made.values():
            await model.aclose()

    def _next(self, name: str, asked: str) -> Target:
        if name in self._aliases:
            return self._aliases[name]
        if name.startswith(_QWEN):
            return dashscope(name, self._environment)
        if name.startswith("gpt-"):
            return Endpoint(name)
        if ":" in name:
            return PydanticAI(name)
        raise _unknown(asked, "no alias has this name")


def _unknown(name: str, problem: str) -> ModelError:
    return ModelError(
        "unknown_model",
        f"the model {named(name)} is unknown: {problem}",
        "Give the engine models={name: model} for it, or use the name of a Qwen or GPT model.",
    )


def _missing(extra: str, error: ImportError) -> ModelError:
    return ModelError(
        "missing_dependency",
        f"the package {error.name} is not installed",
        f"Install conversation-eventstore[{extra}].",
    )
