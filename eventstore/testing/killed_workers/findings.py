"""The things that may go wrong with a run, and the report of all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

__all__ = ["KINDS", "Kind", "Report"]

Kind: TypeAlias = Literal[
    "never_ended", "ended_wrongly", "repeated", "unrecorded", "lost_text", "open_calls", "broken"
]
KINDS: Final[dict[Kind, str]] = {
    "never_ended": "runs that did not end",
    "ended_wrongly": "runs that ended in another way than they should",
    "repeated": "calls of a tool that must not be repeated and was",
    "unrecorded": "effects of tools that no recorded call explains",
    "lost_text": "readers that lost, repeated or reordered something",
    "open_calls": "runs that left a call open, or a context that no model accepts",
    "broken": "workers or people that broke",
}

_EXAMPLES: Final = 5


@dataclass
class Report:
    """The fate of all runs, and the faults that were found. ``str(report)`` is meant to be read."""

    seed: int
    runs: int
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    """Runs by the status in which they ended."""
    killed: Counter[str] = field(default_factory=Counter)
    """Kills by place."""
    counts: Counter[str] = field(default_factory=Counter)
    """Other events by kind, so that a reader sees that they happened."""
    findings: dict[Kind, list[str]] = field(default_factory=dict)

    def find(self, kind: Kind, sentence: str) -> None:
        """Note something wrong."""
        self.findings.setdefault(kind, []).append(sentence)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def _size(self) -> str:
        killed, seconds = f"{self.killed.total():,} workers killed", f"{self.seconds:.1f} s"
        return f"{self.runs:,} runs, {killed}, seed {self.seed}, {seconds}"

    def __str__(self) -> str:
        wrong = ", ".join(f"{len(self.findings.get(kind, ()))} {kind}" for kind in KINDS)
        lines = [
            f"{wrong}: {self._size()}",
            f"  runs: {_listed(self.statuses)}",
            f"  meanwhile: {_listed(self.counts)}",
            f"  killed: {_listed(self.killed)}",
        ]
        for kind, sentences in self.findings.items():
            lines.append(f"  {len(sentences)} {KINDS[kind]}:")
            lines += [f"    {sentence}" for sentence in sentences[:_EXAMPLES]]
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common()) or "nothing"
