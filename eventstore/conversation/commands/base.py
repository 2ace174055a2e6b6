"""The base of all commands, and what commands of several nouns share."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, TypeAlias

import msgspec
from typing_extensions import TypeVar  # with a default; in typing from 3.13 on

from eventstore.conversation.parts import StoredPart
from eventstore.conversation.provider_form import StoredForm

__all__ = ["Command", "Draft", "Included", "OnBusy"]

R_co = TypeVar("R_co", covariant=True, default=Any)

OnBusy: TypeAlias = Literal["enqueue", "reject", "interrupt", "rollback"]


Included: TypeAlias = Literal["edits", "run"]


class Command(msgspec.Struct, Generic[R_co], frozen=True, kw_only=True, gc=False):
    """Base of all commands: ``Command[Message]`` is one whose caller gets a message."""

    brief: ClassVar[bool] = True
    """False if its work grows with the thread, as an erasure's does."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The content of a message to add."""

    parts: list[StoredPart]
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    name: str | None = None
    external_id: str | None = None
    original_created_at_us: int | None = None
    provider: StoredForm | None = None
