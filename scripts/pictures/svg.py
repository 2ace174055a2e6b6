"""The few shapes that the pictures are made of, readable on a light and on a dark page."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
  .paper { fill: #ffffff; stroke: #d0d7de; }
  .word { font-size: 13px; fill: #1f2328; }
  .role, .note { font-size: 11px; fill: #57606a; }
  .other .word { fill: #6e7781; }
  .big { font-size: 15px; font-weight: 600; fill: #1f2328; }
  .card { fill: #f6f8fa; stroke: #afb8c1; }
  .active .card { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.5; }
  .new .card { fill: #dafbe1; stroke: #1a7f37; stroke-width: 1.5; }
  .line { fill: none; stroke: #afb8c1; stroke-width: 1.5; }
  .line.active { stroke: #0969da; stroke-width: 2.5; }
  .tip { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; stroke: #30363d; }
    .word { fill: #e6edf3; }
    .role, .note { fill: #9198a1; }
    .other .word { fill: #9198a1; }
    .big { font-size: 15px; font-weight: 600; fill: #1f2328; }
  .card { fill: #161b22; stroke: #3d444d; }
    .active .card { fill: #10233d; stroke: #58a6ff; }
    .new .card { fill: #12261e; stroke: #3fb950; }
    .line { stroke: #3d444d; }
    .line.active { stroke: #58a6ff; }
    .tip { fill: #58a6ff; }
  }
"""


class Spot(NamedTuple):
    """A place in the picture, or a size."""

    x: float
    y: float


def svg(width: float, height: float, title: str, described: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img">\n'
        f"<title>{escape(title)}</title>\n<desc>{escape(described)}</desc>\n"
        f"<style>{STYLE}</style>\n"
        f'<rect class="paper" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}"'
        f' rx="8"/>\n{body}\n</svg>\n'
    )


def group(name: str, *parts: str) -> str:
    return f'<g class="{name}">{"".join(parts)}</g>'


def box(left: float, top: float, width: float, height: float) -> str:
    at = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"'
    return f'<rect class="card" {at} rx="6"/>'


def text(left: float, line: float, name: str, words: str) -> str:
    return f'<text class="{name}" x="{left:g}" y="{line:g}">{escape(words)}</text>'
