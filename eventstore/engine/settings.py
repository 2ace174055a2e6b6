"""The settings of a run: those that the engine knows, and others that go to the model unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Auto", "LastMessages", "RunSettings", "Truncation"]


class Auto(BaseModel):
    """Leave out the oldest messages until the prompt fits ``max_prompt_tokens``."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    type: Literal["auto"] = "auto"
    """Kind of truncation."""


class LastMessages(BaseModel):
    """Keep the last messages alone."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    type: Literal["last_messages"] = "last_messages"
    """Kind of truncation."""
    last_messages: int = Field(ge=1)
    """Number of messages to keep."""


Truncation: TypeAlias = Annotated[Auto | LastMessages, Field(discriminator="type")]


class RunSettings(BaseModel):
    """Settings of a run, merged over those of its assistant."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="allow", hide_input_in_errors=True
    )

    temperature: float | None = Field(default=None, ge=0)
    """Randomness of the answer."""
    top_p: float | None = Field(default=None, ge=0, le=1)
    """Share of the most likely tokens that the model chooses from."""
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of all prompts of the run together."""
    max_completion_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of all answers of the run together."""
    truncation: Truncation = Auto()
    """Messages that the model sees if the path is too long."""
    tool_choice: str | dict[str, Any] | None = None
    """Tools that the model may or must call: ``"auto"``, ``"none"``, ``"required"``, or one."""
    parallel_tool_calls: bool | None = None
    """The model may ask for several calls at once."""
    response_format: dict[str, Any] | None = None
    """Form of the answer, such as a JSON schema."""
    steps_max: int = Field(default=25, ge=1)
    """Most model calls of a run."""
    expires_seconds: float = Field(default=600, gt=0)
    """Longest time in a queue and at work."""
    action_expires_seconds: float = Field(default=86_400, gt=0)
    """Longest time that it waits for a person or an application."""
    external_tools: tuple[str, ...] = ()
    """Names of tools whose outputs the application hands in. ``Engine.run`` adds those that its
    engine has not, so that any engine may go on with the run."""

    @property
    def others(self) -> Mapping[str, Any]:
        """Settings that the engine does not know. They go to the model as they are."""
        return self.model_extra or {}
