"""Prints tables of threads and of events, for ``threads`` and ``log``.

The log is printed line by line in columns of fixed width. A table would first read the log to its
end, which may be far, while ``head`` needs only its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from rich.console import Console
from rich.text import Text

from eventstore import ConversationStore, RecordedEvent, Thread
from eventstore.cli.messages import event_summary, short_id, summary
from eventstore.cli.opening import short
from eventstore.cli.output import clipped, one_line, when
from eventstore.core import ids

__all__ = ["event_line", "print_events", "print_threads", "stream_names"]


def print_threads(console: Console, store: ConversationStore, threads: list[Thread]) -> None:
    """Print threads, one per line: the shortest id that commands accept, title or first words."""
    names = short(store, [thread.id for thread in threads])
    name_width = max(map(len, (*names.values(), "thread")))
    about_width = max(console.width - name_width - len("  events    last changed        "), 10)
    heading = f"{'thread':<{name_width}}  {'about':<{about_width}}  events  last changed"
    console.print(clipped(Text(heading, style="dim"), console.width))
    for thread in threads:
        about = clipped(_about(store, thread), about_width)
        about.pad_right(about_width - about.cell_len)
        line = Text().append(f"{names[thread.id]:<{name_width}}", style="bold").append("  ")
        line.append_text(about).append(f"  {thread.version:>6}  ")
        line.append(when(thread.updated_at), style="dim")
        console.print(clipped(line, console.width))


def _about(store: ConversationStore, thread: Thread) -> Text:
    states = [state for state in ("archived", "busy") if getattr(thread, state)]
    said = Text().append(f"({', '.join(states)}) " if states else "", style="yellow")
    if thread.title:
        return said.append(one_line(thread.title))
    first = store.messages.list(thread.id, limit=1)
    return said.append(summary(first[0]) if len(first) else "(empty)", style="dim")


def print_events(
    console: Console, events: Iterable[RecordedEvent], names: Callable[[str], str] | None = None
) -> None:
    """Print events line by line; the day only where it changes. ``names`` shows their streams."""
    day = ""
    for event in events:
        today = f"{event.recorded_at:%Y-%m-%d} (UTC)"
        if today != day:
            console.print(Text(today, style="dim"))
            day = today
        stream = f"{names(event.stream_id):<14} " if names is not None else ""
        line = Text().append(stream, style="dim")
        line.append(f"{event.version:>5} ", style="default")
        line.append(f"{event.recorded_at:%H:%M:%S.%f}"[:-3], style="dim")
        line.append_text(event_line(event))
        console.print(clipped(line, console.width))


def stream_names(store: ConversationStore) -> Callable[[str], str]:
    """Return a function from stream ids to short names: the unique beginning of a thread's id."""

    @cache
    def name(stream_id: str) -> str:
        if stream_id.partition("_")[0] != ids.THREAD:
            return short_id(stream_id)
        return short(store, [stream_id])[stream_id]

    return name


def event_line(event: RecordedEvent, type_width: int = 20) -> Text:
    """Return type and summary of an event, in two columns."""
    line = Text().append(f"  {event.type:<{type_width}} ", style=_style(event.type))
    if isinstance(actor := event.metadata.get("actor"), str):
        line.append(f"by {one_line(actor, 40)}  ", style="dim")
    return line.append(event_summary(event))


def _style(event_type: str) -> str:
    for beginning, style in (("Message", "cyan"), ("Branch", "magenta"), ("Run", "yellow")):
        if event_type.startswith(beginning):
            return style
    return "yellow" if event_type.startswith("Tool") else "bright_blue"
