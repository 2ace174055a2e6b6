"""Prints erasures and purges: the plan before, and the certificate after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from rich.console import Console
from rich.text import Text

from eventstore import (
    ContentCopy,
    ConversationStore,
    ErasedEvent,
    Erasure,
    Message,
    RetentionReport,
    Tenant,
    TenantErasure,
    Tombstone,
)
from eventstore.cli.messages import message_line
from eventstore.cli.output import clipped, one_line, print_indented, safe, when
from eventstore.privacy.erasure import Foreseen

__all__ = [
    "print_bytes",
    "print_certificate",
    "print_erasure_ahead",
    "print_person_ahead",
    "print_purge_ahead",
    "print_tenant_ahead",
    "print_tenant_certificate",
    "print_tombstone",
]

_KINDS = {
    "edit": "an edit or regeneration, or what it was made from",
    "run": "what a run recorded that wrote or saw it",
    "source": "what it shows of the thread that it was forked from, up to this message",
}
_TAKEN_BY = {"edit": "--include edits", "run": "--include run"}
"""Options that erase a copy as well, by kind of copy."""


def _print_done(
    console: Console, subject: str, done: str, moment: datetime, actor: str | None
) -> None:
    """Print the change, its target, its time and its actor."""
    console.print(Text(subject, style="bold").append(f" {done}", style="not bold green"))
    asked = "" if actor is None else f" · asked for by {one_line(actor, 60)}"
    console.print(Text(f"{when(moment)}{asked}", style="dim"))


# -- erasing ---------------------------------------------------------------------------------------


def print_erasure_ahead(
    console: Console, thread_id: str, message: Message | None, ahead: Foreseen
) -> None:
    """Print the content that an erasure would remove, and the copies that it would leave."""
    if message is not None:
        console.print(message_line(message, console.width))
        console.print()
    if ahead.events:
        console.print(Text("This erases for good its content, metadata, name and label:"))
        _print_events(console, ahead.events, thread_id)
    else:
        console.print(Text("Nothing of it is left to erase; this finishes any pending part."))
    _print_copies(console, ahead.copies, "These may also hold the words, and stay:")
    if ahead.copies:
        options = dict.fromkeys(
            _TAKEN_BY[one.kind] for one in ahead.copies if one.kind in _TAKEN_BY
        )
        if options:
            take = "takes" if len(options) == 1 else "take"
            said = f"{' and '.join(options)} {take} them along."
            print_indented(console, Text(said, style="dim"), 2)
    console.print()


def print_person_ahead(console: Console, subject_id: str, streams: int, events: int) -> None:
    """Print how much an erasure of a person would remove."""
    console.print(Text(subject_id, style="bold"))
    if events:
        said = (
            f"This erases for good the content of {events} event{'' if events == 1 else 's'} in"
            f" {streams} thread{'' if streams == 1 else 's'} and other streams, with what others"
            " said about these messages, and what runs in this name recorded."
        )
    else:
        said = "Nothing of it is left to erase; this finishes any pending part."
    print_indented(console, Text(said), 0)
    console.print()


def print_certificate(console: Console, made: Erasure) -> None:
    """Print the certificate of an erasure."""
    subject = made.message_id or made.thread_id or made.subject_id or ""
    _print_done(console, subject, "is erased", made.erased_at, made.actor)
    if made.erased:
        console.print(Text("\nErased is the content of"))
    _print_events(console, made.erased, made.thread_id)
    _print_copies(console, made.copies, "\nThese are not erased, and may hold the words:")
    console.print()
    print_bytes(console, made)


def _print_events(console: Console, events: Iterable[ErasedEvent], thread_id: str | None) -> None:
    for stream, found in groupby(events, lambda one: one.stream_id):
        versions = [one.version for one in found]
        said = f"version{'' if len(versions) == 1 else 's'} {', '.join(map(str, versions))}"
        fork = "" if thread_id in {None, stream} else ", a fork"
        console.print(Text(f"  {stream}{fork}", style="bold"))
        print_indented(console, Text(said, style="default"), 4)


def _print_copies(console: Console, copies: Sequence[ContentCopy], heading: str) -> None:
    if copies:
        console.print(Text(heading, style="yellow"))
    for kind, found in groupby(copies, lambda copy: copy.kind):
        console.print(Text(f"  {_KINDS[kind]}", style="dim"))
        for copy in found:
            console.print(Text(f"    {copy.id}"))
            console.print(Text(f"      in {copy.thread_id}", style="dim"))


def print_bytes(
    console: Console, made: Erasure | Tombstone | RetentionReport | TenantErasure
) -> None:
    """Print the places that may still hold the bytes, and how to clear them."""
    if not made.remains:
        console.print(Text("The bytes are gone from the database's files.", style="green"))
        return
    console.print(Text("These places may still hold the bytes:", style="yellow"))
    for where in made.remains:
        print_indented(console, Text(f"- {safe(where)}"), 2)
    console.print()
    if made.pending:
        said = (
            "Pending: these clear once no read or write is in progress and every projection has"
            " caught up (projections.catch_up()). Then run the same command again; it appends"
            " nothing and finishes this."
        )
    else:
        said = "Running the command again does not clear them."
    print_indented(console, Text(said), 0)


# -- purging ---------------------------------------------------------------------------------------


def print_purge_ahead(
    console: Console, store: ConversationStore, thread_id: str, events: int, forks: Sequence[str]
) -> None:
    """Print the data that a purge would remove."""
    thread = store.threads.get(thread_id, include_deleted=True)
    console.print(Text(thread_id, style="bold"))
    if thread.title:
        console.print(clipped(Text(f"  {one_line(thread.title)}"), console.width))
    counted = f"{events} event{'' if events == 1 else 's'}"
    console.print(
        Text(f"This removes all of it for good: {counted}, messages, runs, metadata, keys.")
    )
    _print_forks(console, "These forks depend on it, and are purged with it:", forks)
    console.print()


def print_tombstone(console: Console, made: Tombstone) -> None:
    """Print the tombstone of a thread."""
    _print_done(console, made.thread_id, "is purged", made.purged_at, made.actor)
    if made.reason is not None:
        print_indented(console, Text(safe(made.reason)), 2)
    console.print(Text(f"\nIts last event had version {made.version} and the hash"))
    console.print(Text(f"  {made.hash}"), soft_wrap=True)  # in one piece, to be copied
    _print_forks(console, "Purged with it:", made.forks)
    console.print()
    print_bytes(console, made)


def _print_forks(console: Console, heading: str, forks: Sequence[str]) -> None:
    if forks:
        console.print(Text(heading))
    for fork in forks:
        console.print(Text(f"  {fork}", style="bold"))


# -- tenants ---------------------------------------------------------------------------------------


def print_tenant_ahead(console: Console, one: Tenant, *, purge: bool) -> None:
    """Print how much the erasure or the purge of a tenant would remove."""
    console.print(Text(_tenant(one.name), style="bold"))
    what = "removes all of it for good" if purge else "erases its content for good"
    counted = f"{one.threads} threads, {one.streams} streams, {one.events} events"
    console.print(Text(f"This {what}: {counted}."))
    console.print()


def print_tenant_certificate(console: Console, made: TenantErasure) -> None:
    """Print the certificate of a tenant."""
    done = "is purged" if made.purged else "is erased"
    _print_done(console, _tenant(made.tenant), done, made.erased_at, made.actor)
    console.print(Text(f"{made.streams} streams"))
    console.print()
    print_bytes(console, made)


def _tenant(name: str) -> str:
    return f"the tenant {one_line(name, 60)!r}" if name else "the default tenant"
