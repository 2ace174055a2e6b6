"""Ids that were made for a request: no row has them yet, so no query looks for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from eventstore.conversation.rows import MessageRow, RunRow, StepRow
from eventstore.core import ids

__all__ = ["expect_fresh"]

_KINDS: Final = {ids.MESSAGE: MessageRow, ids.RUN: RunRow, ids.STEP: StepRow}


def expect_fresh(
    known: Mapping[type[Any], dict[Any, Any]], made: Iterable[tuple[str, bytes]]
) -> None:
    """Note that nothing has these ids, each of which comes with its prefix."""
    for prefix, key in made:
        known[_KINDS[prefix]].setdefault(key, None)
