"""The tool ``text_to_image``: a model's words become an image in the conversation."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from copy import copy
from typing import Any, Final, Self

from eventstore import ImagePart
from eventstore.engine.tools import InvalidArguments, ToolAnswer, ToolContext
from eventstore.engine.tools.images.drawing import Drawing, ImageFailed, ImageModel, checked_image

__all__ = ["TextToImage"]

_SIZES: Final = ("1024x1024", "512x512", "1280x720", "720x1280")
_PROMPT_MAX: Final = 4_000


class TextToImage:
    """Draws with an image model. The image itself is kept: an address would run out."""

    def __init__(
        self,
        model: ImageModel,
        *,
        name: str = "text_to_image",
        sizes: Collection[str] = _SIZES,
        approval: bool = False,
        image_bytes_max: int = 4 * 1024 * 1024,
        timeout_seconds: float = 180.0,
    ) -> None:
        """Draw with ``model``.

        Args:
            model: Service that draws.
            name: Type by which an assistant lists it; ``text_to_image`` also answers to ``wanx``.
            sizes: Sizes that the model may choose from; the first unless it says which.
            approval: A person approves each call.
            image_bytes_max: Largest image that is kept.
            timeout_seconds: Longest time of a call.
        """
        self._model = model
        self._sizes = tuple(sizes)
        self._bytes_max = image_bytes_max
        self.name = name
        """Name that the model calls it by."""
        self.aliases: tuple[str, ...] = ("wanx",) if name == "text_to_image" else ()
        """Other names by which an assistant may list it."""
        self.definition: dict[str, str] = {"type": name}
        """Definition by which an assistant lists it."""
        self.repeatable: Final = False
        """Drawing costs money, so it is not done again by itself."""
        self.approval = approval
        """A person approves each call."""
        self.timeout_seconds = timeout_seconds
        """Longest time that a call may take."""
        self.output_bytes_max: Final = 16 * 1024
        """Most bytes of its output as JSON; the image stands beside it."""

    def named(self, name: str) -> Self:
        """Return the same tool under another name."""
        other = copy(self)
        other.name, other.definition, other.aliases = name, {"type": name}, ()
        return other

    @property
    def model_definition(self) -> dict[str, Any]:
        """The function that a model is shown."""
        properties = {
            "prompt": {"type": "string", "description": "What the image shows, in detail."},
            "size": {"type": "string", "enum": list(self._sizes)},
        }
        function = {
            "name": self.name,
            "description": "Draw an image. It is shown to the user.",
            "parameters": {"type": "object", "properties": properties, "required": ["prompt"]},
        }
        return {"type": "function", "function": function}

    async def call(self, arguments: object, context: ToolContext) -> ToolAnswer:  # noqa: ARG002
        """Draw the picture of a call."""
        drawing = self._drawing(arguments)
        try:
            images = await self._model.draw(drawing)
            parts = tuple(self._part(each) for each in images)
        except ImageFailed as failure:
            return ToolAnswer({"error": str(failure)}, "failed")
        return ToolAnswer({"images": len(parts), "size": drawing.size}, "completed", parts)

    def _drawing(self, arguments: object) -> Drawing:
        given = arguments if isinstance(arguments, Mapping) else {}
        prompt, size = given.get("prompt"), given.get("size", self._sizes[0])
        if not isinstance(prompt, str) or not 0 < len(prompt) <= _PROMPT_MAX:
            raise InvalidArguments(f"prompt: give text of up to {_PROMPT_MAX:,} characters.")
        if size not in self._sizes:
            raise InvalidArguments(f"size: give one of {', '.join(self._sizes)}.")
        return Drawing(prompt, size)

    def _part(self, content: bytes) -> ImagePart:
        media_type = checked_image(content, self._bytes_max)
        encoded = base64.b64encode(content).decode()
        return ImagePart(url=f"data:{media_type};base64,{encoded}")

    async def aclose(self) -> None:
        """Close the service's connections; an engine calls this when it is closed."""
        await self._model.aclose()
