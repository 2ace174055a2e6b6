"""Destroy the keys of what was erased, after the COMMIT of the erasure.

Content is erased in the database by overwriting it. With encryption at rest, backups keep sealed
copies, which nobody can read once their key is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.storage.log import Log

__all__ = ["forget_keys"]


def forget_keys(log: Log, tenant: str, subjects: Sequence[bytes]) -> None:
    """Destroy the data keys of subjects: ids of persons, or of threads; nothing without encryption.

    It is called after the COMMIT, and again whenever the erasure is repeated.
    """
    del log, tenant, subjects
