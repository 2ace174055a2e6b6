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

    def add(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that the next bytes complete."""
        bytes_ = self._rest + piece
        if b"\r" in bytes_:
            bytes_ = _with_plain_line_ends(bytes_)
        *whole, self._rest = bytes_.split(b"\n\n")
        return [data for event in whole if (data := _data_of(event)) is not None]


def _with_plain_line_ends(given: bytes) -> bytes:
    """Replace other line ends; one at the very end may be half of one, and stays."""
    held = b"\r" if given.endswith(b"\r") else b""
    return given[: len(given) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held


def _data_of(event: bytes) -> bytes | None:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    found = []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == _FIELD:
            found.append(value.removeprefix(b" "))
    return b"\n".join(found) if found else None
