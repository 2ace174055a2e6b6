"""Converts the store's messages to those of pydantic-ai, and its answers back. Pure functions.

An answer that holds more than its parts say, such as a signed thought, is kept whole as the
provider's own form of the format ``"pydantic-ai.response"``, and given back as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from pydantic_ai import messages as theirs

from eventstore import (
    FilePart,
    ImagePart,
    Message,
    ModelError,
    ProviderForm,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.conversation.parts import Part
from eventstore.engine.models.arguments import INVALID
from eventstore.engine.models.chat import output_text, part_text

__all__ = ["FORMAT", "form_of", "to_pydantic"]

FORMAT: Final = "pydantic-ai.response"
_MORE: Final = ("provider_details", "signature", "citations")
_PICTURES: Final = (ImagePart, FilePart)
"""Parts that are left out of a tool's answer: few providers take them there."""
_PLAIN: Final = (theirs.TextPart, theirs.ThinkingPart, theirs.ToolCallPart)


def to_pydantic(
    messages: Sequence[Message], instructions: str | None, system: str
) -> list[theirs.ModelMessage]:
    """Return messages as pydantic-ai takes them.

    Args:
        messages: The messages, oldest first.
        instructions: System prompt.
        system: Name of the provider, which files belong to.

    Raises:
        ModelError: with the code ``unsupported_content``, for an image without an address.
    """
    names = {
        part.id: part.name
        for message in messages
        for part in message.content
        if isinstance(part, ToolCallPart)
    }
    made: list[theirs.ModelMessage] = []
    for message in messages:
        if message.role == "assistant":
            made.append(_own_form(message) or theirs.ModelResponse(_answer(message.content)))
            continue
        parts = _request_parts(message, names, system)
        last = made[-1] if made else None
        if isinstance(last, theirs.ModelRequest):
            last.parts = [*last.parts, *parts]  # results of one round belong together
        else:
            made.append(theirs.ModelRequest(parts))
    requests = [message for message in made if isinstance(message, theirs.ModelRequest)]
    if not requests:
        requests = [theirs.ModelRequest([])]
        made += requests
    requests[-1].instructions = instructions
    return made


def form_of(response: theirs.ModelResponse) -> ProviderForm | None:
    """Return an answer in its own form, if parts of a message do not hold all of it."""
    if all(_says_all(part) for part in response.parts):
        return None
    raw = theirs.ModelMessagesTypeAdapter.dump_json([response])
    return ProviderForm(format=FORMAT, data=raw)


def _says_all(part: theirs.ModelResponsePart) -> bool:
    if not isinstance(part, _PLAIN):
        return False
    return not any(getattr(part, name, None) for name in _MORE)


def _own_form(message: Message) -> theirs.ModelResponse | None:
    form = message.provider
    if form is None or form.format != FORMAT:
        return None
    (response,) = theirs.ModelMessagesTypeAdapter.validate_json(form.data)
    if not isinstance(response, theirs.ModelResponse):
        return None
    calls = [part.tool_call_id for part in response.tool_calls]
    made = [part.id for part in message.content if isinstance(part, ToolCallPart)]
    return response if calls == made else None


def _answer(parts: Sequence[Part]) -> list[theirs.ModelResponsePart]:
    made: list[theirs.ModelResponsePart] = []
    for part in parts:
        match part:
            case ReasoningPart():
                made.append(theirs.ThinkingPart(part.text))
            case ToolCallPart():
                given = part.arguments or {}
                arguments = given if isinstance(given, dict) else {INVALID: given}
                made.append(theirs.ToolCallPart(part.name, arguments, part.id))
            case TextPart() | RefusalPart():
                made.append(theirs.TextPart(part.text))
            case _:
                made.append(theirs.TextPart(part_text(part)))
    return made


def _request_parts(
    message: Message, names: dict[str, str], system: str
) -> list[theirs.ModelRequestPart]:
    match message.role:
        case "system":
            text = "\n".join([part_text(part) for part in message.content])
            return [theirs.SystemPromptPart(text)]
        case "tool":
            said = [part for part in message.content if not isinstance(part, _PICTURES)]
            return [_result(part, names) for part in said]
        case _:
            content = [_input(part, message.id, system) for part in message.content]
            return [theirs.UserPromptPart(content)]


def _result(part: Part, names: dict[str, str]) -> theirs.ModelRequestPart:
    if not isinstance(part, ToolResultPart):
        return theirs.UserPromptPart(part_text(part))
    made: theirs.ToolReturnPart = theirs.ToolReturnPart(
        names.get(part.call_id, "unnamed"), output_text(part), part.call_id
    )
    if part.status != "completed":
        made.outcome = "failed" if part.status == "failed" else "interrupted"
    return made


def _input(part: Part, message_id: str, system: str) -> theirs.UserContent:
    match part:
        case ImagePart(url=str(url)) | FilePart(file_id=str(url)) if url.startswith("data:"):
            return theirs.BinaryContent.from_data_uri(url)
        case ImagePart(url=str(url)):
            return theirs.ImageUrl(url)
        case ImagePart():
            raise ModelError(
                "unsupported_content",
                f"{message_id} has an image without an address",
                "Give the image by url; a data URL will do.",
            )
        case FilePart() if part.file_id.startswith(("https://", "http://")):
            return theirs.DocumentUrl(part.file_id, media_type=part.media_type)
        case FilePart():
            provider = cast("Any", system)  # theirs is a list of names that grows
            return theirs.UploadedFile(part.file_id, provider, media_type=part.media_type)
        case _:
            return part_text(part)
