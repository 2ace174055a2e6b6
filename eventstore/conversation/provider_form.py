"""The provider's own form of a message, kept byte for byte.

Typed parts say what everybody can read. A provider may also send what only it can read, such as
signatures and encrypted reasoning, and wants it back unchanged. The form is content: it is hashed
with the words, and erased with them.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct
from pydantic import ConfigDict, Field

from eventstore.core.json_values import NAME_MAX, check_name
from eventstore.core.trusted import trusted
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value
from eventstore.errors import InvalidInput

__all__ = ["ProviderForm", "StoredForm", "form_from_stored", "packed_form"]


class ProviderForm(Value):
    """The provider's own form of a message. In JSON, ``data`` is hex."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", hide_input_in_errors=True, ser_json_bytes="hex", val_json_bytes="hex"
    )

    format: str = Field(min_length=1, max_length=NAME_MAX)
    """Name of the format, for example ``"openai.chat"``."""
    data: Unshown[bytes] = Field(strict=True)
    """The bytes as the provider sent them."""


class StoredForm(Struct, frozen=True, gc=False):
    """A :class:`ProviderForm` as content holds it."""

    format: str
    data: bytes


def packed_form(given: object) -> StoredForm:
    """Return a caller's form as content holds it.

    Raises:
        InvalidInput: on ``provider``.
    """
    if not isinstance(given, ProviderForm):
        raise InvalidInput(
            "provider",
            f"expected a ProviderForm, got {type(given).__name__}",
            "Give ProviderForm(format=…, data=…).",
        )
    if not isinstance(given.data, bytes):  # made by model_construct, or copied with an update
        raise InvalidInput(
            "provider.data", f"expected bytes, got {type(given.data).__name__}", "Give bytes."
        )
    return StoredForm(check_name(given.format, "provider.format"), given.data)


def form_from_stored(stored: StoredForm | None) -> ProviderForm | None:
    """Return stored content as the form that users get."""
    if stored is None:
        return None
    return trusted(ProviderForm, {"format": stored.format, "data": stored.data})
