"""The tables ``segments`` and ``branch_points``: the shape of the message tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.conversation.rows import BranchPointRow, Place, SegmentRow
from eventstore.threads.row_table import RowTable

__all__ = ["BRANCH_POINTS", "SEGMENTS", "TREE_TABLES"]


def _decode_segment(columns: Sequence[Any]) -> SegmentRow:
    _, hop, segment, parent_hop, parent, depth, ordinal = columns
    return SegmentRow(hop, segment, Place(parent_hop, parent, depth), ordinal)


def _decode_branch_point(columns: Sequence[Any]) -> BranchPointRow:
    _, hop, segment, depth, children, removed, active_hop, active = columns
    turned = None if active_hop is None else (active_hop, active)
    return BranchPointRow(Place(hop, segment, depth), children, removed, turned)


SEGMENTS: Final = RowTable[SegmentRow](
    SegmentRow,
    "segments",
    key=("hop", "segment"),
    values=("parent_hop", "parent_segment", "parent_depth", "ordinal"),
    encode=lambda row: (row.hop, row.segment, *row.parent, row.ordinal),
    decode=_decode_segment,
)

BRANCH_POINTS: Final = RowTable[BranchPointRow](
    BranchPointRow,
    "branch_points",
    key=("hop", "segment", "depth"),
    values=("children", "removed", "active_hop", "active_segment"),
    encode=lambda row: (*row.place, row.children, row.removed, *(row.active or (None, None))),
    decode=_decode_branch_point,
)

TREE_TABLES: Final = (SEGMENTS, BRANCH_POINTS)
