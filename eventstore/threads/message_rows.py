"""The table ``messages``: each one's place in the tree and its state, not its content.

A hop below 0 marks a state in which there is no place. ``removed`` is the version that removed the
message, below 0 if the head moved with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from eventstore.conversation.rows import MessageRow, MessageStatus, Place, Role, Said
from eventstore.threads.row_table import RowTable, join_calls, split_calls

__all__ = ["MESSAGES", "WAITS"]

_ROLES: Final[tuple[Role, ...]] = get_args(Role)
_STATUSES: Final[tuple[MessageStatus, ...]] = get_args(MessageStatus)
_ROLE_CODE: Final = {role: code for code, role in enumerate(_ROLES)}
_STATUS_CODE: Final = {status: code for code, status in enumerate(_STATUSES)}

_BETWEEN: Final = ","
_WAITING: Final = -1
"""Instead of a hop: the message waits in the queue and has no place yet. Segment and depth are its
version and the distance to the version at which its place in the queue was taken."""
_REPLACED: Final = -2
"""Instead of a hop: it was replaced while it waited, and will never have a place."""

WAITS: Final = f"hop = {_WAITING}"
"""SQL for the messages in the queue, removed or not."""


def _encode(row: MessageRow) -> tuple[Any, ...]:
    hop, segment, depth = row.place or _no_place(row)
    return (
        row.message_id,
        hop,
        segment,
        depth,
        row.version,
        _ROLE_CODE[row.role],
        row.parent_id,
        _STATUS_CODE[row.status],
        row.queued_version,
        row.replaces,
        row.run_id,
        join_calls(row.open_calls) if row.open_calls else None,
        -row.removed if row.took_head and row.removed is not None else row.removed,
        row.changed,
        row.revision,
        None if row.said is None else _BETWEEN.join([str(one or "") for one in row.said]),
    )


def _no_place(row: MessageRow) -> tuple[int, int, int]:
    if row.status == "replaced":
        return _REPLACED, row.version, 0
    return _WAITING, row.version, row.version - row.waits_since


def _decode(columns: Sequence[Any]) -> MessageRow:
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
        said,
    ) = columns
    return MessageRow(
        message_id,
        version,
        _ROLES[role],
        Place(hop, segment, depth) if hop >= 0 else None,
        parent,
        _STATUSES[status],
        queued_version,
        segment - depth if hop == _WAITING and depth else None,
        replaces,
        run,
        split_calls(open_calls),
        None if removed is None else abs(removed),
        removed is not None and removed < 0,
        changed,
        revision,
        None
        if said is None
        else Said(*[int(one) if one else None for one in said.split(_BETWEEN)]),
    )


MESSAGES: Final = RowTable[MessageRow](
    MessageRow,
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
        "said",
    ),
    encode=_encode,
    decode=_decode,
)
