"""Server-sent events as bytes: splits a stream into the data of its events.

The SDK's own reader makes an object of each line and of each event, which takes longer than
everything else that an engine does with a token.
"""

from __future__ import annotations

__all__ = ["DataFrames"]

_FIELD = b"data"


class DataFrames:
    """Reads a stream of server-sent events; an event without data is left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._half = False
        """The last byte ended a line; a line feed behind it belongs to that end."""

    def add(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that the next bytes complete."""
        if not self._rest and _is_one(piece):  # as most servers send them
            self._half = False
            return [piece[6:-2]]
        if self._half and piece:
            piece, self._half = piece.removeprefix(b"\n"), False
        if b"\r" in piece:
            self._half = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, self._rest = (self._rest + piece).split(b"\n\n")
        return [data for event in whole if (data := _data_of(event)) is not None]


def _is_one(piece: bytes) -> bool:
    """Return whether bytes are one event with one line of data, whole, and ended by line feeds."""
    sound = piece.startswith(b"data: ") and piece.endswith(b"\n\n")
    return sound and piece.count(b"\n") == 2 and b"\r" not in piece  # noqa: PLR2004


def _data_of(event: bytes) -> bytes | None:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    found = []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == _FIELD:
            found.append(value.removeprefix(b" "))
    return b"\n".join(found) if found else None
