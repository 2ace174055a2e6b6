"""The answer of a service as a model sees it: status and body, and nothing of the credentials."""

from __future__ import annotations

import base64
import json
from typing import Any, Final, Literal
from urllib.parse import quote

from eventstore import ImagePart
from eventstore.core.json_values import Json
from eventstore.engine.tools import ToolAnswer
from eventstore.engine.tools.plugins.guarded_http import Answer

__all__ = ["tool_answer"]

_FAILED_FROM: Final = 400
_BLOT: Final = "[credentials]"
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def tool_answer(answer: Answer, secret: str | None) -> ToolAnswer:
    """Return the answer of a service as that of a tool."""
    status: Literal["completed", "failed"]
    status = "failed" if answer.status >= _FAILED_FROM else "completed"
    output: dict[str, Any] = {"status": answer.status}
    if answer.media_type in _IMAGES and status == "completed":
        encoded = base64.b64encode(_blotted(answer.body, secret)).decode()
        address = f"data:{answer.media_type};base64,{encoded}"
        return ToolAnswer(output, status, (ImagePart(url=address),))
    text = answer.body.decode("utf-8", "replace").replace("\0", "")
    if text:
        output["body"] = _plain(text, secret)
    return ToolAnswer(output, status)


def _plain(text: str, secret: str | None) -> Json:
    """Return a body as JSON if it is, else as text."""
    try:
        value: Json = json.loads(text)
        # Written anew, since a service may escape any letter of what it repeats.
        written = json.dumps(value, ensure_ascii=False)
        hidden = _blotted(written.encode(), secret).decode()
        if hidden != written:
            value = json.loads(hidden)
    except (ValueError, RecursionError):
        return _blotted(text.encode(), secret).decode()
    return value


def _blotted(body: bytes, secret: str | None) -> bytes:
    if secret is None:
        return body
    for each in _forms(secret):
        body = body.replace(each.encode(), _BLOT.encode())
    return body


def _forms(secret: str) -> list[str]:
    """Return the ways in which a service may repeat a credential; the longest first."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded}
    return sorted(forms, key=len, reverse=True)
