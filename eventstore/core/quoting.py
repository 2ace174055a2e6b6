"""How an error shows a value that it refuses: never somebody's words.

A caller who swaps two arguments hands the text of a message where an id belongs, and errors end up
in logs. So only what looks like an id or a keyword is quoted; anything else is described by its
kind and length.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["quoted"]

_WORD: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,80}\Z")
_SHORT: Final = 10**18


def quoted(value: object) -> str:
    """Return ``value`` as it may stand in an error."""
    if isinstance(value, str):
        return repr(str(value)) if _WORD.match(value) else f"a text of {len(value)} characters"
    if value is None or isinstance(value, bool):
        return repr(value)
    if type(value) is int:
        return repr(value) if abs(value) < _SHORT else "an integer of many digits"
    return f"a value of type {type(value).__name__}"
