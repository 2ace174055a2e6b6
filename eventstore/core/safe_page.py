"""The beginning and the escaping of HTML pages that show words of users.

The words are hostile. Each is escaped, loses the characters that steer, and stands in an element
that keeps its direction to itself. A page has no script, forbids all, and loads nothing.
"""

from __future__ import annotations

from html import escape
from typing import Final

from eventstore.core.steering import without_steering

__all__ = ["END", "page_head", "safe"]

_HEAD: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
:root {{ color-scheme: light; --ink: #1d2129; --soft: #5c6470; --line: #d9dde3; }}
{style}</style>
</head>
<body>
<header>
<h1><bdi>{title}</bdi></h1>
<p>{about}</p>
</header>
"""
END: Final = "</body>\n</html>\n"


def page_head(title: str, about: str, style: str) -> str:
    """Return a page up to its header; ``style`` is CSS of the library's own."""
    return _HEAD.format(title=safe(title), about=safe(about), style=style)


def safe(text: str) -> str:
    """Return text for an element or an attribute of a page."""
    return escape(without_steering(text), quote=True)
