"""Arguments of tool calls: from the text that a model wrote to the store's JSON, and back.

A model writes arguments as JSON text, and sometimes gets it wrong. A text that is a JSON object
becomes that object. Anything else stays the text, so arguments that are text are malformed ones,
whoever reads them later.
"""

from __future__ import annotations

import json
from typing import Any, Final

from eventstore import InvalidInput, Limits
from eventstore.core.json_values import check_json

__all__ = ["INVALID", "arguments_of", "arguments_text", "object_of"]

INVALID: Final = "INVALID_JSON"
"""Key under which malformed arguments are sent back: endpoints refuse arguments that are not JSON,
and would refuse each later request of the thread, too."""
_DEPTH_MAX: Final = Limits().depth_max


def arguments_of(text: str) -> dict[str, Any] | str:
    """Return the JSON object in a text, or the text if it holds none that can be stored."""
    if not text.strip():
        return {}  # several providers leave the arguments of a call without any empty
    found = object_of(text)
    if found is None:
        return text
    invalid = found.get(INVALID)
    return invalid if len(found) == 1 and isinstance(invalid, str) else found


def object_of(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text; None if it holds none, or one that cannot be stored."""
    try:
        found = check_json(json.loads(text), "arguments", _DEPTH_MAX)
    except (ValueError, RecursionError, InvalidInput):
        return None
    return found if isinstance(found, dict) else None


def arguments_text(arguments: object) -> str:
    """Return stored arguments as JSON text: always an object."""
    if arguments is None:
        return "{}"
    if not isinstance(arguments, dict):
        arguments = {INVALID: arguments}
    return json.dumps(arguments, ensure_ascii=False)
