"""The table ``messages``: each one's place in the tree and its state, not its content.

A hop below 0 stands for a state in which there is no place. ``removed`` is the version that removed
the message, below 0 if the head moved with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from eventstore.conversation.rows import MessageRow, MessageStatus, Place, Role
from eventstore.projections.row_table import RowTable, join_calls, split_calls

__all__ = ["MESSAGES", "decode_message"]

_ROLES: Final[tuple[Role, ...]] = get_args(Role)
_STATUSES: Final[tuple[MessageStatus, ...]] = get_args(MessageStatus)
_ROLE_CODE: Final = {role: code for code, role in enumerate(_ROLES)}
_STATUS_CODE: Final = {status: code for code, status in enumerate(_STATUSES)}

_WAITING: Final = -1
"""Instead of a hop: the message waits in the queue and has no place yet."""


def _encode(row: MessageRow) -> tuple[Any, ...]:
    return (
        row.message_id,
        *(row.place or (_WAITING, row.version, 0)),
        row.version,
        _ROLE_CODE[row.role],
        row.parent_id,
        _STATUS_CODE[row.status],
        row.queued_version,
        row.replaces,
        row.run_id,
        join_calls(row.open_calls),
        -row.removed if row.took_head and row.removed is not None else row.removed,
        row.changed,
        row.revision,
    )


def decode_message(columns: Sequence[Any]) -> MessageRow:
    """Return the row of ``MESSAGES.columns``."""
    (
        _,
        message_id,
        hop,
        segment,
        depth,
        version,
        role,
        parent,
        status,
        queued_version,
        replaces,
        run,
        open_calls,
        removed,
        changed,
        revision,
    ) = columns[:16]
    return MessageRow(
        message_id,
        version,
        _ROLES[role],
        None if hop == _WAITING else Place(hop, segment, depth),
        parent,
        _STATUSES[status],
        queued_version,
        replaces,
        run,
        split_calls(open_calls),
        None if removed is None else abs(removed),
        removed is not None and removed < 0,
        changed,
        revision,
    )


MESSAGES: Final = RowTable[MessageRow](
    "messages",
    key=("message",),
    values=(
        "hop",
        "segment",
        "depth",
        "version",
        "role",
        "parent",
        "status",
        "queued_version",
        "replaces",
        "run",
        "open_calls",
        "removed",
        "changed",
        "revision",
    ),
    encode=_encode,
    decode=decode_message,
)
