"""Reads the docstrings for the documentation site, and takes out the marks that it does not need.

The docstrings are written for ``help()``, where ``::`` marks an example and ``:meth:`` a method.
The site shows what is indented as code anyway.
"""

from __future__ import annotations

import re
from typing import Any

import griffe  # type: ignore[import-not-found]  # only the environment of the site has it

MARK = re.compile(r"^::\n\n|(?<=:):$", re.MULTILINE)
ROLE = re.compile(r":(?:meth|class|func|mod):`~?([^`]+)`")


class PlainDocstrings(griffe.Extension):  # type: ignore[misc]  # as above
    """Takes the marks out of each docstring."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401
        """Change one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(r"`\1`", MARK.sub("", obj.docstring.value))
