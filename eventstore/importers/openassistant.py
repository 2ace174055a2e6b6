"""Reads conversation trees of the Open Assistant project into drafts for the store.

The command line calls this, and any application with such a file may. Pure: lines in, trees out.
Every field of a line is checked before its tree is returned, with the store's own checks, so
``threads.create`` and ``messages.create_many`` accept every returned tree.

Every id and idempotency key is derived from the ids in the file. So importing a file twice adds
nothing, and running an interrupted import again finishes it.

The path through the best-ranked answers becomes the active one: the head follows the readers'
votes, not the last message of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from eventstore.conversation.events import MessageContent
from eventstore.core import codec, ids
from eventstore.core.events import microseconds
from eventstore.core.json_values import NAME_MAX, Limits, check_name, check_object, check_text
from eventstore.errors import InvalidInput

__all__ = ["ImportedTree", "read_trees"]

_SOURCE: Final = "openassistant"
_ROLES: Final[Mapping[str, str]] = {"prompter": "user", "assistant": "assistant"}
_ID_MAX: Final = NAME_MAX - len(_SOURCE) - len("::messages")
"""Keeps keys made of a tree's id within the maximum length of keys."""
_OWN_PLACE: Final = {"message_id", "parent_id", "role", "text", "created_date", "replies"}
"""Fields that have a place of their own in the store; every other one is kept as metadata."""


class ImportedTree(NamedTuple):
    """One conversation of the file."""

    line: int
    """Line number in the file, from 1."""
    idempotency_key: str
    """Key for ``threads.create``; the thread's id is derived from it."""
    messages_key: str
    """Key for ``messages.create_many``."""
    metadata: dict[str, Any]
    """Metadata of the thread."""
    messages: list[dict[str, Any]]
    """Arguments of ``messages.create``: each after its parent, siblings in the file's order."""


class _Found(NamedTuple):
    """A message of the file: its path there, its object, and its parent's id."""

    place: str
    fields: Mapping[str, Any]
    parent: str | None
    on_best_path: bool


def read_trees(
    lines: Iterable[str | bytes], limits: Limits | None = None
) -> Iterator[ImportedTree]:
    """Yield the tree of each line that is not blank.

    Raises:
        InvalidInput: naming line and field, for example ``line 3, prompt.replies[0].role``. Never
            quotes a message's text.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _tree(number, line, limits or Limits())
            except InvalidInput as error:
                place = f"line {number}" + (f", {error.field}" if error.field else "")
                raise InvalidInput(place, error.problem, error.remedy) from None


def _tree(number: int, line: str | bytes, limits: Limits) -> ImportedTree:
    found = _decoded(line)
    tree_id = _text(found, "message_tree_id", "", _ID_MAX)
    prompt = _object(found.get("prompt"), "prompt")
    messages = [_message(tree_id, one, limits) for one in _flattened(prompt, limits)]
    rest = {name: value for name, value in found.items() if name != "prompt"}
    key = f"{_SOURCE}:{tree_id}"
    metadata = _metadata({**rest, "source": _SOURCE}, "", limits)
    return ImportedTree(number, key, f"{key}:messages", metadata, messages)


def _decoded(line: str | bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except RecursionError:
        raise InvalidInput("", "is nested too deeply", "Leave the tree out.") from None
    except ValueError as error:
        # The decoder's own message may quote the line, so the error gives only the position.
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput(
            "", f"is not JSON in UTF-8{place}", "Each line holds one tree as a JSON object."
        ) from None
    return _object(found, "")


def _flattened(prompt: Mapping[str, Any], limits: Limits) -> list[_Found]:
    """Return every message of a tree, parents first, siblings in order; a stack, for any depth."""
    made: list[_Found] = []
    seen: set[str] = set()
    waiting = [_Found("prompt", prompt, None, on_best_path=True)]
    while waiting:
        one = waiting.pop()
        name = _text(one.fields, "message_id", one.place, _ID_MAX)
        if name in seen:
            raise InvalidInput(f"{one.place}.message_id", "appears twice in the tree", _REMEDY)
        seen.add(name)
        made.append(one)
        waiting.extend(reversed(_replies(one, name)))
        if len(made) > limits.batch_size_max:
            most = limits.batch_size_max
            raise InvalidInput(
                "prompt", f"has more than {most} messages", "Split the tree, or leave it out."
            )
    return made


def _replies(above: _Found, name: str) -> list[_Found]:
    place = f"{above.place}.replies"
    replies = above.fields.get("replies")
    if replies is None:
        return []
    if not isinstance(replies, list):
        raise InvalidInput(place, f"expected a list, got {type(replies).__name__}", _REMEDY)
    objects = [_object(reply, f"{place}[{index}]") for index, reply in enumerate(replies)]
    best = _best(objects)
    return [
        _Found(f"{place}[{index}]", reply, name, above.on_best_path and index == best)
        for index, reply in enumerate(objects)
    ]


def _best(replies: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the reply that readers ranked first; the first reply if none is ranked."""
    ranked = [
        (rank, index)
        for index, reply in enumerate(replies)
        if isinstance(rank := reply.get("rank"), int)
    ]
    return min(ranked)[1] if ranked else (0 if replies else None)


