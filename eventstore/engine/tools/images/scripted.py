"""An image model for tests and demos: draws a real PNG whose colours follow from the prompt."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

from eventstore.engine.tools.images.drawing import Drawing

__all__ = ["ScriptedImages", "png"]

_CELLS = 8


class ScriptedImages:
    """Draws a pattern of coloured squares: the same for the same prompt."""

    def __init__(self) -> None:
        self.asked: list[Drawing] = []
        """Drawings that were asked for, oldest first."""

    async def draw(self, drawing: Drawing) -> Sequence[bytes]:
        """Return one image of the size that was asked for."""
        self.asked.append(drawing)
        width, _, height = drawing.size.partition("x")
        return (png(drawing.prompt, int(width), int(height)),)

    async def aclose(self) -> None:
        """Do nothing."""


def png(prompt: str, width: int, height: int) -> bytes:
    """Return a symmetric pattern of squares in two colours."""
    seed = hashlib.sha256(prompt.encode()).digest()
    colours = (seed[:3], bytes(255 - each // 3 for each in seed[3:6]))
    rows = bytearray()
    for y in range(height):
        cells = [
            colours[seed[(y * _CELLS // height) * 4 % 32 + min(x, _CELLS - 1 - x)] & 1]
            for x in range(_CELLS)
        ]
        rows += b"\0" + b"".join(cells[x * _CELLS // width] for x in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
