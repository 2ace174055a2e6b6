"""A conversation as one HTML page that prints well and needs nothing else.

The words of users are hostile: each piece is escaped, loses the characters that steer, and keeps
its direction to itself. The page has no script and loads nothing, not even the images of messages,
whose addresses are shown instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.values import Message
from eventstore.core.safe_page import END, page_head, safe
from eventstore.exporters.outline import Entry, Stretch, outline
from eventstore.exporters.wording import leaves, notes, said, spoken_at, when

__all__ = ["html_page"]

_STYLE: Final = """\
body { font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: #fff;
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0; }
header p, section > p { color: var(--soft); margin: .25rem 0 1rem; overflow-wrap: anywhere; }
section { border-top: 2px solid var(--ink); margin-top: 2.5rem; padding-top: 1rem; }
article { border-left: 3px solid var(--line); padding: 0 0 0 .9rem; margin: 1.2rem 0;
  break-inside: avoid-page; }
article.user { border-color: #0b7285; }
article.assistant { border-color: #2b8a3e; }
article.tool { border-color: #e67700; }
article.system { border-color: #9c36b5; }
article h3 { font-size: .9rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h3 small { color: var(--soft); font-weight: 400; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.part { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0;
  font: 13px/1.5 ui-monospace, monospace; color: var(--soft); }
.others { font-size: .9rem; color: var(--soft); margin: -.6rem 0 1.2rem 1.1rem; }
:target { background: #fff8dc; }
@media print { body { font-size: 10.5pt; max-width: none; margin: 0; } }
"""


def html_page(state: ThreadState) -> Iterator[str]:
    """Yield the pieces of the page: the active path, then the branches."""
    layout = outline(state)
    thread = state.thread
    about = f"{thread.id} · version {state.version} · {when(thread.updated_at)}"
    if thread.forked_from is not None:
        about += f" · fork of {thread.forked_from.thread_id}"
    yield page_head(thread.title or "Conversation", about, _STYLE)
    if not state.tree.nodes and not state.queued:
        yield "<p>No messages.</p>\n"
    yield from _entries(layout.path)
    for branch in layout.branches:
        yield f'<section id="branch-{branch.name.lower()}">\n<h2>Branch {branch.name}</h2>\n'
        yield f"<p>Leaves {_linked(leaves(branch), branch)}.</p>\n"
        yield from _entries(branch)
        yield "</section>\n"
    if state.queued:
        yield "<section>\n<h2>Waiting until the run ends</h2>\n"
        for message in state.queued:
            yield from _message("", message, [])
        yield "</section>\n"
    yield END


def _linked(text: str, branch: Stretch) -> str:
    """Return where a branch leaves, with links to the messages there."""
    for number in (branch.after, branch.beside):
        if number:
            text = text.replace(f" {number}", f' <a href="#m{number}">{number}</a>')
    return text


def _entries(stretch: Stretch) -> Iterator[str]:
    for entry in stretch.entries:
        yield from _message(entry.number, entry.node.message, list(notes(entry.node)))
        if entry.others:
            yield f'<p class="others">Instead of {entry.number}: {_branches(entry)}</p>\n'


def _branches(entry: Entry) -> str:
    return ", ".join(f'<a href="#branch-{name.lower()}">branch {name}</a>' for name in entry.others)


def _message(number: str, message: Message, remarks: list[str]) -> Iterator[str]:
    place = f' id="m{number}"' if number else ""
    name = f" <bdi>{safe(message.name)}</bdi>" if message.name else ""
    lead = f"{number}. " if number else ""
    told = " · ".join(f"<bdi>{safe(one)}</bdi>" for one in (spoken_at(message), *remarks))
    yield f'<article class="{message.role}"{place}>\n'
    yield f"<h3>{lead}{message.role}{name} <small>{told}</small></h3>\n"
    for text, plain in said(message):
        kind = "text" if plain else "part"
        yield f'<div class="{kind}" dir="auto">{safe(text)}</div>\n'
    yield "</article>\n"
