"""Images of DashScope's asynchronous endpoint, through the ``dashscope`` SDK.

A task is submitted, waited for, and its image is fetched at once, since the address runs out. The
address comes from the service, so it is fetched as guardedly as a plug-in's: public addresses
alone, no redirects, limited in size.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

import dashscope
from dashscope.aigc.image_synthesis import AioImageSynthesis

from eventstore.engine.tools.images.drawing import Drawing, ImageFailed
from eventstore.engine.tools.plugins.guarded_http import Gate, HttpFailed
from eventstore.errors import ToolError

__all__ = ["DashScopeImages"]

_OK = 200


class DashScopeImages:
    """Draws with a model of DashScope, such as ``wanx2.1-t2i-turbo``."""

    def __init__(
        self,
        model: str = "wanx2.1-t2i-turbo",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 120.0,
        image_bytes_max: int = 8 * 1024 * 1024,
        allow_private: Collection[str] = (),
    ) -> None:
        """Draw with ``model``.

        Args:
            model: Name of the model.
            api_key: Key; by default that of ``DASHSCOPE_API_KEY``.
            base_url: Address of the service, for the whole process: the SDK has one.
            timeout_seconds: Longest wait for a task, and for the image itself.
            image_bytes_max: Largest image that is fetched.
            allow_private: Hosts of images that may have private addresses.

        Raises:
            ToolError: ``"credentials_missing"``.
        """
        key = api_key or os.environ.get("DASHSCOPE_API_KEY")
        if not key:
            raise ToolError(
                "credentials_missing",
                "DashScope wants a key",
                "Give api_key=, or set DASHSCOPE_API_KEY.",
            )
        if base_url is not None:
            dashscope.base_http_api_url = base_url
        self._model = model
        self._key = key
        self._timeout = timeout_seconds
        self._gate = Gate(allow_private, timeout_seconds=timeout_seconds, bytes_max=image_bytes_max)

    async def draw(self, drawing: Drawing) -> Sequence[bytes]:
        """Return the image of a task."""
        try:
            task = await AioImageSynthesis.async_call(
                self._model,
                drawing.prompt,
                api_key=self._key,
                n=1,
                size=drawing.size.replace("x", "*"),
            )
            _check(task)
            done = await AioImageSynthesis.wait(
                task, api_key=self._key, wait_timeout=int(self._timeout)
            )
        except ImageFailed:
            raise
        except Exception as error:  # noqa: BLE001 (the SDK raises whatever its libraries raise)
            raise ImageFailed(f"The image service failed ({type(error).__name__}).") from None
        _check(done)
        addresses = [each.url for each in done.output.results if each.get("url")]
        if not addresses:
            raise ImageFailed("The image service made no image.")
        return [await self._fetched(each) for each in addresses]

    async def _fetched(self, address: str) -> bytes:
        try:
            answer = await self._gate.request("GET", address, {}, None)
        except HttpFailed as failure:
            raise ImageFailed(f"The image cannot be fetched: {failure}") from None
        if answer.status != _OK:
            raise ImageFailed(f"The image cannot be fetched ({answer.status}).")
        return answer.body

    async def aclose(self) -> None:
        """Do nothing: each request has a connection of its own."""


def _check(response: Any) -> None:  # noqa: ANN401 (the SDK is untyped)
    if response.status_code != _OK or response.output is None:
        raise ImageFailed(f"The image service refused ({response.status_code}).")
    if response.output.task_status in {"FAILED", "CANCELED", "UNKNOWN"}:
        raise ImageFailed("The image service could not draw this.")
