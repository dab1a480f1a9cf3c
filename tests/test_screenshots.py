"""The pictures of the documents: current, and the animation of the README shows each frame in its time."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from scripts.animation import Frame, animate
from scripts.screenshots import ANIMATION, PICTURES, TEXTS, drawn_with, tidy

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SVG = "{http://www.w3.org/2000/svg}"
NAMES = (*(picture.name for picture in PICTURES), ANIMATION)


def screen(*lines: str) -> str:
    console = Console(width=20, height=4, file=io.StringIO(), record=True, force_terminal=True)
    for line in lines:
        console.print(line)
    return tidy(console.export_svg(title=""))


@pytest.fixture(scope="module")
def animation() -> str:
    """Three frames, shown for 1, 2 and 1 seconds. The second is the poster."""
    screens = (screen("same", "first"), screen("same", "second"), screen("same", "third"))
    frames = [Frame(svg, seconds) for svg, seconds in zip(screens, (1, 2, 1), strict=True)]
    return animate(frames, poster=1, size=(20, 4), title="three")


def groups(svg: str) -> dict[str | None, list[str]]:
    """The texts of a picture by the class of the group they are in."""
    (inner,) = ElementTree.fromstring(svg).findall(f"{SVG}svg")
    found: dict[str | None, list[str]] = {}
    for element in inner:
        texts = [element] if element.tag == f"{SVG}text" else element.findall(f"{SVG}text")
        found.setdefault(element.get("class") if element.tag == f"{SVG}g" else None, []).extend(
            "".join(text.itertext()) for text in texts
        )
    return found


@pytest.mark.timeout(300)
def test_pictures_are_current(tmp_path: Path) -> None:
    if drawn_with() not in (IMAGES / f"{ANIMATION}.svg").read_text(encoding="utf-8"):
        pytest.skip("the pictures were drawn with other versions of Textual and Rich")
    drawing = [sys.executable, "-m", "scripts.screenshots", str(tmp_path)]
    subprocess.run(drawing, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    names = [*(f"{name}.svg" for name in NAMES), *(f"{text.name}.txt" for text in TEXTS)]
    current = {name: (IMAGES / name).read_bytes() for name in names}
    assert [name for name in current if drawn.get(name) != current[name]] == [], "run: make screenshots"
    assert drawn.keys() == current.keys()


@pytest.mark.parametrize("name", NAMES)
def test_documents_show_each_picture(name: str) -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = [document for document in documents if f"images/{name}.svg)" in document.read_text(encoding="utf-8")]
    assert shown


def test_the_animation_is_small_and_needs_nothing_from_elsewhere() -> None:
    svg = (IMAGES / f"{ANIMATION}.svg").read_text(encoding="utf-8")
    assert len(svg.encode()) < 300_000
    assert "url(" not in svg
    assert "href" not in svg
    assert "<script" not in svg


def test_an_element_is_drawn_once_for_all_its_frames(animation: str) -> None:
    assert groups(animation) == {None: ["same"], "f0-1": ["first"], "f1-2": ["second"], "f2-3": ["third"]}


def test_each_frame_is_visible_in_its_time(animation: str) -> None:
    assert "g{animation:4s step-end infinite}" in animation
    keyframes = dict(re.findall(r"@keyframes (\S+?)\{(.*?\})\}", animation))
    assert keyframes == {
        "f0-1": "0.00%{visibility:visible}25.00%{visibility:hidden}",
        "f1-2": "0%{visibility:hidden}25.00%{visibility:visible}75.00%{visibility:hidden}",
        "f2-3": "0%{visibility:hidden}75.00%{visibility:visible}",
    }
    assert set(re.findall(r"\.(\S+)\{animation-name:\1\}", animation)) == set(keyframes)


def test_without_animations_the_poster_is_visible(animation: str) -> None:
    assert set(re.findall(r"\.(f\S+)\{visibility:hidden\}", animation)) == {"f0-1", "f2-3"}
    assert "@media (prefers-reduced-motion:reduce){g{animation:none!important}}" in animation
