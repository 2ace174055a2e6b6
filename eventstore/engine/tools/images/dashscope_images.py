"""Images of DashScope's asynchronous endpoint, through the ``dashscope`` SDK.

A task is submitted, waited for, and its image is fetched at once, since the address runs out. The
address comes from the service, so it is fetched as guardedly as a plug-in's: public addresses
alone, no redirects, limited in size.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

import aiohttp
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.api_entities.dashscope_response import DashScopeAPIResponse
from dashscope.client.base_api import BaseAsyncAioApi

from eventstore.engine.tools.images.drawing import Drawing, ImageFailed
from eventstore.engine.tools.plugins.guarded_http import Gate, HttpFailed
from eventstore.engine.tools.quiet import silence, silenced
from eventstore.errors import ToolError

__all__ = ["DashScopeImages"]

_OK = 200

silence("dashscope")


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
            base_url: Address of the service, in place of DashScope's own.
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
        self._model = model
        self._key = key
        self._base_url = base_url
        self._timeout = timeout_seconds
        self._gate = Gate(allow_private, timeout_seconds=timeout_seconds, bytes_max=image_bytes_max)

    async def draw(self, drawing: Drawing) -> Sequence[bytes]:
        """Return the image of a task."""
        try:
            with silenced():
                done = await self._done(drawing)
        except ImageFailed:
            raise
        except Exception as error:  # noqa: BLE001 (the SDK raises whatever its libraries raise)
            raise ImageFailed(f"The image service failed ({type(error).__name__}).") from None
        _check(done)
        results = done.output.get("results") or ()
        addresses = [each["url"] for each in results if each.get("url")]
        if not addresses:
            raise ImageFailed("The image service made no image.")
        return [await self._fetched(each) for each in addresses]

    async def _done(self, drawing: Drawing) -> DashScopeAPIResponse:
        """Return the response for a task that has ended.

        The SDK would keep a session open for as long as the process lives, so it is given one. Its
        own ``AioImageSynthesis.wait`` would not use that, so the method below it is called.
        """
        async with aiohttp.ClientSession(trust_env=True) as session:
            how: dict[str, Any] = {"api_key": self._key, "base_address": self._base_url}
            how["session"] = session
            task = await AioImageSynthesis.async_call(
                self._model, drawing.prompt, n=1, size=drawing.size.replace("x", "*"), **how
            )
            _check(task)
            return await BaseAsyncAioApi.wait(task, wait_timeout=max(1, int(self._timeout)), **how)

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


def _check(response: DashScopeAPIResponse) -> None:
    if response.status_code != _OK or response.output is None:
        raise ImageFailed(f"The image service refused ({response.status_code}).")
    if response.output.get("task_status") in {"FAILED", "CANCELED", "UNKNOWN"}:
        raise ImageFailed("The image service could not draw this.")
