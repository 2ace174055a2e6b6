"""Colours that can be read on a dark and on a light background, whoever chose the palette.

On the palettes of xterm, GNOME, Windows and macOS, bright green, yellow and cyan have a contrast of
1.1 to 2.3 with a white background, and blue of 1.6 to 3.5 with a black one; bright blue of 2.4 at
least with both. White and black are worse.
"""

import io
import re

import pytest
from rich.console import Console

from eventstore import ConversationStore
from eventstore.cli.demo import show_demo
from eventstore.cli.listing import print_events

UNREADABLE = {"30", "34", "37", "90", "92", "93", "96", "97"}
"""Select Graphic Rendition: 30 to 37 the eight, 90 to 97 the bright ones."""


@pytest.fixture
def console():
    return Console(
        file=io.StringIO(), force_terminal=True, color_system="standard", width=100, highlight=False
    )


DIM = "2"
COLOURS = {str(code) for bright in (30, 90) for code in range(bright, bright + 8)}


def looks(console):
    """What is set together, each time that something is."""
    shown = re.findall(r"\x1b\[([\d;]*)m", console.file.getvalue())
    return {frozenset(codes.split(";")) for codes in shown}


def test_what_the_demo_and_its_log_show(console, database, monkeypatch):
    monkeypatch.setenv("PATH", "")  # its plot is shown like the rest, and takes longer
    show_demo(console, database)
    with ConversationStore.open(database) as store:
        print_events(console, store.events.read_all(), str)
    used = frozenset().union(*looks(console))
    assert {"35", "94"} <= used, "strings and keywords are not set apart"
    assert not used & UNREADABLE
    assert [look for look in looks(console) if DIM in look and look & COLOURS] == []
