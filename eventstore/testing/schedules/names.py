"""A set of names of events that may grow to millions: a byte for each, not a string.

Writers number their events, so most names are ``writer.number`` (see ``plan``). A set of strings
takes a hundred times as much, and there is one for each reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["Names"]


class Names:
    """The names that a reader received, or that a writer got acknowledged."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbered: dict[str, bytearray] = {}
        self._others: set[str] = set()
        self._count = 0
        for name in names:
            self.add(name)

    def add(self, name: str) -> bool:
        """Add a name; return whether it is new."""
        writer, _, digits = name.rpartition(".")
        if not (writer and digits.isdecimal()):
            new = name not in self._others
            self._others.add(name)
        else:
            row, number = self._numbered.setdefault(writer, bytearray()), int(digits)
            if number >= len(row):
                row.extend(bytes(number + 1 - len(row)))
            new = not row[number]
            row[number] = 1
        self._count += new
        return new

    def __contains__(self, name: str) -> bool:
        writer, _, digits = name.rpartition(".")
        if not (writer and digits.isdecimal()):
            return name in self._others
        row, number = self._numbered.get(writer, b""), int(digits)
        return number < len(row) and bool(row[number])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        yield from sorted(self._others)
        for writer, row in self._numbered.items():
            yield from (f"{writer}.{number}" for number, there in enumerate(row) if there)

    def without(self, others: Names) -> Iterator[str]:
        """Return the names that are not among the others."""
        yield from sorted(self._others - others._others)
        for writer, row in self._numbered.items():
            theirs = others._numbered.get(writer, bytearray()).ljust(len(row), b"\0")
            if row != theirs:  # millions compare quickly; only here are they looked at one by one
                for number, (there, with_them) in enumerate(zip(row, theirs, strict=False)):
                    if there and not with_them:
                        yield f"{writer}.{number}"
