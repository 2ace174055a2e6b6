"""Web search as a plug-in: its description ships with the library, its address does not.

Searching the web is a service of whoever offers it. The description says what this library sends
and takes; ``server=`` says where.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from importlib.resources import files

from eventstore.engine.tools.plugins.description import Auth
from eventstore.engine.tools.plugins.plugin import Credentials, Plugin

__all__ = ["quark_search"]


def quark_search(
    server: str,
    *,
    credentials: Credentials | None = None,
    auth: Auth | None = None,
    id: str = "quark_search",
    allow_private: Collection[str] = (),
) -> Plugin:
    """Return the plug-in of a search at ``server``; ``quark_search`` also answers to ``search``."""
    text = (files(__package__) / "quark_search.json").read_text(encoding="utf-8")
    plugin = Plugin(
        id,
        json.loads(text),
        server=server,
        credentials=credentials,
        auth=auth,
        allow_private=allow_private,
    )
    plugin.aliases = ("search",) if id == "quark_search" else ()
    return plugin
