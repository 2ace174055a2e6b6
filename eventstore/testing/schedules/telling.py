"""The progress of a long schedule: one line on a terminal, a few lines elsewhere."""

from __future__ import annotations

from typing import Final, TextIO

from eventstore.testing.schedules.running import Progress

__all__ = ["ProgressLine"]

_BAR_WIDTH: Final = 24
_LINE_SECONDS: Final = 60.0
"""The interval between two lines that cannot be overwritten."""
_RATE_SECONDS: Final = 20.0
"""The time over which rates are taken: the first seconds of processes are slow."""


class ProgressLine:
    """Shows the share that is done, the recent rate, and the time left at this rate.

    Called with a ``Progress`` again and again; ``done`` ends the line.
    """

    def __init__(self, name: str, out: TextIO) -> None:
        self._name = name
        self._out = out
        self._over = out.isatty()
        self._shown = 0.0
        self._since = self._before = Progress(0, 1, 0, 0.0)

    def __call__(self, progress: Progress) -> None:
        if self._over:
            self._out.write(f"\r\x1b[K{self._line(progress)}")
            self._out.flush()
        elif progress.seconds - self._shown >= _LINE_SECONDS:
            self._shown = progress.seconds
            self._out.write(f"{self._line(progress)}\n")
            self._out.flush()

    def done(self) -> None:
        """End the line, so that other output can follow."""
        if self._over:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _line(self, progress: Progress) -> str:
        share = min(1.0, progress.ended / progress.of)
        bar = f"{'#' * round(share * _BAR_WIDTH):{_BAR_WIDTH}}"
        told = f"{progress.delivered:,} events read"
        if progress.late or progress.ended >= progress.of:
            return f"{self._name} [{bar}] {share:4.0%}, {told} once more from the beginning"
        rate = self._rate(progress)
        left = f"{_minutes((progress.of - progress.ended) / rate)} left" if rate else ""
        return (
            f"{self._name} [{bar}] {share:4.0%}, {progress.ended:,} of {progress.of:,} appends, "
            f"{told}, {rate:,.0f}/s, {left}"
        )

    def _rate(self, progress: Progress) -> float:
        """Return the appends per second since the mark before the last one."""
        if progress.seconds - self._before.seconds > _RATE_SECONDS:
            self._since, self._before = self._before, progress
        seconds = progress.seconds - self._since.seconds
        return (progress.ended - self._since.ended) / seconds if seconds else 0.0


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"
