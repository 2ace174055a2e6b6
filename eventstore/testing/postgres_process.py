"""The processes and the folder of one PostgreSQL server: for ``postgres_server``.

**Nothing is left behind.** ``remove`` runs when the test is done and when Python ends. Should
Python be killed, a guardian notices: a small shell, started first, that waits at a pipe which only
this process holds open. It then stops the server and removes the folder. A signal on the death of
the parent (``PR_SET_PDEATHSIG``) was not chosen: it follows the thread that started the server, not
the process.

**Not as root.** PostgreSQL refuses to run as root, so for root everything runs as another user,
and programs which that user cannot reach are copied into the folder first.

This is one long file, because each function that starts something stands beside the one that ends
it.
"""

from __future__ import annotations

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, TypeAlias

import psycopg
from sqlalchemy.engine import URL

from eventstore.testing.postgres_binaries import Binaries, NoPostgres
from eventstore.testing.processes import POLL_SECONDS, STOP_SECONDS, children, is_alive, until

__all__ = ["ADDRESS", "PASSWORD_USER", "ServerProcess"]

ADDRESS: Final = "127.0.0.1"
PASSWORD_USER: Final = "asked_for_password"  # noqa: S105 (a name)
"""A role that needs its password; all other roles are trusted."""

_Stream: TypeAlias = IO[bytes] | int

_START_SECONDS: Final = 60.0
_PORTS_TRIED: Final = 5
_USERS_FOR_ROOT: Final = ("postgres", "nobody")

_ACCESS: Final = f"""\
host all {PASSWORD_USER} {ADDRESS}/32 scram-sha-256
host all all {ADDRESS}/32 trust
"""

# $1 is the data, $2 the whole folder. A server that was just started may not have written its
# number yet, hence the second of patience.
_GUARDIAN: Final = """\
cat >/dev/null
[ -d "$2" ] || exit 0
[ -f "$1/postmaster.pid" ] || sleep 1
if read -r server <"$1/postmaster.pid" && kill -QUIT "$server"; then
    while kill -0 "$server"; do sleep 0.1; done
fi 2>/dev/null
rm -rf "$2"
"""


class _Untouched(NamedTuple):
    """The data that ``initdb`` made, in the folder of a running server; it goes with that."""

    data: Path
    user: str


_untouched: Final[dict[Binaries, _Untouched]] = {}
"""A copy takes a tenth of the time that ``initdb`` takes."""


