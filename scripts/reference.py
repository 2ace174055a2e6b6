"""Reads the source for the reference of the documentation site, and leaves out what tells nothing.

The docstrings are written for ``help()``, where ``::`` marks an example and ``:meth:`` a method.
The site shows what is indented as code anyway. ``Unshown`` keeps words out of a ``repr``; the type
of the field is what stands in it.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

MARK = re.compile(r"^::\n\n|(?<=:):$", re.MULTILINE)
ROLE = re.compile(r":(?:meth|class|func|mod):`~?([^`]+)`")


class Reference(griffe.Extension):  # type: ignore[misc]  # has no types where it is not installed
    """Changes docstrings and types as they are read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401
        """Take the marks out of a docstring."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(r"`\1`", MARK.sub("", obj.docstring.value))

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:  # noqa: ANN401
        """Show ``str`` for ``Unshown[str]``."""
        kind = attr.annotation
        if isinstance(kind, griffe.ExprSubscript) and str(kind.left) == "Unshown":
            attr.annotation = kind.slice
