"""``store.threads.export``: a conversation as a page that people read."""

from __future__ import annotations

from datetime import datetime

from eventstore.api.operations.inputs import checked_choice
from eventstore.api.operations.loaders import Moment, folded_at, thread_key
from eventstore.api.operations.operation import Read, Scope
from eventstore.exporters.formats import FORMATS, ExportFormat, exported
from eventstore.replay import ReplayedThread
from eventstore.storage.transaction import Transaction


def export(
    scope: Scope,
    thread_id: str,
    *,
    format: ExportFormat = "markdown",
    at_version: int | None = None,
    at_time: datetime | None = None,
) -> Read[str]:
    """Return a conversation as one text: the active path first, then each branch by name.

    Markdown and HTML are for people. Messages are numbered by their depth, branches have letters,
    and each says where it leaves. The words of users are escaped, so they show as they were
    written. HTML is one page that prints well, runs no script and loads nothing. JSON is the value
    that ``replay.state(…).value()`` returns.

    Removed messages are left out, and erased ones say so. The whole thread is in memory.

    Args:
        thread_id: The thread.
        format: ``"markdown"``, ``"html"`` or ``"json"``.
        at_version: Version to export; the present one if left out.
        at_time: Time to export the thread as of, with a time zone.

    Raises:
        InvalidInput: an argument is malformed.
        ThreadNotFound: there is none.
        MomentNotFound: it did not exist yet then, or has not come so far.
    """
    key, moment = thread_key(scope, thread_id), Moment(at_version, at_time)
    form = checked_choice(format, frozenset(FORMATS), "format")

    def look(tx: Transaction) -> str:
        return exported(ReplayedThread(folded_at(tx, scope, key, moment)).value(), form)

    return Read(look)
