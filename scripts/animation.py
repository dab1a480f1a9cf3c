"""An animated SVG of a terminal, made from one SVG for each of its frames.

An element that several frames in succession have is drawn once, in a group that is visible during these frames. The
animation needs no script, since none runs in a picture. Where animations are not shown, or the user wants none
(prefers-reduced-motion), the picture is one of its frames, the poster.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

#: The geometry of rich's SVG: the size of a cell, and where the text of the first row stands.
_COLUMN, _LINE, _BASE = 12.2, 24.4, 18.5
#: The terminal's window: margins beside and below the text, height of the title bar.
_MARGIN, _BAR = 12, 40
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

_STYLE = re.compile(r"\.terminal-\d+-(r\d+) \{ (.*?) \}")
_RECTANGLE = re.compile(
    r'<rect fill="(?P<fill>[^"]+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" width="(?P<width>[\d.]+)" '
    r'height="[\d.]+" shape-rendering="crispEdges"/>'
)
_TEXT = re.compile(
    r'<text class="terminal-\d+-(?P<style>r\d+)" x="(?P<x>[\d.]+)" y="[\d.]+" textLength="(?P<length>[\d.]+)" '
    r'clip-path="url\(#terminal-\d+-line-(?P<row>\d+)\)">(?P<text>[^<]*)</text>'
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen as rich draws it, its runs of text parted (screenshots.tidy), and for how long it is shown (seconds)."""

    svg: str
    seconds: float


def animate(frames: Sequence[Frame], *, poster: int, size: tuple[int, int], title: str) -> str:
    """Return the animation. `poster` is the index of a frame, `size` is in columns and lines."""
    classes: dict[str, str] = {}  # by what is declared in them
    screens = [_elements(frame.svg, classes) for frame in frames]
    backgrounds = _runs([rectangles for rectangles, _ in screens])
    texts = _runs([words for _, words in screens])
    whole = (0, len(frames))
    animated = sorted({*backgrounds, *texts} - {whole})
    width, height = size[0] * _COLUMN + 2 * _MARGIN, size[1] * _LINE + _BAR + _MARGIN
    times = [0.0, *accumulate(frame.seconds for frame in frames)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{title}</title>",
        "<style>",
        f"text{{font:20px {_FONTS};white-space:pre}}",
        *(f".{name}{{{declarations}}}" for declarations, name in classes.items()),
        f"g{{animation:{times[-1]:g}s step-end infinite}}",
        *(_keyframes(run, times) for run in animated),
        *(f".{_name(run)}{{visibility:hidden}}" for run in animated if not run[0] <= poster < run[1]),
        "@media (prefers-reduced-motion:reduce){g{animation:none!important}}",
        "</style>",
        f'<rect x="1" y="1" width="{width - 2:g}" height="{height - 2:g}" rx="8" fill="#292929" stroke="#868887"/>',
        *(
            f'<circle cx="{24 + 22 * i}" cy="22" r="7" fill="{c}"/>'
            for i, c in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        f'<svg x="{_MARGIN}" y="{_BAR}" overflow="visible">',
        *_groups(backgrounds, whole),
        *_groups(texts, whole),
        "</svg>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _elements(svg: str, classes: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the rectangles and the texts of a frame. Elements that look the same are the same in all frames."""
    styles = {name: css.replace(": ", ":").replace("; ", ";").rstrip("; ") for name, css in _STYLE.findall(svg)}
    rectangles = [
        f'<rect x="{found["x"]}" y="{found["y"]}" width="{found["width"]}" height="{_LINE}" fill="{found["fill"]}"/>'
        for found in _RECTANGLE.finditer(svg)
    ]
    words = []
    for found in _TEXT.finditer(svg):
        name = classes.setdefault(styles[found["style"]], f"s{len(classes)}")
        y = int(found["row"]) * _LINE + _BASE
        words.append(
            f'<text class="{name}" x="{found["x"]}" y="{y:g}" textLength="{found["length"]}">{found["text"]}</text>'
        )
    return rectangles, words


def _runs(frames: Sequence[Iterable[str]]) -> dict[tuple[int, int], list[str]]:
    """Return the elements by the frames that have them: the first of these, and the first one after them."""
    runs = defaultdict(list)
    since: dict[str, int] = {}
    for number, elements in enumerate(map(dict.fromkeys, [*frames, ()])):
        for element in [element for element in since if element not in elements]:
            runs[since.pop(element), number].append(element)
        for element in elements:
            since.setdefault(element, number)
    return runs


def _name(run: tuple[int, int]) -> str:
    return f"f{run[0]}-{run[1]}"


def _keyframes(run: tuple[int, int], times: Sequence[float]) -> str:
    first, end = (f"{100 * times[number] / times[-1]:.2f}%" for number in run)
    steps = [] if run[0] == 0 else ["0%{visibility:hidden}"]
    steps.append(f"{first}{{visibility:visible}}")
    if run[1] < len(times) - 1:
        steps.append(f"{end}{{visibility:hidden}}")
    return f"@keyframes {_name(run)}{{{''.join(steps)}}} .{_name(run)}{{animation-name:{_name(run)}}}"


def _groups(runs: dict[tuple[int, int], list[str]], whole: tuple[int, int]) -> Iterator[str]:
    for run in sorted(runs):
        elements = "\n".join(runs[run])
        yield elements if run == whole else f'<g class="{_name(run)}">\n{elements}\n</g>'
