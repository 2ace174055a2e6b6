"""The same server of the Model Context Protocol over streamable HTTP, as a program of its own.

It listens on a port of the loopback (the one given, or any), and prints it.
"""

import socket
import sys

import uvicorn

from tests.engine.services.mcp_stdio import server

if __name__ == "__main__":
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", int(sys.argv[1])))
        listening.listen()
        print(listening.getsockname()[1], flush=True)  # noqa: T201
        app = server.streamable_http_app()
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listening])
