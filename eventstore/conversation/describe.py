"""An event's data as people read it: ids as text, hashes as hex.

In the log ids are 16 bytes and their prefix is known from the field. This table is the one place
that says which field holds the id of what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from eventstore.core import ids

__all__ = ["described"]

_PREFIX: Final[Mapping[str, str]] = {
    "message_id": ids.MESSAGE,
    "parent_id": ids.MESSAGE,
    "replaces": ids.MESSAGE,
    "head": ids.MESSAGE,
    "requested": ids.MESSAGE,
    "regenerates": ids.MESSAGE,
    "left_out": ids.MESSAGE,
    "message_ids": ids.MESSAGE,
    "also": ids.MESSAGE,
    "unlabelled": ids.MESSAGE,
    "run_id": ids.RUN,
    "run_ids": ids.RUN,
    "step_id": ids.STEP,
    "assistant_id": ids.ASSISTANT,
    "source_id": ids.THREAD,
    "thread_id": ids.THREAD,
    "copied_into": ids.THREAD,
}


def described(value: object) -> dict[str, Any]:
    """Return an event's data or content as JSON values, fields at their default left out."""
    raw = msgspec.to_builtins(value, builtin_types=(bytes,))
    return {name: _readable(name, item) for name, item in raw.items()}


def _readable(name: str, value: Any) -> Any:  # noqa: ANN401 (JSON values)
    if isinstance(value, bytes):
        prefix = _PREFIX.get(name)
        return value.hex() if prefix is None else ids.show(prefix, value)
    if isinstance(value, (list, tuple)):
        return [_readable(name, item) for item in value]
    return value
