"""The protocol of a service that draws, and the checks that its images pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["Drawing", "ImageFailed", "ImageModel", "checked_image"]

_MAGIC: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
}


class ImageFailed(Exception):
    """No image was made; the text is for the model, and holds no key and no address."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that is to be drawn."""

    prompt: str
    size: str
    """Width and height, such as ``"1024x1024"``."""


class ImageModel(Protocol):
    """Anything that draws."""

    async def draw(self, drawing: Drawing) -> Sequence[bytes]:
        """Return the bytes of images.

        Raises:
            ImageFailed: there are none.
        """

    async def aclose(self) -> None:
        """Close connections."""


def checked_image(content: bytes, bytes_max: int) -> str:
    """Return the media type of an image, from its bytes.

    Raises:
        ImageFailed: it is too large, or no image.
    """
    if len(content) > bytes_max:
        raise ImageFailed(f"The image has more than {bytes_max:,} bytes.")
    for magic, media_type in _MAGIC.items():
        if content.startswith(magic) and (magic != b"RIFF" or content[8:12] == b"WEBP"):
            return media_type
    raise ImageFailed("The service returned something that is no PNG, JPEG or WebP image.")
