"""Writes a trail as one HTML page that prints well and needs nothing else.

The words of users are hostile. Each is escaped, loses the characters that steer, and stands in an
element that keeps its direction to itself. The page has no script, and forbids all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from eventstore.audit.trail_text import deed, shown
from eventstore.audit.trail_values import TrailEntry
from eventstore.core.safe_page import END, page_head, safe

__all__ = ["trail_page"]

_EVENT: Final = re.compile(r"evt_[0-9a-f]{32}\Z")
_STYLE: Final = """\
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff;
  max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; padding-bottom: .25rem;
  border-bottom: 2px solid var(--ink); }
header p, footer { color: var(--soft); margin: .25rem 0; overflow-wrap: anywhere; }
article { display: grid; grid-template-columns: 5.5rem 1fr; gap: 0 1rem; padding: .6rem 0;
  border-bottom: 1px solid var(--line); break-inside: avoid; }
article:target { background: #fff8dc; }
time { color: var(--soft); font-variant-numeric: tabular-nums; }
.deed b { font-weight: 600; }
.ids, .ids a { color: var(--soft); font: 12px/1.5 ui-monospace, monospace;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .75rem;
  margin: .35rem 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
del, ins, p.said { display: block; text-decoration: none; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 0; padding: .1rem .5rem; border-left: 3px solid; }
p.said { border-color: var(--line); }
del { background: #fdeeee; border-color: #b3261e; }
ins { background: #edf7ee; border-color: #1b7a35; }
del::before { content: "\\2212\\00a0"; }
ins::before { content: "+\\00a0"; }
@media print {
  body { font-size: 10.5pt; max-width: none; margin: 0; }
  del, ins { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  a { text-decoration: none; }
}
"""


def trail_page(entries: Iterable[TrailEntry], *, title: str, about: str = "") -> Iterator[str]:
    """Yield the pieces of a page that shows entries in their order, one entry at a time."""
    yield page_head(title, about, _STYLE)
    day, count = "", 0
    for entry in entries:
        today = f"{entry.recorded_at.astimezone(UTC):%Y-%m-%d} (UTC)"
        if today != day:
            yield f"<h2>{today}</h2>\n"
            day = today
        yield from _article(entry)
        count += 1
    yield f"<footer><p>{count} {'entry' if count == 1 else 'entries'}.</p></footer>\n"
    yield END


def _article(entry: TrailEntry) -> Iterator[str]:
    moment = entry.recorded_at.astimezone(UTC)
    yield f'<article id="{safe(entry.event_id)}">\n{_time(moment)}\n<div>\n'
    actor = f"<b><bdi>{safe(entry.actor)}</bdi></b>" if entry.actor else "somebody"
    yield f'<div class="deed">{actor} {safe(deed(entry))}</div>\n'
    fields = list(shown(entry))
    if fields:
        yield "<dl>\n"
        for name, before, after in fields:
            sides = _side("del", before) + _side("ins" if before is not None else "p", after)
            yield f"<dt>{safe(name)}</dt><dd>{sides}</dd>\n"
        yield "</dl>\n"
    yield f'<div class="ids">{_ids(entry)}</div>\n</div>\n</article>\n'


def _time(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%H:%M:%S}</time>'


def _side(element: str, said: str | None) -> str:
    if said is None:
        return ""
    opened = 'p class="said"' if element == "p" else element
    return f"<{opened}><bdi>{safe(said)}</bdi></{element}>"


def _ids(entry: TrailEntry) -> str:
    said = [f"{safe(entry.about)}", f"version {entry.version} of {safe(entry.stream_id)}"]
    if entry.causation_id is not None:
        said.append(f"caused by {_linked(entry.causation_id)}")
    if entry.correlation_id is not None:
        said.append(f"correlation <bdi>{safe(entry.correlation_id)}</bdi>")
    return " · ".join([*said, safe(entry.event_id)])


def _linked(causation_id: str) -> str:
    text = safe(causation_id)
    is_event = _EVENT.match(causation_id)
    return f'<a href="#{text}">{text}</a>' if is_event else f"<bdi>{text}</bdi>"
