"""Rebuilds tables from events and compares the two, one thread at a time, for ``check``."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from rich.console import Console
from rich.text import Text

from eventstore import CompareReport, ConversationStore, RebuildReport
from eventstore.api.operations import projections
from eventstore.api.operations.operation import Collected
from eventstore.cli.opening import count_threads
from eventstore.cli.output import progress

__all__ = ["NOTHING", "compare", "print_report", "rebuild"]

T = TypeVar("T")


def compare(store: ConversationStore, thread_id: str | None) -> CompareReport:
    """Compare the tables of one thread, or of all, with their events."""
    return _watched(store, projections.compare(store.scope, thread_id), "comparing", thread_id)


def rebuild(store: ConversationStore, thread_id: str | None) -> RebuildReport:
    """Rebuild the tables of one thread, or of all, from their events."""
    return _watched(store, projections.rebuild(store.scope, thread_id), "rebuilding", thread_id)


def _watched(store: ConversationStore, work: Collected[T], doing: str, thread_id: str | None) -> T:
    """Run the method of the store, with a progress bar that counts threads."""
    done: list[Any] = []
    with progress() as bar:
        total = count_threads(store) if thread_id is None and not bar.disable else None
        task = bar.add_task(doing, total=total)
        for one in store._runner.each(work.walk):  # noqa: SLF001 (it counts as it goes)
            done.append(one)
            bar.advance(task)
    return work.report(done)


NOTHING: Final = Text("there was nothing to compare: no thread was found", style="yellow")


def print_report(console: Console, report: CompareReport) -> None:
    """Print the result of a comparison."""
    if report.empty and report.ok:
        console.print(NOTHING)
        return
    counted = f"{report.threads} thread{'' if report.threads == 1 else 's'}"
    if report.ok:
        console.print(Text(f"{counted}: the tables match the events", style="green"))
        return
    for finding in report.findings:
        line = Text(f"{finding.kind:<14} ", style="red").append(finding.stream_id, style="bold")
        line.append(f" at version {finding.version}\n  {finding.message}", style="not bold default")
        console.print(line, soft_wrap=True)
    kinds = [one.kind.partition("_")[2] for one in report.findings]
    blobs = kinds.count("blob")
    if rows := kinds.count("row"):
        differ = "1 row differs" if rows == 1 else f"{rows} rows differ"
        mended = f"--rebuild makes {'it' if rows == 1 else 'them'} anew"
        said = f"{counted}: {differ} from what the events say; {mended}"
        console.print(Text(said, style="red"))
    if gaps := kinds.count("event"):
        wrong = "1 gap" if gaps == 1 else f"{gaps} gaps"
        said = f"{counted}: {wrong} in the events, which --rebuild does not mend"
        console.print(Text(said, style="red"))
    if blobs:
        wrong = "1 blob is" if blobs == 1 else f"{blobs} blobs are"
        said = f"{counted}: {wrong} missing or left behind, which --rebuild does not mend"
        console.print(Text(said, style="red"))
