"""Images of an OpenAI-compatible endpoint, through the ``openai`` SDK."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import openai

from eventstore.engine.tools.images.drawing import Drawing, ImageFailed

__all__ = ["OpenAIImages"]


class OpenAIImages:
    """Draws at an endpoint that has ``/images/generations``.

    The image is taken from the answer itself: no address in it is followed.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 120.0,
        asks_for_base64: bool = True,
    ) -> None:
        """Draw with ``model``.

        Args:
            model: Name of the model at the endpoint.
            api_key: Key; by default that of ``OPENAI_API_KEY``.
            base_url: Address of the endpoint; by default OpenAI's.
            timeout_seconds: Longest time of a request.
            asks_for_base64: Send ``response_format``, which ``gpt-image`` models refuse and do
                not need.
        """
        self._model = model
        self._format = "b64_json" if asks_for_base64 else openai.omit
        self._client = openai.AsyncOpenAI(
            api_key=api_key, base_url=base_url, timeout=timeout_seconds, max_retries=0
        )

    async def draw(self, drawing: Drawing) -> Sequence[bytes]:
        """Return the image that the endpoint draws."""
        try:
            answer = await self._client.images.generate(
                model=self._model,
                prompt=drawing.prompt,
                size=drawing.size,  # type: ignore[arg-type, unused-ignore]
                n=1,
                response_format=self._format,  # type: ignore[arg-type]
            )
        except openai.APIStatusError as error:
            raise ImageFailed(f"The image service refused ({error.status_code}).") from None
        except openai.OpenAIError as error:
            raise ImageFailed(f"The image service failed ({type(error).__name__}).") from None
        try:
            images = [base64.b64decode(each.b64_json or "") for each in answer.data or ()]
        except binascii.Error:
            raise ImageFailed("The image service returned no valid image.") from None
        if not images or not all(images):
            raise ImageFailed("The image service returned no image.")
        return images

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.close()
