"""The way a kernel is started: inside of bubblewrap, or without a sandbox if asked by name.

bubblewrap gives the kernel namespaces of its own (processes, network, files, IPC), a read-only
system, and folders in memory of fixed size. There are two ways to become unprivileged, and
:func:`find` finds out by trying which works here:

- **As root**, bubblewrap mounts with root's rights, which reaches a Python below root's home, too.
  Then the launcher takes on a user id that nothing else on the machine has. Inside of a user
  namespace root would stay root for the limits on processes, so there is none.
- **As any other user**, bubblewrap makes a user namespace. Where these are forbidden, there is no
  sandbox.

No environment is passed on, not even to bubblewrap itself: its process stands in the sandbox's
``/proc``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.seccomp import filter_program
from eventstore.errors import ToolError

__all__ = ["FOLDERS", "Manner", "Start", "find", "launch"]

Manner: TypeAlias = Literal["root", "user", "none"]
"""Way to become unprivileged. ``"none"`` is no sandbox."""

FOLDERS: Final = ("data", "tmp", "dev/shm")
"""Folders that the sandbox may write to, below its root. The first is the working folder."""

_UIDS: Final = range(2**30, 2**31 - 2)
"""User ids of kernels: far from those of people, services and most containers. One is drawn for
each kernel, since Linux counts the processes of a user id on the whole machine."""
_SHARED_BYTES: Final = 64 * 1024 * 1024
_SYSTEM: Final = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
_SETTINGS: Final = (
    *("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("mime.types", "timezone"),
)
"""Files of ``/etc`` that programs need. The rest says too much about the machine."""
_PROBE: Final = "print('it works')"
_PROBE_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Start:
    """Everything that a kernel is started with."""

    manner: Manner
    python: str
    limits: CodeLimits
    folder: Path = Path()
    """Folder of the host for this kernel's sockets; without a sandbox, for its files, too."""
    sockets: Mapping[str, int] = field(default_factory=dict)
    """Descriptors of the listening sockets, by channel."""
    key: str = field(default="", repr=False)
    """Key that signs the kernel's messages."""
    uid: int = field(default_factory=lambda: secrets.choice(_UIDS))
    """User id that the kernel takes on, or sees."""


def find(limits: CodeLimits, python: str) -> Manner:
    """Return the way that works here, after a small program has run in such a sandbox.

    Raises:
        ToolError: no sandbox is possible; the error says what bubblewrap said.
    """
    if sys.platform != "linux" or filter_program() is None:
        raise ToolError(
            "no_sandbox",
            "code runs in a sandbox on Linux only, on x86_64 or aarch64",
            "Run it on such a machine, or ask for sandbox='none' if the code is trusted.",
        )
    if shutil.which("bwrap") is None:
        raise ToolError(
            "no_sandbox",
            "bubblewrap is not installed, and code runs in its sandbox",
            "Install the system's package 'bubblewrap' (0.7 or newer), for example with apt-get "
            "or dnf, or ask for sandbox='none' if the code is trusted.",
        )
    said = []
    manners: tuple[Manner, ...] = ("root", "user") if os.geteuid() == 0 else ("user",)
    for manner in manners:
        problem = _tried(Start(manner, python, limits))
        if not problem:
            return manner
        said.append(problem)
    raise ToolError(
        "no_sandbox",
        f"bubblewrap is installed, but a sandbox did not start: {'; '.join(said)}",
        "Allow user namespaces (in a container: a seccomp profile that permits them), and see to it"
        f" that every user may read {python!r}; or ask for sandbox='none' if the code is trusted.",
    )


