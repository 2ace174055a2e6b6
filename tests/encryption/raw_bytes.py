"""Looks for the words of a store in the bytes of its files."""

from pathlib import Path

import msgspec

SHORTEST = 5
"""Shorter ones are found in any large file."""


def words_of(store):
    """Return every text that stands only in the content of events, whole and in words."""
    said, structure = set(), set()
    for event in store.events.read_all():
        said |= texts(event.content)
        structure |= texts(event.data) | texts(event.metadata) | {event.type}
    kept = "\n".join(structure)
    parts = {part for text in said for part in (text, *text.split())}
    return {one for one in parts if len(one) >= SHORTEST and one not in kept}


def texts(value):
    """Return the texts, keys included, in a JSON value."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, bytes):
        return {value.decode("utf-8", "replace")}
    if isinstance(value, dict):
        return {text for pair in value.items() for one in pair for text in texts(one)}
    if isinstance(value, (list, tuple)):
        return {text for one in value for text in texts(one)}
    return texts(msgspec.to_builtins(value)) if isinstance(value, msgspec.Struct) else set()


def found_in(folder, words):
    """Return the words that stand in a file of a folder, each with the file."""
    found = set()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            found |= {(path.name, word) for word in words if word.encode() in raw}
    return found
