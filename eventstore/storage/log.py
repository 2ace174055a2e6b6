"""The facts about a store's log that reading and writing it need besides a transaction."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from eventstore.core.catalogue import Catalogue
from eventstore.core.codec import ContentCodec
from eventstore.core.environment import Environment
from eventstore.core.json_values import Limits
from eventstore.storage.snapshots import Snapshots

__all__ = ["Log"]


class Log(msgspec.Struct, frozen=True):
    """Clock and randomness, limits, codec and event types of one store."""

    environment: Environment
    limits: Limits
    codec: ContentCodec
    """Seals and opens content; ``tx.naming`` has it, too."""
    catalogues: Mapping[str, Catalogue]
    """By category; categories without one hold the application's own events."""
    snapshots: Snapshots
    """States that readers of this store folded."""
    words: bool = True
    """False: events are folded without their content, on which no row depends but labels."""