def _tried(start: Start) -> str:
    """Return the problem of a sandbox, or nothing."""
    with _passed(start) as (arguments, descriptors):
        try:
            done = subprocess.run(  # noqa: S603 (a program of ours, and in the sandbox)
                [*arguments, start.python, "-I", "-c", _PROBE],
                **_identity(start),
                pass_fds=descriptors,
                capture_output=True,
                timeout=_PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode == 0 and done.stdout == b"it works\n":
        return ""
    return done.stderr.decode(errors="replace").strip()[-500:] or f"status {done.returncode}"


def launch(start: Start) -> tuple[subprocess.Popen[bytes], int]:
    """Start a kernel; return the process that was started, and the one whose end ends all others.

    A kernel dies with the OS thread that called this.
    """
    program = (files(__package__) / "launcher.py").read_text(encoding="utf-8")
    run = [start.python, "-I", "-c", program]
    with _passed(start) as (arguments, descriptors):
        if start.manner == "none":
            process = _process(start, run, descriptors, environment=_environment(start))
            pid = process.pid
        else:
            reads, writes = os.pipe()
            try:
                informed = [*arguments[:-1], "--info-fd", str(writes), "--", *run]
                process = _process(start, informed, [*descriptors, writes], environment={})
            finally:
                os.close(writes)
            with os.fdopen(reads, "rb") as info:
                pid = _child_in(info.read())
    assert process.stdin is not None  # noqa: S101 (it was asked for)
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(json.dumps(_configuration(start)).encode())
    return process, pid or process.pid


def _child_in(info: bytes) -> int:
    try:
        return int(json.loads(info)["child-pid"])
    except (ValueError, KeyError):  # it ended before it could say so
        return 0


def _process(
    start: Start,
    command: Sequence[str],
    descriptors: Sequence[int],
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    identity = _identity(start) | {"env": dict(environment)}
    return subprocess.Popen(  # noqa: S603 (a program of ours; the sandbox is for what it runs)
        command,
        **identity,
        pass_fds=[*descriptors, *start.sockets.values()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _identity(start: Start) -> dict[str, Any]:
    """Return how a process starts: with no environment, and never as root without need."""
    if start.manner == "user" and os.geteuid() == 0:
        return {"user": start.uid, "group": start.uid, "extra_groups": (), "env": {}}
    return {"env": {}}


def _configuration(start: Start) -> dict[str, Any]:
    limits = start.limits
    alone = start.manner == "none"
    most = {
        "RLIMIT_CORE": 0,
        "RLIMIT_DATA": limits.memory_bytes,
        "RLIMIT_FSIZE": limits.disk_bytes,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_NPROC": limits.processes_max,
    }
    if alone:  # the user's other processes would count
        del most["RLIMIT_NPROC"]
    return {
        "uid": start.uid if start.manner == "root" else None,
        "folder": str(start.folder / "data") if alone else f"/{FOLDERS[0]}",
        "private": str(start.folder / "tmp") if alone else "/tmp",  # noqa: S108 (the sandbox's own)
        "sockets": dict(start.sockets),
        "key": start.key,
        "nice": 5,
        "dies_with_parent": alone,
        "limits": most,
    }


def _environment(start: Start) -> dict[str, str]:
    """Return the variables that code sees."""
    temporary = str(start.folder / "tmp") if start.manner == "none" else "/tmp"  # noqa: S108
    threads = str(min(4, os.cpu_count() or 1))
    return {
        "HOME": temporary,
        "IPYTHONDIR": f"{temporary}/.ipython",
        "MPLCONFIGDIR": f"{temporary}/.matplotlib",
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "PATH": f"{Path(start.python).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }


@contextlib.contextmanager
def _passed(start: Start) -> Iterator[tuple[list[str], list[int]]]:
    """Yield bubblewrap's command line up to ``--``, and the descriptors that it needs."""
    if start.manner == "none":
        yield [], []
        return
    uid = start.uid
    texts = (
        (filter_program() or b"", "--seccomp", ()),
        (f"code:x:{uid}:{uid}:code:/tmp:/bin/sh\n".encode(), "--ro-bind-data", ("/etc/passwd",)),
        (f"code:x:{uid}:\n".encode(), "--ro-bind-data", ("/etc/group",)),
    )
    descriptors: list[int] = []
    arguments: list[str] = []
    try:
        for content, option, place in texts:
            descriptors.append(_descriptor(content))
            arguments += ["--perms", "0644"] if place else []
            arguments += [option, str(descriptors[-1]), *place]
        yield [*_isolation(start), *arguments, *_closing(start), "--"], descriptors
    finally:
        for each in descriptors:
            os.close(each)


def _descriptor(content: bytes) -> int:
    """Return a descriptor from which content is read."""
    descriptor = os.memfd_create("code", 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _isolation(start: Start) -> list[str]:
    limits = start.limits
    options = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session"]
    options += ["--unshare-cgroup-try", "--unshare-ipc", "--unshare-net", "--unshare-pid"]
    options += ["--unshare-uts", "--hostname", "sandbox"]
    if start.manner == "root":  # only until the launcher has become another user
        options += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        uid = str(start.uid)
        options += ["--unshare-user", "--uid", uid, "--gid", uid]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for folder, size in zip(
        FOLDERS, (limits.disk_bytes, limits.disk_bytes, _SHARED_BYTES), strict=True
    ):
        options += ["--perms", "1777", "--size", str(size), "--tmpfs", f"/{folder}"]
    for name in _SYSTEM:
        place = Path("/", name)
        if place.is_symlink():
            options += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            options += ["--ro-bind", str(place), str(place)]
    options += ["--perms", "0755", "--dir", "/etc"]
    for name in _SETTINGS:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for place in _python_folders(start.python):
        for parent in reversed(place.parents[:-1]):
            options += ["--perms", "0755", "--dir", str(parent)]
        options += ["--ro-bind", str(place), str(place)]
    return options


def _closing(start: Start) -> list[str]:
    """Return the options that come last: what was open for mounting becomes read-only."""
    options = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", f"/{FOLDERS[0]}"]
    options.append("--clearenv")
    for name, value in _environment(start).items():
        options += ["--setenv", name, value]
    return options


def _python_folders(python: str) -> list[Path]:
    """Return the folders of an environment and of the Python below it, unless they are system's."""
    environment = Path(python).parent.parent
    below = Path(python).resolve().parent.parent
    system = Path("/usr")
    return [
        place
        for place in dict.fromkeys((environment, below))
        if place != system and system not in place.parents and place != Path("/")
    ]
