"""A server of the Model Context Protocol on stdio, for tests: run as a program."""

import asyncio
import base64
import os

from mcp import types
from mcp.server.mcpserver import Image, MCPServer

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
server = MCPServer("shop")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def picture() -> Image:
    """Show a picture."""
    return Image(data=PIXEL, format="png")


@server.tool()
def note() -> types.EmbeddedResource:
    """Show a note."""
    text = types.TextResourceContents(uri="note://1", mime_type="text/plain", text="buy milk")
    return types.EmbeddedResource(type="resource", resource=text)


@server.tool()
def recording() -> types.EmbeddedResource:
    """Show a file."""
    blob = base64.b64encode(b"RIFF").decode()
    held = types.BlobResourceContents(uri="file://a.wav", mime_type="audio/wav", blob=blob)
    return types.EmbeddedResource(type="resource", resource=held)


@server.tool()
async def sleep() -> str:
    """Never answer."""
    await asyncio.sleep(3600)
    return "awake"


@server.tool(name="stock/count.of-a-shelf")
def stock() -> int:
    """Count. Models accept no such name."""
    return 7


@server.tool()
def environment() -> list[str]:
    """List names of variables."""
    return sorted(os.environ)


@server.tool()
def refuse() -> str:
    """Fail."""
    raise ValueError("not today")


@server.tool()
def die() -> str:
    """End the server."""
    os._exit(1)


if __name__ == "__main__":
    server.run("stdio")
