"""Describes messages and events in words, for the tree, the path, the log and the replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from rich.console import Console
from rich.text import Text

from eventstore import Message, RecordedEvent
from eventstore.cli.output import one_line, print_indented, safe, when, with_remark
from eventstore.conversation.content import parse
from eventstore.conversation.part_text import json_text, part_text
from eventstore.core import ids

__all__ = [
    "event_summary",
    "message_line",
    "notes",
    "print_message",
    "print_waiting",
    "role_style",
    "short_id",
    "summary",
]

_ROLE_STYLES: Final[Mapping[str, str]] = {
    "user": "cyan",
    "assistant": "green",
    "tool": "yellow",
    "system": "magenta",
}
_DEPTH_MAX: Final = 64
_THREAD_DIGITS: Final = 16


def role_style(role: str) -> str:
    """Return the colour of a role's name."""
    return _ROLE_STYLES.get(role, "default")


def short_id(text: str | None) -> str:
    """Return an id in a short form that commands accept: ``msg…3f2a9c``, ``019ab37c0f2e7d4c``.

    The last digits of a message's id are random, so they distinguish the messages of a thread. The
    beginning of its id finds a thread.
    """
    if text is None:
        return ""
    kind, _, digits = text.partition("_")
    return digits[:_THREAD_DIGITS] if kind == ids.THREAD else f"{kind}…{text[-6:]}"


# -- messages --------------------------------------------------------------------------------------


def summary(message: Message) -> str:
    """Return a message as one line."""
    if message.erased:
        return "(erased)"
    return one_line(" ".join(part_text(part) for part in message.content))


def message_line(
    message: Message, width: int, place: Callable[[Message], str] | None = None
) -> Text:
    """Return a message as one line: role and text, with notes at its right end.

    ``place`` says in other words where it stands among its siblings.
    """
    line = Text(f"{message.role:<11}", style=role_style(message.role))
    line.append(summary(message), style="default")
    said = notes(message)
    if place is not None and message.sibling_count > 1:
        said[0] = place(message)
    remark = " · ".join(said)
    return with_remark(line, remark, width, "dim default")  # a dim colour is faint on white


def print_message(console: Console, message: Message, label: str | None = None) -> None:
    """Print a whole message: role, time, place among siblings, and every part."""
    head = Text(message.role, style=f"bold {role_style(message.role)}")
    if message.name:
        head.append(f" {safe(message.name)}")
    quiet = "not bold dim default"
    head.append(f"  {when(message.original_created_at or message.created_at)}", style=quiet)
    for note in notes(message, label):
        head.append(f"  {note}", style=quiet)
    console.print(head)
    text = "\n".join(part_text(part) for part in message.content) or "(erased)"
    print_indented(console, Text(safe(text)), 2)
    console.print()


def print_waiting(console: Console, messages: Sequence[Message]) -> None:
    """Print the messages that wait until a run ends, separate from the path before them."""
    if not messages:
        return
    console.print(Text("waiting until the run ends", style="yellow"))
    console.print()
    for message in messages:
        print_message(console, message)


def notes(message: Message, label: str | None = None) -> list[str]:
    """Return the notes about a message, such as its place among siblings."""
    found = []
    if message.sibling_count > 1:
        found.append(f"{message.sibling_index} of {message.sibling_count}")
    if message.revision:
        found.append(f"amended {message.revision}x")
    if message.status != "completed":
        found.append(message.status)
    if message.origin is not None:
        found.append("inherited")
    if label is not None:
        found.append(f'"{one_line(label, 40)}"')
    return found


# -- events ----------------------------------------------------------------------------------------


def event_summary(event: RecordedEvent) -> str:
    """Return the summary of an event, as one line."""
    said = _wording(event)(event.data, event.content or {})
    reason = (event.content or {}).get("reason")
    return one_line(said + (f" (reason: {reason})" if isinstance(reason, str) else ""))


def _wording(event: RecordedEvent) -> _Wording:
    """Choose a wording: that of its type, or the one for events with such fields."""
    if event.stream_id.partition("_")[0] != ids.THREAD:
        return _other  # an application's own types may have any name, and any fields
    if event.type in _WORDINGS:
        return _WORDINGS[event.type]
    fields = (("role", _born), ("message_id", _one_message), ("run_id", _run))
    return next((wording for field, wording in fields if field in event.data), _other)


def _other(data: Mapping[str, Any], _: object) -> str:
    return " ".join(f"{name}={json_text(value)}" for name, value in data.items())


def _parts(content: Mapping[str, Any]) -> str:
    stored = content.get("parts")
    if not stored:
        return "(erased)"
    return " ".join(part_text(part) for part in parse(stored, _DEPTH_MAX))


def _born(data: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    said = f"{short_id(data['message_id'])} {data['role']}:"
    if "queued_version" in data:
        return f"{said} leaves the queue (see version {data['queued_version']})"
    said += " (interrupted)" if data.get("interrupted") else ""
    return f"{said} {_parts(content)}"


def _begun(data: Mapping[str, Any], _: object) -> str:
    return f"{short_id(data['message_id'])} is written by {short_id(data['run_id'])}"


def _titled(_: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    said = [str(content["title"])] if content.get("title") else []
    names = content.get("metadata") or {}
    return " ".join([*said, *(f"{name}={json_text(value)}" for name, value in names.items())])


def _forked(data: Mapping[str, Any], _: object) -> str:
    source, message = short_id(data["source_id"]), short_id(data["message_id"])
    return f"from {source} at {message}, version {data['source_version']}"


def _one_message(data: Mapping[str, Any], _: object) -> str:
    return short_id(data["message_id"])


def _amended(data: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    return f"{short_id(data['message_id'])}: {_parts(content)}"


def _selected(data: Mapping[str, Any], _: object) -> str:
    return f"head is {short_id(data.get('head')) or 'none'}"


def _labelled(data: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    label = "no label" if data.get("cleared") else f'"{content.get("label") or "(erased)"}"'
    return f"{short_id(data['message_id'])} {label}"


def _run(data: Mapping[str, Any], _: object) -> str:
    said = [short_id(data["run_id"])]
    said += [str(data[name]) for name in ("model", "type", "reason", "code") if data.get(name)]
    said += [f"calls {', '.join(data['calls'])}"] if data.get("calls") else []
    usage = data.get("usage") or {}
    return " ".join(said + [f"{name}={count}" for name, count in usage.items()])


def _erased(data: Mapping[str, Any], _: object) -> str:
    versions = ", ".join(map(str, data["versions"]))
    about = short_id(data.get("message_id")) or ("everything" if data.get("whole") else "a person")
    return f"{about}: content of version {versions}"


_Wording: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], str]
_WORDINGS: Final[Mapping[str, _Wording]] = {
    "ThreadCreated": _titled,
    "ThreadUpdated": _titled,
    "ThreadForked": _forked,
    "MessageBegun": _begun,
    "MessageAmended": _amended,
    "BranchSelected": _selected,
    "BranchLabelled": _labelled,
    "ContentErased": _erased,
}
"""Wordings of types that say more than the thing that they are about."""
