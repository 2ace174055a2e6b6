"""Counting the syncs that really reach the kernel, with strace.

A pragma says what SQLite was asked for; a system call says what happened. A child process opens
one contender and appends some messages one by one, while strace writes down each sync. The child
makes a directory before and after, and only the syncs between these two marks are counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import durability
from benchmarks.contenders import Contender, Kind
from benchmarks.drivers import driver
from benchmarks.field import DATABASE_FILE, say
from benchmarks.places import Place

BEGIN, END = "begin-of-appends", "end-of-appends"
_CALLS = "fsync,fdatasync,msync,mkdir,mkdirat"
_SYNC = re.compile(r"\b(fsync|fdatasync|msync)(\(| resumed)")
_SECONDS_MAX = 120


class NoStraceError(Exception):
    """The program that counts is not there."""

    def __init__(self) -> None:
        super().__init__("strace is not installed: the package of that name brings it")


@dataclass(frozen=True, slots=True)
class Count:
    """The number of one contender's syncs."""

    name: str
    kind: Kind
    messages: int
    syncs: int
    failure: str = ""

    @property
    def durable(self) -> bool:
        """True if each message had at least one sync of its own."""
        return not self.failure and self.syncs >= self.messages


def count(contenders: list[Contender], messages: int, scratch: Path) -> list[Count]:
    """Count the syncs of all contenders, one after the other."""
    if shutil.which("strace") is None:
        raise NoStraceError
    return [_count(one, messages, scratch / str(n)) for n, one in enumerate(contenders)]


def append_between_marks(contender: Contender, messages: int, folder: Path) -> None:
    """Run the child's work."""
    folder.mkdir(parents=True, exist_ok=True)
    watched = durability.watch(folder, force=contender.kind is not Kind.OURS)
    store = driver(contender)
    store.open(Place(folder / DATABASE_FILE))
    thread = store.new_thread(10)
    (folder / BEGIN).mkdir()
    store.append(thread, seconds=_SECONDS_MAX, count=messages)
    (folder / END).mkdir()
    if contender.pragmas:
        watched.verdict()
    store.close()


def render(counts: list[Count]) -> str:
    """The counts as a table."""
    lines = ["| store | | messages | syncs | per message | |", "|---|---|---|---|---|---|"]
    for one in counts:
        verdict = "durable" if one.durable else one.failure or "NOT DURABLE"
        each = one.syncs / one.messages
        lines.append(
            f"| {one.name} | {one.kind} | {one.messages} | {one.syncs} | {each:.2f} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def _count(contender: Contender, messages: int, folder: Path) -> Count:
    say(f"durability: {contender.name}")
    folder.mkdir(parents=True)
    log = folder / "strace.log"
    child = [sys.executable, "-m", "benchmarks", "append", "--only", contender.name]
    child += ["--messages", str(messages), "--dir", str(folder / "store")]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={_CALLS}", "-o", str(log), *child],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS_MAX * 2,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Count(contender.name, contender.kind, messages, 0, f"failed: {last}")
    return Count(contender.name, contender.kind, messages, _between_marks(log))


def _between_marks(log: Path) -> int:
    syncs, inside = 0, False
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if BEGIN in line:
            inside = True
        elif END in line:
            inside = False
        elif inside and _SYNC.search(line) and "unfinished" not in line:
            syncs += 1
    return syncs
