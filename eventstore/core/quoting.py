"""Shows refused values in errors without quoting a user's words.

A caller who swaps two arguments passes the text of a message where an id or a keyword belongs, and
errors end up in logs. A single word can be a whole message, or a password. So an error quotes a
text only if it is a whole id (a prefix and 32 hex digits) or looks like the id of a tool call. Of
any other text it shows the length, and the prefix if that is one of this library: enough to see a
missing digit or capitals. :func:`named` shows names that the log keeps anyway, such as the id of an
open tool call.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["named", "quoted"]

_ID: Final = re.compile(r"[a-z][a-z0-9]{0,31}_[0-9a-f]{32}\Z")
_BEGINNING: Final = re.compile(r"(thread|asst|msg|run|step|call|evt|store)_")
_CALL: Final = re.compile(r"(call|toolu|tooluse|fc|chatcmpl-tool)[_-][A-Za-z0-9-]{1,80}\Z")
"""Ids of tool calls as Anthropic, OpenAI, Bedrock and vLLM make them."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,80}\Z")
_SHORT: Final = 10**18


def quoted(value: object) -> str:
    """Return a caller's value in a form that is safe in an error."""
    if isinstance(value, str):
        return repr(str(value)) if _ID.match(value) or _CALL.match(value) else _described(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if type(value) is int:
        return repr(value) if abs(value) < _SHORT else "an integer of many digits"
    return f"a value of type {type(value).__name__}"


def named(name: str) -> str:
    """Return a name that the log or the program keeps, in a form that is safe in an error."""
    return repr(name) if _NAME.match(name) else _described(name)


def _described(text: str) -> str:
    beginning = _BEGINNING.match(text)
    length = f"a text of {len(text)} character{'' if len(text) == 1 else 's'}"
    return length if beginning is None else f"{length} that begins with {beginning[0]!r}"
