"""One kind of command to a thread, declared in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, NoReturn, TypeAlias

from typing_extensions import TypeVar  # with a default; in typing from 3.13 on

from eventstore.conversation.commands.base import Command
from eventstore.conversation.view import ThreadHistory, ThreadView
from eventstore.core.events import Decided, Event

__all__ = ["NewId", "ThreadCommand"]

C = TypeVar("C", bound=Command, default=Any)
R = TypeVar("R", default=Any)

NewId: TypeAlias = Callable[[], bytes]
"""Returns a fresh id of 16 bytes."""


class ThreadCommand(NamedTuple, Generic[C, R]):
    """One kind of command: how it is decided, and what comes of it."""

    command: type[C]
    decide: Callable[[ThreadView, C, NewId], list[Decided]]
    """Returns its events, or raises a refusal."""
    result: Callable[[ThreadHistory, C, Sequence[Event]], R]
    """Returns its result, from the state right after it."""
    leads_to: tuple[str, ...] = ()
    """Types of the events that it may lead to."""
    about: tuple[str, str] | None = None
    """The field of these events that names their target, and the command's own field for it."""
    mints: tuple[str, str] | None = None
    """The field of the id that it makes if the caller gave none, and the prefix of such ids."""
    watched: Callable[[C], Iterable[tuple[str, bytes]]] | None = None
    """Returns category and id of the other streams that must not move while it is decided. None
    if its own stream, as it is now, is enough."""


def decided_elsewhere(_: ThreadView, command: Command, __: NewId) -> NoReturn:
    """Stand for a decision that needs more than the thread's own view; see ``write_path``."""
    message = f"{type(command).__name__} is decided in write_path"
    raise LookupError(message)
