"""The channels to one kernel: Jupyter's messages over Unix sockets that were bound before it ran.

What comes out of a sandbox may be anything: messages are bounded in size and number, and those that
are no proper messages are dropped.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import zmq
from jupyter_client.session import Session

__all__ = ["Channel", "Channels", "Received"]

Channel: TypeAlias = Literal["shell", "control", "iopub"]

_KINDS: Final[Mapping[Channel, int]] = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "iopub": zmq.SUB,
}
_MESSAGE_BYTES_MAX: Final = 32 * 1024 * 1024
"""A kernel that sends a larger message is disconnected."""
_WAITING_MAX: Final = 8
"""Messages that wait on each side of a socket."""
_SIGNATURES_MAX: Final = 1000


class Received(NamedTuple):
    """A message of the kernel."""

    channel: Channel
    type: str
    parent: str
    """Id of the request that it belongs to."""
    content: Mapping[str, Any]
    buffers: Sequence[bytes]
    size: int
    """Its bytes, as they came."""


class Channels:
    """Sockets to one kernel. One thread uses them at a time."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._listening = {name: _listening(folder / name) for name in _KINDS}
        self._session = Session(
            key=key.encode(), username="", digest_history_size=_SIGNATURES_MAX, check_pid=False
        )
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: dict[Channel, zmq.Socket[bytes]] = {}
        self._poller = zmq.Poller()
        self._losses: zmq.Socket[bytes] | None = None

    @property
    def descriptors(self) -> Mapping[str, int]:
        """Descriptors of the listening sockets, for the process that becomes the kernel."""
        return {name: each.fileno() for name, each in self._listening.items()}

    def connect(self) -> None:
        """Connect, after the process was started: only then it holds the listening ends."""
        for name, kind in _KINDS.items():
            self._listening[name].close()
            end = self._context.socket(kind)
            end.linger = 0
            end.sndtimeo = 0
            end.setsockopt(zmq.RCVHWM, _WAITING_MAX)
            end.setsockopt(zmq.MAXMSGSIZE, _MESSAGE_BYTES_MAX)
            if kind == zmq.SUB:
                end.setsockopt(zmq.SUBSCRIBE, b"")
            end.connect(f"ipc://{self._folder / name}")
            self._sockets[name] = end
            self._poller.register(end, zmq.POLLIN)
        self._losses = self._sockets["iopub"].get_monitor_socket(zmq.EVENT_DISCONNECTED)

    @property
    def is_cut(self) -> bool:
        """The kernel ended, or sent a message that was too large. What it showed since is lost."""
        return self._losses is not None and bool(self._losses.poll(0))

    def send(
        self,
        channel: Channel,
        type_: str,
        content: Mapping[str, Any],
        buffers: Sequence[bytes] = (),
    ) -> str:
        """Send a request, and return its id."""
        message = self._session.msg(type_, dict(content))
        with contextlib.suppress(zmq.Again):  # a kernel that reads nothing will not answer either
            self._session.send(self._sockets[channel], message, buffers=list(buffers))
        return str(message["header"]["msg_id"])

    def receive(self, wait_seconds: float) -> Iterator[Received]:
        """Yield the messages that are there, after waiting for the first."""
        for end, _ in self._poller.poll(int(wait_seconds * 1000)):
            name = next(name for name, each in self._sockets.items() if each is end)
            for _ in range(_WAITING_MAX):
                try:
                    frames = end.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                message = self._read(name, frames)
                if message is not None:
                    yield message

    def _read(self, channel: Channel, frames: list[bytes]) -> Received | None:
        try:
            _, parts = self._session.feed_identities(frames)
            message = self._session.deserialize(parts)
            parent = message["parent_header"].get("msg_id", "")
            content = message["content"]
        except Exception:  # noqa: BLE001 (whatever a hostile kernel makes of it, it is no message)
            return None
        if not isinstance(content, dict):
            return None
        buffers = [bytes(each) for each in message["buffers"]]
        size = sum(map(len, frames))
        return Received(channel, str(message["msg_type"]), str(parent), content, buffers, size)

    def close(self) -> None:
        """Close the sockets, and remove them from the folder."""
        for each in self._listening.values():
            each.close()
        if self._losses is not None:
            self._sockets["iopub"].disable_monitor()
            self._losses.close(0)
        for end in self._sockets.values():
            end.close()
        self._context.destroy(linger=0)
        for name in _KINDS:
            (self._folder / name).unlink(missing_ok=True)


def _listening(path: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    try:
        end.bind(str(path))
        end.listen(8)
    except OSError:
        end.close()
        raise
    return end
