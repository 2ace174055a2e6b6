"""UmaDB: an event store written in Rust, as its own server process on the loopback interface.

It is not a Python library with a database inside, so it stands beside the other peers and does
not count as a Python peer. It syncs its own file; no pragma tells so, the counting of syncs does.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import umadb

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Place
from benchmarks.work import WorkMessage

_START_SECONDS_MAX = 15


class UmaServer:
    """A server of its own, and one client."""

    def open(self, place: Place) -> None:
        port = _free_port()
        with (place.file.parent / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [_program(), "--listen", f"127.0.0.1:{port}", "--db-path", str(place.file)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._client = self._connect(port)

    def _connect(self, port: int) -> umadb.Client:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while True:
            try:
                client = umadb.Client(f"http://127.0.0.1:{port}")
                client.head()
            except Exception:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise
                time.sleep(0.05)
            else:
                return client

    def new_thread(self) -> str:
        return uuid4().hex

    def append(self, thread: str, message: WorkMessage) -> None:
        self._client.append([_event(thread, message)])

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for start in range(0, len(messages), 1_000):
            self._client.append([_event(thread, one) for one in messages[start : start + 1_000]])

    def last(self, thread: str, count: int) -> Sequence[object]:
        query = umadb.Query([umadb.QueryItem(tags=[thread])])
        read = self._client.read(query, backwards=True, limit=count)
        return [json.loads(bytes(one.event.data)) for one in read]

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(timeout=10)


def _event(thread: str, message: WorkMessage) -> umadb.Event:
    data = json.dumps(message.as_dict()).encode()
    return umadb.Event("MessageAdded", data, tags=[thread], uuid=uuid4())


def _program() -> str:
    beside_python = Path(sys.executable).with_name("umadb")
    program = str(beside_python) if beside_python.exists() else shutil.which("umadb")
    if program is None:
        raise FileNotFoundError("the server program `umadb` is not on the path")
    return program


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


CONTENDERS = [
    Contender(
        name="UmaDB (server)",
        kind=Kind.PEER,
        face=Face.SYNC,
        make=UmaServer,
        distribution="umadb",
        pragmas=False,
    ),
]
