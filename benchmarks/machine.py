"""The machine on which a figure was taken: the facts needed to judge it, and no host name."""

from __future__ import annotations

import os
import platform
import sqlite3
import timeit
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.places import Database


def machine(folder: Path, server: str | None) -> dict[str, Any]:
    """The machine, the file system that `folder` lies on, and the version of SQLite or `server`."""
    database = {"sqlite": sqlite3.sqlite_version} if server is None else {"postgresql": server}
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release().partition("-")[0],
        "file system": file_system(folder),
        "python": platform.python_version(),
        "python calls a function in": f"{_call_ns():.0f} ns",
        **database,
    }


def _call_ns() -> float:
    """The cost of a function call: builds of one version differ by half, machines by more."""
    times = timeit.Timer("act()", "def act(): pass").repeat(9, _CALLS)
    return min(times) / _CALLS * 1e9


_CALLS = 100_000


_DECISIVE = {
    Database.SQLITE: {"pydantic", "sqlalchemy", "aiosqlite"},
    Database.POSTGRES: {"pydantic", "sqlalchemy", "asyncpg", "psycopg"},
}


def versions(contenders: Iterable[Contender], database: Database) -> dict[str, str]:
    """The versions of what was measured and of what decides its speed."""
    names = {one.distribution for one in contenders if one.distribution}
    names |= _DECISIVE[database]
    return {name: _version(name) for name in sorted(names)}


def file_system(folder: Path) -> str:
    """The kind of file system below `folder`, as far as the system tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    target = folder.resolve()
    found, kind = Path("/"), "unknown"
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, where, which, *_ = line.split()
        mount = Path(where.replace("\\040", " "))
        if target.is_relative_to(mount) and len(mount.parts) >= len(found.parts):
            found, kind = mount, which
    return kind


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
