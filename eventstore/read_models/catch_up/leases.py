"""Judge whether the holder of a lease is still alive, without trusting another machine's clock.

A holder renews its lease while it works or waits, and each renewal increments a count. A lease has
run out if it was not renewed for the time that its holder asked for.

* **On PostgreSQL** the database's clock stamps the renewals and judges them, in the statement that
  reads the row (``Generation.ran_out``). Processes on all machines share that clock.
* **On SQLite** there is no such clock: a stamp comes from the process that wrote it, whose clock
  may be a year ahead. So an observer relies on its own observations. It notes when it first saw
  the present count, on its own clock that is never set, and judges that the lease has run out once
  the count stood still for the length of the lease. A process that has just started therefore waits
  that long for a holder that died; a stamp from long ago does not shorten it, since a clock that is
  behind writes such stamps, too. Nobody waits for a holder that was closed: it gave the lease back.

The judgement only decides which worker tries. ``take`` names the count that was judged, so a holder
that renews at the same moment keeps its lease, and the token decides which worker may write.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventstore.read_models.catch_up.generations import Generation

__all__ = ["Watched"]


class Watched:
    """The leases of other workers, as one process has seen them. Used from many threads."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[tuple[int, int], float]] = {}
        """Token and count, and the time when they were first seen, by generation."""

    def is_free(self, one: Generation) -> bool:
        """Return whether a generation has no holder, or its holder has been silent for too long."""
        if one.holder is None:
            return True
        if one.ran_out is not None:
            return one.ran_out
        mark, now = (one.token, one.renewals), monotonic()
        seen = self._seen.get(one.key)
        if seen is None or seen[0] != mark:
            self._seen[one.key] = mark, now
            return False
        return now - seen[1] >= one.lease_us / 1_000_000
