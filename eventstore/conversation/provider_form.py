"""The provider's own form of a message, kept byte for byte.

Some providers sign parts of an answer, or expect their own reasoning items back. A message keeps
these bytes beside its parts, and a model of the same format sends them back unchanged.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field

from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = ["ProviderForm"]


class ProviderForm(Value):
    """The bytes of a message as its provider sent it, and the name of their format."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    format: str = Field(min_length=1, max_length=64)
    """Name of the format, for example ``"openai.chat"``."""
    data: Unshown[bytes]
    """The bytes; they are content, and are erased with it."""
