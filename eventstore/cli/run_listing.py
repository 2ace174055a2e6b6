"""Finds runs by a part of their id, and prints them: a table, or one run with its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from eventstore import ConversationStore, InvalidInput, Run, RunNotFound, RunStep, TokenUsage
from eventstore.cli.following import outcome
from eventstore.cli.messages import short_id
from eventstore.cli.output import clipped, one_line, print_facts, when

__all__ = ["find_run", "print_run", "print_runs"]

_STYLES = {"completed": "green", "failed": "red", "in_progress": "cyan", "queued": "cyan"}

_WAITS = {
    "outputs": "waits for the output of",
    "approval": "waits for somebody to approve",
    "outcome_unknown": "waits for somebody to say what became of",
}


def find_run(store: ConversationStore, thread_id: str, text: str | None) -> Run:
    """Return the only run of a thread whose id begins or ends with a text; the newest for None.

    Raises:
        RunNotFound: there is none.
        InvalidInput: there are several.
    """
    runs = list(store.runs.list(thread_id))
    if text is None:
        if not runs:
            raise RunNotFound(None, thread_id, "at all")
        return runs[-1]
    digits = text.removeprefix("run_").removeprefix("run…").lower()
    near = [run for run in runs if run.id[4:].startswith(digits) or run.id.endswith(digits)]
    if not near or not digits:
        raise RunNotFound(text, thread_id)
    if len(near) > 1:
        raise InvalidInput(
            "RUN", f"{text!r} begins or ends the ids of {len(near)} runs", "Give more of it."
        )
    return near[0]


def print_runs(console: Console, runs: Sequence[Run], threads: Mapping[str, str]) -> None:
    """Print runs, one a line, with the names of their threads if there are any."""
    width = max(map(len, threads.values()), default=0) + 2 if threads else 0
    heading = f"{'thread' if width else '':<{width}}{'run':<10} {'status':<16} {'queued at':<20}"
    heading += f" {'took':>8}  {'tokens':<12} model"
    console.print(clipped(Text(heading, style="dim"), console.width))
    for run in runs:
        line = Text(f"{threads.get(run.thread_id, ''):<{width}}")
        line.append(f"{short_id(run.id):<10} ", style="bold")
        line.append(f"{run.status:<16} ", style=_STYLES.get(run.status, "yellow"))
        line.append(f"{when(run.created_at)} ", style="dim")
        line.append(f"{_took(run):>8}  {_tokens(run.usage):<12} ")
        line.append(one_line(run.model or "", 60))
        console.print(clipped(line, console.width))


def print_run(console: Console, run: Run, steps: Sequence[RunStep]) -> None:
    """Print a run and its steps."""
    console.print(Text(f"{run.model or 'run'}: {run.status}", style="bold"))
    took = _took(run) or "not ended"
    used = run.usage
    tokens = (
        [] if used is None else [f"{used.input_tokens} tokens read, {used.output_tokens} written"]
    )
    print_facts(console, run.id, when(run.created_at), took, *tokens)
    if (line := outcome(run)) is not None:
        console.print(line)
    for wait in run.required_actions:
        console.print(Text(f"  {_WAITS[wait.reason]} {wait.call_id}", style="yellow"))
    console.print()
    for number, step in enumerate(steps, 1):
        line = Text(f"{number:>3} ", style="dim").append(f"{step.type:<17} ", style="default")
        line.append(f"{step.status:<12} ", style=_STYLES.get(step.status, "yellow"))
        line.append(f"{_took(step):>8}  {_tokens(step.usage)}", style="default")
        if step.error is not None:
            line.append(f"  {step.error.code}", style="red")
        console.print(clipped(line, console.width))


def _took(what: Run | RunStep) -> str:
    if what.ended_at is None:
        return ""
    return f"{(what.ended_at - what.created_at).total_seconds():.1f} s"


def _tokens(usage: TokenUsage | None) -> str:
    return "" if usage is None else f"{usage.input_tokens} + {usage.output_tokens}"
