"""Describes messages and events in words, for the tree, the path, the log and the replay."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

from rich.console import Console
from rich.text import Text

from eventstore import (
    DataPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    RecordedEvent,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.cli.output import one_line, print_indented, safe, when, with_remark
from eventstore.conversation.content import parse
from eventstore.conversation.parts import Part
from eventstore.core import ids

__all__ = [
    "arguments_text",
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
    return one_line(" ".join(_part_text(part) for part in message.content))


def _part_text(part: Part) -> str:
    match part:
        case TextPart() | RefusalPart():
            said = part.text
        case ReasoningPart():
            said = f"(thinks) {part.text}"
        case ToolCallPart():
            said = f"calls {part.name}({arguments_text(part.arguments)})"
        case ToolResultPart():
            state = "" if part.status == "completed" else f" ({part.status})"
            said = f"{part.call_id}{state} → {_json(part.output)}"
        case ImagePart():
            said = f"[image {_address(part.url or part.file_id or '')}]"
        case FilePart():
            said = f"[file {part.name or _address(part.file_id)}]"
        case DataPart():
            said = _json(part.data)
        case _:
            assert_never(part)
    return said


def _address(address: str) -> str:
    """Return an address; of one that holds the bytes themselves, their type and size."""
    if not address.startswith("data:"):
        return address
    kind, _, held = address.removeprefix("data:").partition(",")
    media_type, *_ = kind.split(";")
    size = len(held) * 3 // 4 if kind.endswith(";base64") else len(held)
    return f"{media_type or 'text/plain'}, {max(1, size // 1000):,} kB"


def arguments_text(arguments: object) -> str:
    """Return the arguments of a tool call, as a Python programmer writes them."""
    if not isinstance(arguments, Mapping):
        return "" if arguments is None else _json(arguments)
    return ", ".join(f"{name}={_json(value)}" for name, value in arguments.items())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


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
    text = "\n".join(_part_text(part) for part in message.content) or "(erased)"
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
    say = _SAID.get(event.type)
    said = say(event.data, event.content or {}) if say else _other(event.data)
    reason = (event.content or {}).get("reason")
    return one_line(said + (f" (reason: {reason})" if isinstance(reason, str) else ""))


def _other(data: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_json(value)}" for name, value in data.items())


def _parts(content: Mapping[str, Any]) -> str:
    stored = content.get("parts")
    if not stored:
        return "(erased)"
    return " ".join(_part_text(part) for part in parse(stored, _DEPTH_MAX))


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
    return " ".join([*said, *(f"{name}={_json(value)}" for name, value in names.items())])


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
    return f"{short_id(data['message_id'])}: content of version {versions}"


_WORDINGS: Final = (
    (_titled, "ThreadCreated ThreadUpdated"),
    (_forked, "ThreadForked"),
    (_begun, "MessageBegun"),
    (_born, "MessageAdded MessageQueued MessageEdited MessageRegenerated"),
    (_amended, "MessageAmended"),
    (_one_message, "MessageUpdated MessageRemoved MessageRestored"),
    (_selected, "BranchSelected"),
    (_labelled, "BranchLabelled"),
    (_run, "RunQueued RunStarted RunTakenOver RunActionRequired ToolOutputsSubmitted"),
    (_run, "RunCancelling RunCancelled RunCompleted RunIncomplete RunFailed RunExpired"),
    (_run, "RunUpdated RunStepStarted RunStepCompleted RunStepFailed"),
    (_erased, "ContentErased"),
)
_Wording: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], str]
_SAID: Final[Mapping[str, _Wording]] = {
    name: wording for wording, names in _WORDINGS for name in names.split()
}
