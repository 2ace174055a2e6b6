"""Collects the text that a model sends token by token into pieces worth a commit."""

from __future__ import annotations

from typing import Final

__all__ = ["TextBuffer"]

_SECONDS: Final = 0.2
_BYTES_MAX: Final = 2_048


class TextBuffer:
    """Collects text until a piece is due, by time or by size.

    The first text is due at once, so a reader sees an answer begin. After that a piece is due when
    ``seconds`` have passed since the last one, or when ``bytes_max`` bytes are waiting. It looks at
    no clock: give it the time, from ``time.monotonic()`` or an event loop's ``time()``::

        piece = buffer.add(delta, time.monotonic())
        if piece:
            store.runs.write_text(thread_id, run_id, piece, message_id=m, offset=buffer.offset)
            buffer.written(piece)
    """

    def __init__(self, *, seconds: float = _SECONDS, bytes_max: int = _BYTES_MAX) -> None:
        self._seconds: Final = seconds
        self._bytes_max: Final = bytes_max
        self._waiting: list[str] = []
        self._bytes = 0
        self._due_at = float("-inf")
        self.offset: int = 0
        """Number of characters in the pieces that were written."""

    def add(self, text: str, now: float) -> str:
        """Add text; return the piece that is due now, or an empty text."""
        if text:
            self._waiting.append(text)
            self._bytes += len(text.encode())
        return self.due(now)

    def due(self, now: float) -> str:
        """Return the piece that is due now, or an empty text."""
        if now < self._due_at and not self.full:
            return ""
        return self.rest(now)

    @property
    def full(self) -> bool:
        """Whether ``bytes_max`` bytes are waiting, so that a piece is due at any time."""
        return self._bytes >= self._bytes_max

    def rest(self, now: float) -> str:
        """Return everything that waits, due or not: the text is about to end or to pause."""
        piece = "".join(self._waiting)
        if piece:
            self._due_at = now + self._seconds
        return piece

    def written(self, piece: str) -> None:
        """Note that a piece was committed; until then the next one begins with it again."""
        rest = "".join(self._waiting)[len(piece) :]
        self._waiting = [rest] if rest else []
        self._bytes = len(rest.encode())
        self.offset += len(piece)

    def wait_seconds(self, now: float) -> float | None:
        """Return how long until the waiting text is due; None if no text waits."""
        return max(0.0, self._due_at - now) if self._waiting else None
