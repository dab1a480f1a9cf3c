"""The comparison as a picture: at each kind of work a bar for each program, beside that of the slowest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from benchmarks.clients import OURS
from benchmarks.results import Line, Range

_WIDTH, _LEFT, _RIGHT = 860, 190, 150
_BAR, _GAP, _SECTION = 16, 3, 34

#: Readers with a dark screen see it dark. Ours is told from the others by its colour and by its bold name.
_STYLE: Final = """
  text { font: 12px sans-serif; fill: #24292f }
  .work { font-weight: bold; font-size: 13px }
  .ours { font-weight: bold }
  rect.paper { fill: #ffffff }
  rect.bar { fill: #8c959f }
  rect.bar.ours { fill: #0969da }
  .spread { stroke: #24292f; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    rect.paper { fill: #0d1117 }
    rect.bar { fill: #6e7681 }
    rect.bar.ours { fill: #4493f8 }
    .spread { stroke: #e6edf3 }
  }
"""


def chart(found: Sequence[Line]) -> str:
    """Return an SVG of all rows in which ours is compared with others. Each row has a scale of its own, from 0."""
    parts: list[str] = []
    y = 40.0
    for _, group in groupby(found, key=lambda line: line.work.name):
        row = [(line, line.seconds) for line in group if line.seconds is not None]
        if all(line.client.startswith(OURS) for line, _ in row):
            continue
        longest = max(seconds.high for _, seconds in row)
        y += _SECTION - 14
        parts.append(f'<text class="work" x="12" y="{y:.0f}">{escape(row[0][0].work.what)}</text>')
        y += 8
        for line, seconds in row:
            parts += _bar(line, seconds, y, (_WIDTH - _LEFT - _RIGHT) / longest)
            y += _BAR + _GAP
        y += 6
    height = y + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" role="img">\n'
        f"<title>Seconds to retrieve mail, by program</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="paper" width="{_WIDTH}" height="{height:.0f}" rx="6"/>\n'
        '<text x="12" y="24">Seconds: median, and a line from the lowest to the highest. Shorter is better; '
        "each kind of work has its own scale.</text>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(line: Line, seconds: Range, y: float, scale: float) -> Iterator[str]:
    """The bar with its two texts; `scale` is the width of a second."""
    kind = " ours" if line.client.startswith(OURS) else ""
    low, high = _LEFT + seconds.low * scale, _LEFT + seconds.high * scale
    middle = y + _BAR / 2
    text = f'<text class="{kind.strip()}" y="{y + 12:.0f}"'
    yield f'{text} x="{_LEFT - 8}" text-anchor="end">{escape(line.client)}</text>'
    yield f'<rect class="bar{kind}" x="{_LEFT}" y="{y:.0f}" width="{seconds.median * scale:.1f}" height="{_BAR}"/>'
    yield f'<line class="spread" x1="{low:.1f}" y1="{middle:.0f}" x2="{high:.1f}" y2="{middle:.0f}"/>'
    share = f", {1 / line.share.median:.2g} × ours" if line.share else ""
    yield f'{text} x="{high + 6:.1f}">{seconds.median:.2f} s{share}</text>'
