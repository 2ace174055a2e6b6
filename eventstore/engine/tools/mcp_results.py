"""The results of tools of the Model Context Protocol, as answers of a tool."""

from __future__ import annotations

import re
from typing import Any, Final

from mcp import types

from eventstore import FilePart, ImagePart
from eventstore.engine.tools import ToolAnswer

__all__ = ["answer_of"]

_PARTS_BYTES_MAX: Final = 8 * 1024 * 1024
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+")


def answer_of(result: types.CallToolResult) -> ToolAnswer:
    """Return a result's texts and values as output, and its images and resources as parts."""
    texts: list[str] = []
    resources: list[dict[str, Any]] = []
    parts: list[ImagePart | FilePart] = []
    for block in result.content:
        match block:
            case types.TextContent(text=text):
                texts.append(text)
            case types.ImageContent(data=data, mime_type=media_type):
                parts.append(_part(data, media_type))
            case types.AudioContent(data=data, mime_type=media_type):
                parts.append(_part(data, media_type))
            case types.ResourceLink(uri=uri, name=name, mime_type=media_type):
                resources.append({"uri": str(uri), "name": name, "media_type": media_type})
            case types.EmbeddedResource(resource=resource):
                resources.append(_resource(resource, parts))
    size = sum(
        len((part.url if isinstance(part, ImagePart) else part.file_id) or "") for part in parts
    )
    if size > _PARTS_BYTES_MAX * 4 // 3:
        return ToolAnswer(
            {"error": f"Its images and files have over {_PARTS_BYTES_MAX >> 20} MiB."}, "failed"
        )
    known = {
        "text": "\n".join(texts),
        "value": result.structured_content,
        "resources": resources,
        "images": sum(isinstance(part, ImagePart) for part in parts),
    }
    output = {key: value for key, value in known.items() if value}
    return ToolAnswer(output, "failed" if result.is_error else "completed", tuple(parts))


def _resource(
    resource: types.TextResourceContents | types.BlobResourceContents,
    parts: list[ImagePart | FilePart],
) -> dict[str, Any]:
    """Return a resource as JSON; the bytes of one become a part."""
    found: dict[str, Any] = {"uri": str(resource.uri), "media_type": resource.mime_type}
    if isinstance(resource, types.TextResourceContents):
        return {**found, "text": resource.text}
    parts.append(_file(resource.blob, resource.mime_type))
    return found


def _part(data: str, given: str | None) -> ImagePart | FilePart:
    """Return an image as one, and anything else as a file."""
    file = _file(data, given)
    is_image = str(file.media_type).startswith("image/")
    return ImagePart(url=file.file_id) if is_image else file


def _file(data: str, given: str | None) -> FilePart:
    """Return a file; a type that is none cannot change what the address says."""
    media_type = (given or "").lower()
    if not _MEDIA_TYPE.fullmatch(media_type):
        media_type = "application/octet-stream"
    return FilePart(file_id=f"data:{media_type};base64,{data}", media_type=media_type)