class ServerProcess:
    """The folder, the processes and the port of one server."""

    def __init__(self, binaries: Binaries, settings: Mapping[str, str]) -> None:
        self._owner = _owner()
        self._process_id = os.getpid()
        self._found = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="eventstore-postgres-"))
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._settings = settings
        self._user = f"user_{secrets.token_hex(4)}"
        self._port = 0
        self._server: subprocess.Popen[bytes] | None = None
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        self._guardian = self._popen(
            ["/bin/sh", "-c", _GUARDIAN, "guardian", self._data, self._folder],
            stdin=subprocess.PIPE,
        )
        atexit.register(self.remove)
        try:
            self._binaries = self._reachable(binaries)
            self._make_data()
        except BaseException:
            self.remove()
            raise

    def start(self) -> URL:
        """Start it on a free port, and set the address."""
        try:
            self._start_somewhere()
        except BaseException:
            self.remove()
            raise
        return URL.create(
            "postgresql", self._user, host=ADDRESS, port=self._port, database="postgres"
        )

    def restart(self) -> None:
        """Start it again on its port, which a process killed a moment ago may still hold."""
        self._end(signal.SIGINT)
        deadline = time.monotonic() + _START_SECONDS
        while (problem := self._try_to_start()) is not None:
            if "in use" not in problem or time.monotonic() > deadline:
                raise NoPostgres(f"PostgreSQL did not start again: {problem}")

    def _start_somewhere(self) -> None:
        for attempt in range(1, _PORTS_TRIED + 1):  # another may take a free port first
            self._port = _free_port()
            problem = self._try_to_start()
            if problem is None:
                return
            if "in use" not in problem or attempt == _PORTS_TRIED:
                raise NoPostgres(f"{self._binaries.folder / 'postgres'} did not start: {problem}")

    def kill(self) -> None:
        """Kill the postmaster first, so that it cannot start others for those killed after it."""
        if self._server is None:
            return
        below = children(self._server.pid)
        self._server.kill()
        self._server.wait(STOP_SECONDS)
        for child in below:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        until(lambda: not any(map(is_alive, below)), "killed processes to end")
        self._server = None

    def remove(self) -> None:
        """Stop it at once and remove the folder; a second call does nothing."""
        if os.getpid() != self._process_id or self._guardian.returncode is not None:
            return  # a forked child must not stop the server of its parent
        atexit.unregister(self.remove)
        try:
            self._end(signal.SIGQUIT)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            assert self._guardian.stdin is not None
            self._guardian.stdin.close()
            self._guardian.wait(STOP_SECONDS)

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(how)
        try:
            self._server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._server = None

    def _try_to_start(self) -> str | None:
        """Start it and wait until it answers; raise the reason if it does not."""
        self._log.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            server = self._server = self._popen(
                [self._binaries.folder / "postgres", "-D", self._data, "-p", str(self._port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            with suppress(subprocess.TimeoutExpired):
                server.wait(POLL_SECONDS)
                self._server = None
                return self._last_words()
            if time.monotonic() > deadline:
                self.kill()
                return f"no answer within {_START_SECONDS} s\n{self._last_words()}"
        return None

    def _answers(self) -> bool:
        try:
            psycopg.connect(
                host=ADDRESS,
                port=self._port,
                user=self._user,
                dbname="postgres",
                connect_timeout=int(_START_SECONDS),
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-20:])

    def _make_data(self) -> None:
        known = _untouched.get(self._found)
        if known is not None and known.data.is_dir():
            self._user = known.user
            self._call(["cp", "-R", known.data, self._data])
        else:
            self._call(
                [
                    self._binaries.folder / "initdb",
                    f"--pgdata={self._data}",
                    f"--username={self._user}",
                    *("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
                ]
            )
            untouched = _Untouched(self._folder / "untouched", self._user)
            self._call(["cp", "-R", self._data, untouched.data])
            _untouched[self._found] = untouched
        (self._data / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        lines = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(lines)

    def _reachable(self, binaries: Binaries) -> Binaries:
        """Return the programs where their user can run them, unlike a folder of root's."""
        with suppress(PermissionError, NoPostgres):
            self._call([binaries.folder / "initdb", "--version"])
            return binaries
        prefix = binaries.folder.parent
        package = self._folder / "programs" / prefix.parent.name
        copy = package / prefix.name
        unneeded = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(prefix, copy, symlinks=True, ignore=unneeded)
        libraries = prefix.parent.with_suffix(".libs")  # where a wheel keeps them
        if libraries.is_dir():
            shutil.copytree(libraries, package.with_suffix(".libs"))
        self._call([copy / "bin" / "initdb", "--version"])
        return Binaries(copy / "bin", binaries.major, binaries.version)

    def _call(self, command: Sequence[str | Path]) -> None:
        done = subprocess.run(  # noqa: S603 (programs that were found, with words of ours)
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            **self._manner(),
        )
        if done.returncode:
            raise NoPostgres(f"{command[0]} failed: {done.stdout}{done.stderr}")

    def _popen(self, command: Sequence[str | Path], **streams: _Stream) -> subprocess.Popen[bytes]:
        manner: dict[str, Any] = {**streams, **self._manner()}
        started: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 (the same)
            command, start_new_session=True, **manner
        )
        return started

    def _manner(self) -> dict[str, Any]:
        """Return user, folder and environment; no variable of ours reaches PostgreSQL."""
        variables = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        manner: dict[str, Any] = {"cwd": self._folder, "env": {**variables, "LC_ALL": "C"}}
        if self._owner is None:
            return manner
        who = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        return manner | who


def _owner() -> pwd.struct_passwd | None:
    """Return the user that runs the server: this one, unless it is root."""
    if os.geteuid() != 0:
        return None
    for name in _USERS_FOR_ROOT:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    names = " or ".join(_USERS_FOR_ROOT)
    raise NoPostgres(f"PostgreSQL does not run as root, and there is no user {names} to run it as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port
