"""The state in which a fork begins whose source is gone: made of the copies in its own stream.

Equal, row by row, to what ``FoldedThread.prefix_for`` made of the source while it was there.
"""

from __future__ import annotations

from collections.abc import Iterable

from rpds import HashTrieMap

from eventstore.conversation.copies import inherited_row, inherited_segment, told
from eventstore.conversation.rows import BranchPointRow, ForkPoint, Row
from eventstore.conversation.state import FoldedThread
from eventstore.conversation.view import Told
from eventstore.core.events import Event

__all__ = ["copied_prefix"]


def copied_prefix(fork_id: bytes, fork: ForkPoint, copies: Iterable[Event]) -> FoldedThread:
    """Return the state before a fork's first event, of the ``PrefixCopied`` that came later."""
    rows: list[Row] = []
    held: dict[bytes, tuple[Told, ...]] = {}
    for copy in copies:
        subject = copy.data.message_id or fork.thread_id
        held[subject] = (*held.get(subject, ()), told(copy))
        segment, message = inherited_segment(copy.data), inherited_row(copy.data)
        if segment is not None:
            turned = (segment.hop, segment.segment)
            rows += [segment, BranchPointRow(segment.parent, children=1, active=turned)]
        if message is not None:
            rows.append(message)
    return FoldedThread(fork_id, copies=HashTrieMap(held)).holding(rows)
