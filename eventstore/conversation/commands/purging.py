"""Decides that a thread is purged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventstore.conversation.commands.checks import thread_text
from eventstore.conversation.commands.threads import check_idle
from eventstore.conversation.rows import ThreadRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.errors import Refused

__all__ = ["check_purge"]

_NAMED_MAX: Final = 10


def check_purge(
    view: ThreadView, thread: ThreadRow, forks: Sequence[bytes], *, busy: bool = False
) -> None:
    """Refuse to purge a thread that is busy, or that has forks.

    Deleted and archived threads can be purged like any other; with ``busy`` those that are at work,
    too.

    Raises:
        Refused: ``"thread_busy"``, ``"thread_has_forks"``.
    """
    if not busy:
        check_idle(view, thread)
    if forks:
        named = ", ".join(ids.show(ids.THREAD, fork) for fork in forks[:_NAMED_MAX])
        more = len(forks) - _NAMED_MAX
        counted = "a fork that reads" if len(forks) == 1 else f"{len(forks)} forks that read"
        raise Refused(
            "thread_has_forks",
            f"{thread_text(view)} has {counted} from it: {named}"
            + (f" and {more} more" if more > 0 else ""),
            'Purge its forks first, or give forks="purge" to purge them, and their own forks, too.',
        )
