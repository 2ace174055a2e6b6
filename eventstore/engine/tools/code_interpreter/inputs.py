"""The messages of a run, as the code interpreter reads them: files of users, earlier calls."""

from __future__ import annotations

import base64
import re
from pathlib import PurePath
from typing import Final
from urllib.parse import unquote_to_bytes

from eventstore import FilePart, ImagePart, RunContext, ToolResultPart

__all__ = ["files_in", "has_kernel"]

_NAME: Final = re.compile(r"[^\w. -]+")
_NAME_BYTES_MAX: Final = 200
_ENDING_MAX: Final = 20
_ADDRESS: Final = re.compile(r"data:([^,;]*)(?:;[^,;]*)*?(;base64)?,(.*)", re.DOTALL)


def files_in(context: RunContext) -> dict[str, bytes]:
    """Return the files in users' messages whose parts hold their bytes, by name, the newest last.

    A file that is only named by an id or an address stays where it is: nothing is fetched.
    """
    found: dict[str, bytes] = {}
    for message in context.messages:
        if message.role != "user":
            continue
        for number, part in enumerate(message.content):
            if isinstance(part, FilePart):
                address, name = part.file_id, part.name
            elif isinstance(part, ImagePart):
                address, name = part.url or "", None
            else:
                continue
            content = _decoded(address)
            if content is not None:
                found[_plain(name or f"file-{message.id[-6:]}-{number}")] = content
    return found


def has_kernel(context: RunContext) -> bool:
    """Check for an earlier call in these messages that ran in a kernel."""
    return any(
        isinstance(part, ToolResultPart)
        and isinstance(part.output, dict)
        and part.output.get("kernel") in {"new", "kept", "restarted"}
        for message in context.messages
        for part in message.content
    )


def _decoded(address: str) -> bytes | None:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    try:
        return base64.b64decode(match[3]) if match[2] else unquote_to_bytes(match[3])
    except ValueError:
        return None


def _plain(name: str) -> str:
    """Return a name without anything that leads elsewhere; a long one keeps its ending."""
    plain = PurePath(_NAME.sub("_", name.rpartition("/")[2]).lstrip(".") or "file")
    ending = plain.suffix[:_ENDING_MAX]
    room = _NAME_BYTES_MAX - len(ending.encode())
    return plain.stem.encode()[:room].decode(errors="ignore") + ending
