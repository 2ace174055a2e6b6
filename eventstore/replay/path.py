"""The active path at a moment; messages are made on access."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, overload

from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import Place
from eventstore.conversation.values import Message
from eventstore.threads import paths

__all__ = ["MessagePath"]

_PAGE: Final = 200
"""Messages made at a time during iteration."""


class MessagePath(Sequence[Message]):
    """The messages of a path, oldest first. Compares like the tuple of its messages.

    Its length and its last message cost the same at any length, so reading both at each of n steps
    costs n. Each access makes the message anew.
    """

    __slots__ = ("_end", "_state")

    def __init__(self, state: FoldedView, end: Place | None) -> None:
        self._state = state
        self._end = end

    def __len__(self) -> int:
        return 0 if self._end is None else self._end.depth

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Message, ...]: ...

    def __getitem__(self, index: int | slice) -> Message | tuple[Message, ...]:
        wanted = range(len(self))[index]
        if isinstance(wanted, int):
            return self._between(wanted, wanted)[0]
        if not wanted:
            return ()
        first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
        return self._between(first, last)[:: abs(wanted.step)][:: 1 if wanted.step > 0 else -1]

    def __iter__(self) -> Iterator[Message]:
        for first in range(0, len(self), _PAGE):
            yield from self._between(first, min(first + _PAGE, len(self)) - 1)

    def _between(self, first: int, last: int) -> tuple[Message, ...]:
        """Return the messages with indexes first..last, both included."""
        if self._end is None:
            return ()
        return paths.messages(self._state, self._end, paths.Window(first + 1, last + 1))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, MessagePath)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<path of {len(self)} messages>"
