"""Check that a SQLite connection is as durable as promised, and on a file system that suits it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventstore.errors import StoreUnavailable

__all__ = ["check_settings", "warn_about_network"]

_log = logging.getLogger("eventstore.sqlite")
_OCTAL = re.compile(r"\\(\d{3})")
"""Escape of a blank in a list of mounts."""
_NETWORK_FILE_SYSTEMS = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "lustre", "glusterfs"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse"),
}


def check_settings(pragma: Callable[[str], Any]) -> None:
    """Check that an application's connection has the settings for durability and erasure.

    Raises:
        StoreUnavailable: ``"unsafe_settings"``, naming what differs.
    """
    wrong = []
    journal = str(pragma("journal_mode")).lower()
    if journal not in {"wal", "memory"}:
        wrong.append(f"journal_mode is {journal}, not WAL")
    if journal == "wal" and int(pragma("synchronous")) < 2:  # noqa: PLR2004 (2 is FULL)
        wrong.append("synchronous is below FULL")
    if int(pragma("secure_delete")) != 1:
        wrong.append("secure_delete is not ON")
    if wrong:
        raise StoreUnavailable(
            "unsafe_settings",
            f"the engine's connections are not safe for conversations: {'; '.join(wrong)}",
            "Set these pragmas in a connect listener of the engine, or open the store with "
            "durability='as_is' to accept them.",
        )


def warn_about_network(path: str, mounts: Path = Path("/proc/mounts")) -> None:
    """Warn when a database stands on a network file system, where WAL does not work.

    It is silent where the system does not list its mounts.
    """
    if not mounts.exists():
        return
    target = f"{Path(path.removeprefix('file:').partition('?')[0]).resolve()}/"
    best = ("", "")
    for line in mounts.read_text().splitlines():
        _, place, kind, *_ = line.split()
        mount = _OCTAL.sub(lambda found: chr(int(found[1], 8)), place).rstrip("/") + "/"
        if target.startswith(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)  # of two mounts on one place the later one covers the other
    if best[1] in _NETWORK_FILE_SYSTEMS:
        _log.warning(
            "the database is on %s: SQLite's write-ahead log needs a local disk, "
            "and several machines must not share one file",
            best[1],
        )
