"""How an error shows a value that it refuses: never somebody's words.

A caller who swaps two arguments hands the text of a message where an id or a keyword belongs, and
errors end up in logs. One word can be all that somebody said, and a password is one. So of a text
only this is shown: a whole id, since nobody says 32 hex digits behind a prefix, or what begins as
models begin the ids of their tool calls; otherwise how long it is, and whether it begins as the ids
of this library do, which is enough to see a digit too few or capitals. What the log keeps as a name
already, such as the id of an open tool call, is shown by :func:`named`.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["named", "quoted"]

_ID: Final = re.compile(r"[a-z][a-z0-9]{0,31}_[0-9a-f]{32}\Z")
_BEGINNING: Final = re.compile(r"(thread|asst|msg|run|step|call|evt|store)_")
_CALL: Final = re.compile(r"(call|toolu|tooluse|fc|chatcmpl-tool)[_-][A-Za-z0-9-]{1,80}\Z")
"""As Anthropic, OpenAI, Bedrock and vLLM make them."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,80}\Z")
_SHORT: Final = 10**18


def quoted(value: object) -> str:
    """Return what a caller gave as it may stand in an error."""
    if isinstance(value, str):
        return repr(str(value)) if _ID.match(value) or _CALL.match(value) else _described(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if type(value) is int:
        return repr(value) if abs(value) < _SHORT else "an integer of many digits"
    return f"a value of type {type(value).__name__}"


def named(name: str) -> str:
    """Return a name that is kept as one, by the log or in the program, as it may stand there."""
    return repr(name) if _NAME.match(name) else _described(name)


def _described(text: str) -> str:
    beginning = _BEGINNING.match(text)
    length = f"a text of {len(text)} character{'' if len(text) == 1 else 's'}"
    return length if beginning is None else f"{length} that begins with {beginning[0]!r}"
