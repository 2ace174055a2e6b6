"""The results of calls inside a batch, and the ids that they fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from eventstore.api.operations.operation import Scope
from eventstore.conversation import commands as c
from eventstore.conversation.commands import THREAD_COMMANDS
from eventstore.core import ids
from eventstore.errors import InvalidInput

__all__ = ["Handle", "with_fixed_id"]

T = TypeVar("T")


class Handle(Generic[T]):
    """The result of a call inside a batch: its id now, its object after the block."""

    def __init__(self, object_id: str | None) -> None:
        self.id = object_id
        """The id of the message, run or step that the call makes; None if it makes none."""
        self._made: list[T] = []

    @property
    def object(self) -> T:
        """The object that the call made.

        Raises:
            InvalidInput: the batch is not through yet.
        """
        if not self._made:
            raise InvalidInput(
                "handle", "its batch has not finished", "Leave the with block first."
            )
        return self._made[0]

    def settle(self, made: T) -> None:
        """Set the object that the call made."""
        self._made.append(made)


class Fixed(NamedTuple):
    """A command that names the object that it makes."""

    command: c.Command
    object_id: str | None = None
    fresh: tuple[str, bytes] | None = None
    """The id with its prefix, if it was made just now, so that nothing else has it."""


def with_fixed_id(command: c.Command, scope: Scope, seed: Sequence[str] | None) -> Fixed:
    """Fix the id of the object that a command will make, if it is open.

    With a ``seed`` the id depends on the seed alone, so an earlier request may have used it.
    """
    declared = THREAD_COMMANDS.get(type(command))
    if declared is None or declared.mints is None:
        return Fixed(command)
    field, prefix = declared.mints
    own: bytes | None = getattr(command, field)
    if own is not None:
        return Fixed(command, ids.show(prefix, own))
    made = scope.log.environment.new_id() if seed is None else ids.derived(prefix, *seed)
    named = msgspec.structs.replace(command, **{field: made})
    return Fixed(named, ids.show(prefix, made), (prefix, made) if seed is None else None)
