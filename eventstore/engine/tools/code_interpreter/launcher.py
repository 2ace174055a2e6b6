"""The program that runs inside the sandbox: gives up rights, then becomes a Jupyter kernel.

The library does not import it. Its text is given to ``python -I -c``, because the library need not
be visible in the sandbox. It reads its configuration from standard input, sets limits on itself,
and starts ipykernel on sockets that the library bound outside and passed on as descriptors. So no
folder of the host is shared with the sandbox.

Besides Jupyter's messages the kernel answers three about files in its working folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import stat
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

_Message: TypeAlias = Mapping[str, Any]
"""A message of the kernel's protocol."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
KILL = 9
FLUSH_SECONDS = 0.02
"""Time that printed text is gathered: what gathers in more may be too large for one message."""


def settle(config: dict[str, Any]) -> None:
    """Give up root's rights, and set the limits of this process and its children."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as mine:
        mine.write("1000")  # rather this process than the application, when memory runs out
    os.nice(config["nice"])
    for name, value in config["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    libc = ctypes.CDLL(None)
    if config["uid"] is not None:
        os.setgroups([])
        os.setresgid(config["uid"], config["uid"], config["uid"])
        os.setresuid(config["uid"], config["uid"], config["uid"])
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or /proc/self would stay root's
    if config["dies_with_parent"]:  # bubblewrap sees to it by itself
        libc.prctl(PR_SET_PDEATHSIG, KILL, 0, 0, 0)
    os.chdir(config["folder"])


def serve(config: dict[str, Any]) -> None:
    """Run the kernel until it is ended."""
    app = app_class(config).instance(kernel_class=kernel_class(), transport="ipc", log_level=50)
    app.config.HistoryManager.enabled = False
    app.config.InteractiveShell.colors = "nocolor"
    app.config.Session.key = config["key"].encode()
    app.initialize([])
    for stream in (sys.stdout, sys.stderr):
        stream.flush_interval = FLUSH_SECONDS  # type: ignore[union-attr]
    app.start()


# Third-party code is imported when rights are gone.


def kernel_class() -> type[Any]:
    """Return ipykernel's kernel with answers about files."""
    from ipykernel.ipkernel import IPythonKernel  # noqa: PLC0415

    base: Any = IPythonKernel

    class Kernel(base):  # type: ignore[misc]
        msg_types = (*base.msg_types, "put_file", "list_files", "get_file")

        async def put_file(self, stream: object, ident: object, parent: _Message) -> None:
            content = {"status": written(parent["content"]["name"], parent["buffers"][0])}
            self.session.send(stream, "put_file_reply", content, parent, ident)

        async def list_files(
            self, stream: object, ident: object, parent: Mapping[str, Any]
        ) -> None:
            reap()
            content = {"status": "ok", "files": listed(parent["content"]["files_max"])}
            self.session.send(stream, "list_files_reply", content, parent, ident)

        async def get_file(self, stream: object, ident: object, parent: _Message) -> None:
            found = read(parent["content"]["name"], parent["content"]["bytes_max"])
            content = {"status": "error" if found is None else "ok"}
            buffers = [] if found is None else [found]
            self.session.send(stream, "get_file_reply", content, parent, ident, buffers=buffers)

    return Kernel


def app_class(config: dict[str, Any]) -> type[Any]:
    """Return ipykernel's application, with sockets that exist already, and without files."""
    import zmq  # noqa: PLC0415
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415

    names = iter(("shell", "stdin", "control", "iopub"))
    base: Any = IPKernelApp

    class App(base):  # type: ignore[misc]
        def _bind_socket(self, s: zmq.Socket[bytes], port: int) -> int:  # noqa: ARG002
            name = next(names)
            if name in config["sockets"]:
                s.setsockopt(zmq.USE_FD, config["sockets"][name])
            s.bind(f"ipc://{config['private']}/{name}")
            return 0

        def init_connection_file(self) -> None:
            pass

        def write_connection_file(self, **_: object) -> None:
            pass

        def log_connection_info(self) -> None:
            pass

        def init_heartbeat(self) -> None:
            pass

        def init_sockets(self) -> None:
            super().init_sockets()
            # The debugger's way into this kernel: it would be looked for again and again.
            end = self.debug_shell_socket.getsockopt(zmq.LAST_ENDPOINT)
            if end:
                self.debug_shell_socket.disconnect(end.rstrip(b"\0"))

    return App


def reap() -> None:
    """Forget the processes that were ended after a call: each counts until it is asked how."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def written(name: str, content: bytes) -> str:
    """Write a file, and say whether that went well."""
    try:
        with open(name, "wb") as file:
            file.write(content)
    except OSError:
        return "error"
    return "ok"


def listed(files_max: int) -> list[list[Any]]:
    """Return files of the working folder as [name, size, time, number], without hidden ones."""
    found: list[list[Any]] = []
    for folder, folders, names in os.walk("."):
        folders[:] = [each for each in folders if not each.startswith((".", "__pycache__"))]
        for name in names:
            path = os.path.normpath(f"{folder}/{name}")
            try:
                facts = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode) and not name.startswith("."):
                found.append([path, facts.st_size, facts.st_mtime_ns, facts.st_ino])
            if len(found) >= files_max:
                return found
    return found


def read(name: str, bytes_max: int) -> bytes | None:
    """Return the bytes of a regular file, or None."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = file.read(bytes_max + 1)
    except OSError:
        return None
    return content if len(content) <= bytes_max else None


def main() -> None:
    """Read the configuration, let go of all that was inherited, and serve."""
    config = json.load(sys.stdin)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    settle(config)
    serve(config)


if __name__ == "__main__":
    main()
