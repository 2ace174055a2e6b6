"""Makes characters visible that steer a terminal, or that turn the direction of the text around."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["STEERING", "without_steering"]

STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed; marks that turn the direction of the text around."""


def without_steering(text: str) -> str:
    """Return text without characters that steer; each becomes a replacement character."""
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
