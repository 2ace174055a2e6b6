"""The typed parts that content is made of: frozen pydantic models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = [
    "CALLS_MAX",
    "Content",
    "ContentPart",
    "DataPart",
    "FilePart",
    "ImagePart",
    "Part",
    "ReasoningPart",
    "RefusalPart",
    "StoredPart",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
]


CALLS_MAX: Final = 128


_CALL_ID: Final = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: one column holds the open calls, separated by a control character."""


class _Part(Value):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", hide_input_in_errors=True)


class TextPart(_Part):
    """Text."""

    type: Literal["text"] = "text"
    """Kind of part."""
    text: Unshown[str] = Field(min_length=1)
    """The text; not empty."""


class ImagePart(_Part):
    """An image, by address or by the application's file id; exactly one of the two."""

    type: Literal["image"] = "image"
    """Kind of part."""
    url: Unshown[str | None] = None
    """Address of the image."""
    file_id: Unshown[str | None] = None
    """The application's own id of the image."""
    detail: str | None = None
    """Level of detail for the model: for example ``"low"`` or ``"high"``."""

    @model_validator(mode="after")
    def _one_source(self) -> ImagePart:
        if (self.url is None) == (self.file_id is None):
            message = "give either url or file_id"
            raise ValueError(message)
        return self


class FilePart(_Part):
    """A file, by the application's own id or address."""

    type: Literal["file"] = "file"
    """Kind of part."""
    file_id: Unshown[str] = Field(min_length=1)
    """The application's own id or address of the file."""
    name: Unshown[str | None] = None
    """Name of the file."""
    media_type: str | None = None
    """Media type, for example ``"application/pdf"``."""


class ToolCallPart(_Part):
    """A model asks for a tool."""

    type: Literal["tool_call"] = "tool_call"
    """Kind of part."""
    id: str = Field(min_length=1, max_length=255, pattern=_CALL_ID)
    """The provider's id of the call, whatever its shape."""
    name: str = Field(min_length=1)
    """Name of the tool."""
    arguments: Unshown[Any] = None
    """Arguments as JSON."""


class ToolResultPart(_Part):
    """The answer of a tool to a call."""

    type: Literal["tool_result"] = "tool_result"
    """Kind of part."""
    call_id: str = Field(min_length=1, max_length=255, pattern=_CALL_ID)
    """Id of the call that it answers."""
    output: Unshown[Any] = None
    """Any JSON value."""
    status: Literal["completed", "failed", "cancelled"] = "completed"
    """Outcome of the call."""


class ReasoningPart(_Part):
    """Thoughts that a model had before it answered."""

    type: Literal["reasoning"] = "reasoning"
    """Kind of part."""
    text: Unshown[str]
    """The thoughts."""


class RefusalPart(_Part):
    """A model declined to answer."""

    type: Literal["refusal"] = "refusal"
    """Kind of part."""
    text: Unshown[str]
    """The words of the refusal."""


class DataPart(_Part):
    """Any JSON value."""

    type: Literal["data"] = "data"
    """Kind of part."""
    data: Unshown[Any] = None
    """The value."""


Part: TypeAlias = Annotated[
    TextPart
    | ImagePart
    | FilePart
    | ToolCallPart
    | ToolResultPart
    | ReasoningPart
    | RefusalPart
    | DataPart,
    Field(discriminator="type"),
]


StoredPart: TypeAlias = str | dict[str, Any]


ContentPart: TypeAlias = (
    TextPart
    | ImagePart
    | FilePart
    | ToolCallPart
    | ToolResultPart
    | ReasoningPart
    | RefusalPart
    | DataPart
    | Mapping[str, Any]
)
"""One part as a caller may give it: a part, or a dict of its fields with ``type``."""


Content: TypeAlias = str | ContentPart | Sequence[str | ContentPart]
"""Content as a caller may give it: text, a part, or a list of texts and parts."""
