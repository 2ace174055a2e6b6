"""The outputs of one call, gathered within limits.

They are printed text, the value of the last line, an error, images, and files.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventstore.engine.tools.code_interpreter.limits import CodeLimits

__all__ = ["Artifact", "CodeError", "Outputs"]

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_IMAGES: Final[Mapping[str, bytes]] = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8"}
_CUT: Final = "\n… (cut off)"


@dataclass(frozen=True, slots=True)
class Artifact:
    """An image that was shown, or a file that was written."""

    media_type: str
    content: bytes = field(repr=False)
    name: str | None = field(default=None, repr=False)
    """Name of a file; an image that was only shown has none."""


@dataclass(frozen=True, slots=True)
class CodeError:
    """The exception that ended a call."""

    name: str
    message: str = field(repr=False)
    traceback: str = field(repr=False)


class Outputs:
    """Everything that one call shows."""

    def __init__(self, limits: CodeLimits) -> None:
        self._limits = limits
        self._left = limits.output_bytes_max
        self._artifact_bytes_left = limits.artifacts_bytes_max
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": [], "result": []}
        self._cut: set[str] = set()
        self.seen_bytes = 0
        """Bytes of all messages that came, kept or not; counted by the one who receives them."""
        self.left_out: int = 0
        """Number of images and files that were too many, or too large."""
        self.artifacts: list[Artifact] = []
        self.error: CodeError | None = None

    def add(self, type_: str, content: Mapping[str, Any]) -> None:
        """Take a message of the kernel's, if it shows anything."""
        name = content.get("name")
        if type_ == "stream" and name in ("stdout", "stderr"):  # a list, should it be one, is not
            self._add_text(name, content.get("text"))
        elif type_ in {"display_data", "execute_result"}:
            self._add_shown(content.get("data"))
        elif type_ == "error":
            self._add_error(content)
        elif type_ == "execute_reply" and content.get("status") == "error" and self.error is None:
            self._add_error(content)  # it could not be shown: no memory was left for its traceback

    def text(self, name: str) -> str:
        """Return the text of ``stdout`` or ``stderr``, or the ``result``."""
        return "".join(self._texts[name]) + (_CUT if name in self._cut else "")

    @property
    def is_flood(self) -> bool:
        """More was shown than is read."""
        return self.seen_bytes > self._limits.flood_bytes_max

    def add_artifact(self, artifact: Artifact) -> None:
        """Keep an image or a file, if there is room."""
        size = len(artifact.content)
        if len(self.artifacts) >= self._limits.artifacts_max or size > self._artifact_bytes_left:
            self.left_out += 1
            return
        self._artifact_bytes_left -= size
        self.artifacts.append(artifact)

    @property
    def artifact_bytes_left(self) -> int:
        """Room for images and files."""
        return self._artifact_bytes_left

    def _add_text(self, name: str, text: object) -> None:
        if isinstance(text, str):
            kept, cut = self._kept(text)
            self._texts[name].append(kept)
            if cut:
                self._cut.add(name)

    def _kept(self, text: str) -> tuple[str, bool]:
        """Return as much of a text as there is room for, and whether something was cut off."""
        raw = _ESCAPES.sub("", text).encode(errors="replace")
        kept = raw[: self._left]
        self._left -= len(kept)
        return kept.decode(errors="ignore").replace("\0", ""), len(kept) < len(raw)

    def _add_shown(self, data: object) -> None:
        if not isinstance(data, Mapping):
            return
        for media_type, magic in _IMAGES.items():
            image = _decoded(data.get(media_type))
            if image.startswith(magic):
                self.add_artifact(Artifact(media_type, image))
                return
        plain = data.get("text/plain")
        if isinstance(plain, str):
            self._add_text("result", plain if not self._texts["result"] else f"\n{plain}")

    def _add_error(self, content: Mapping[str, Any]) -> None:
        lines = content.get("traceback")
        lines = lines if isinstance(lines, list) else []
        name, _ = self._kept(str(content.get("ename", "")))
        message, cut = self._kept(str(content.get("evalue", "")))
        traceback, also = self._kept("\n".join(map(str, lines)))
        self.error = CodeError(
            name, message + (_CUT if cut else ""), traceback + (_CUT if also else "")
        )


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except ValueError:
        return b""