def _message(tree_id: str, found: _Found, limits: Limits) -> dict[str, Any]:
    place, fields, parent = found.place, found.fields, found.parent
    name = _text(fields, "message_id", place, _ID_MAX)
    if fields.get("parent_id", parent) != parent:
        raise InvalidInput(f"{place}.parent_id", "is not the id of the message above it", _REMEDY)
    rest = {key: value for key, value in fields.items() if key not in _OWN_PLACE}
    text, metadata = _text(fields, "text", place), _metadata(rest, place, limits)
    _check_size(MessageContent(parts=[text], metadata=metadata, external_id=name), place, limits)
    return {
        "message_id": _message_id(tree_id, name),
        "parent_id": None if parent is None else _message_id(tree_id, parent),
        "role": _role(fields, place),
        "content": text,
        "external_id": name,
        "original_created_at": _moment(fields.get("created_date"), f"{place}.created_date"),
        "metadata": metadata,
        "select": found.on_best_path,
    }


def _message_id(tree_id: str, name: str) -> str:
    return ids.show(ids.MESSAGE, ids.derived(_SOURCE, tree_id, name))


def _role(fields: Mapping[str, Any], place: str) -> str:
    role = _text(fields, "role", place)
    if role not in _ROLES:
        raise InvalidInput(f"{place}.role", "is unknown", f"It is one of {', '.join(_ROLES)}.")
    return _ROLES[role]


def _check_size(content: MessageContent, place: str, limits: Limits) -> None:
    size = len(codec.encode(content))
    if size > limits.content_bytes_max:
        raise InvalidInput(
            place,
            f"has {size} bytes, {limits.content_bytes_max} are allowed",
            "Raise limits.content_bytes_max, or leave the tree out.",
        )


def _moment(value: object, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(check_text(value, field))
    except ValueError:
        raise InvalidInput(
            field, "is not a time", "Write it like 2023-02-05T14:23:50+00:00."
        ) from None
    microseconds(moment, field)
    return moment


def _metadata(value: Mapping[str, Any], place: str, limits: Limits) -> dict[str, Any]:
    try:
        checked = check_object(value, place, limits)
    except InvalidInput as error:
        raise InvalidInput(error.field.removeprefix("."), error.problem, error.remedy) from None
    size = len(codec.encode(checked))
    if size > limits.metadata_bytes_max:
        raise InvalidInput(
            place,
            f"has {size} bytes besides its text, {limits.metadata_bytes_max} are allowed",
            "Raise limits.metadata_bytes_max, or leave the tree out.",
        )
    return checked


# -- fields ----------------------------------------------------------------------------------------

_REMEDY: Final = "See the format of the Open Assistant project's tree exports."


def _object(value: object, field: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    problem = "is missing" if value is None else f"expected an object, got {type(value).__name__}"
    raise InvalidInput(field, problem, _REMEDY)


def _text(
    fields: Mapping[str, Any], name: str, place: str, characters_max: int | None = None
) -> str:
    """Return checked text; with ``characters_max``, a checked name."""
    field = f"{place}.{name}" if place else name
    if fields.get(name) is None:
        raise InvalidInput(field, "is missing", _REMEDY)
    if characters_max is not None:
        return check_name(fields[name], field, characters_max)
    text = check_text(fields[name], field)
    if not text:
        raise InvalidInput(field, "is empty", _REMEDY)
    return text
