"""The themes of the dashboard and of the transcript viewer, and the colours in which they draw.

Widgets that draw themselves use four of the terminal's colours by their meaning (widgets/styled.py). The themes
`terminal` and `8-colours` leave these as they are; the others replace them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Final

from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as CssColor
from textual.driver import Driver
from textual.filter import LineFilter
from textual.reactive import Initialize, Reactive
from textual.theme import BUILTIN_THEMES, Theme

from tui_popretr.ui.textual_private import EndingApp

#: The terminal's colours that have a meaning, by their numbers.
_RED, _GREEN, _YELLOW, _CYAN = 1, 2, 3, 6


@dataclass(frozen=True, slots=True)
class _Look:
    """A theme, and the colours that replace those with a meaning."""

    theme: Theme
    colours: Mapping[int, str]


def _of_terminal() -> _Look:
    """The terminal's own colours on its own background, which may be dark or light: only the cursor's row is fixed."""
    variables = _basics(cursor=("#eeeeee", "#3a3a3a"), accent="ansi_cyan", blurred="ansi_bright_black")
    return _ansi("terminal", "ansi-dark", variables)


def _of_light_terminal() -> _Look:
    """Dark colours of the 256, since on white the terminal's yellow and cyan cannot be read."""
    accent, bad, warn, good = "#005f87", "#af0000", "#af5f00", "#008700"
    variables = {
        **_basics(cursor=("#1c1c1c", "#d7d7ff"), accent=accent, blurred="#bcbcbc"),
        "scrollbar": "#8a8a8a",
        "scrollbar-hover": "#8a8a8a",
        "scrollbar-active": accent,
        "scrollbar-background": "#dadada",
        "scrollbar-background-hover": "#dadada",
        "scrollbar-background-active": "#dadada",
    }
    look = _ansi("light", "ansi-light", variables)
    theme = replace(look.theme, primary=accent, accent=accent, error=bad, warning=warn, success=good)
    return _Look(theme, {_RED: bad, _GREEN: good, _YELLOW: warn, _CYAN: accent})


def _of_eight_colours() -> _Look:
    """The first eight colours alone, as of the Linux console."""
    variables = {
        **_basics(cursor=("ansi_white", "ansi_blue"), accent="ansi_cyan", blurred="ansi_blue"),
        "scrollbar-active": "ansi_cyan",
        "input-cursor-foreground": "ansi_black",
        "input-cursor-background": "ansi_white",
        "input-selection-background": "ansi_blue",
        "screen-selection-background": "ansi_blue",
        "screen-selection-foreground": "ansi_white",
        "link-background-hover": "ansi_blue",
        "link-color-hover": "ansi_white",
    }
    return _ansi("8-colours", "ansi-dark", variables)


def _basics(*, cursor: tuple[str, str], accent: str, blurred: str) -> dict[str, str]:
    """Return the colours that every theme sets. `cursor`: in front of, and behind the selected row."""
    return {
        "block-cursor-foreground": cursor[0],
        "block-cursor-background": cursor[1],
        "border": accent,
        "border-blurred": blurred,
        "footer-key-foreground": accent,
    }


def _ansi(name: str, base: str, variables: Mapping[str, str]) -> _Look:
    theme = BUILTIN_THEMES[base]
    return _Look(replace(theme, name=name, variables={**theme.variables, **variables}), {})


def _of_true_colour(name: str, base: str) -> _Look:
    """A theme of Textual with its own colours."""
    theme = BUILTIN_THEMES[base]
    generated = theme.to_color_system().generate()
    accent = generated["primary"]
    cursor = generated["foreground"], generated["primary-muted"]
    variables = _basics(cursor=cursor, accent=accent, blurred=generated["panel-lighten-2"])
    colours = {_RED: generated["error"], _GREEN: generated["success"], _YELLOW: generated["warning"], _CYAN: accent}
    return _Look(replace(theme, name=name, variables={**theme.variables, **variables}), colours)


_LOOKS: Final[dict[str, Callable[[], _Look]]] = {
    "terminal": _of_terminal,
    "light": _of_light_terminal,
    "8-colours": _of_eight_colours,
    "dark": partial(_of_true_colour, "dark", "textual-dark"),
    "nord": partial(_of_true_colour, "nord", "nord"),
    "gruvbox": partial(_of_true_colour, "gruvbox", "gruvbox"),
}
#: The names of the themes that `t` goes through.
THEMES: Final = tuple(_LOOKS)


@lru_cache(maxsize=len(_LOOKS))
def _look(name: str) -> _Look:
    """Return a look. It is made when it is shown: that takes a moment, which the start does not have."""
    return _LOOKS[name]()


def first_theme(environ: Mapping[str, str]) -> str:
    """Return the theme for a terminal: TERM and COLORTERM tell how many colours it has, COLORFGBG which background."""
    if Console(force_terminal=True, _environ=environ).color_system == "standard":
        return "8-colours"
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background in ("7", "15") else "terminal"


class ThemeColours(LineFilter):
    """Replaces the colours with a meaning by those of a theme."""

    def __init__(self, colours: Mapping[int, str]) -> None:
        super().__init__()
        self._colours = {number: CssColor.parse(colour).rich_color for number, colour in colours.items()}
        self._replaced: dict[Style, Style] = {}

    def apply(self, segments: list[Segment], background: CssColor) -> list[Segment]:  # noqa: ARG002 - as the base
        return [Segment(text, style and self._replace(style), None) for text, style, _ in segments]

    def _replace(self, style: Style) -> Style:
        known = self._replaced.get(style)
        if known is None:
            colour = self._colour_of(style.color)
            known = self._replaced[style] = style if colour is None else style + Style(color=colour)
        return known

    def _colour_of(self, colour: Color | None) -> Color | None:
        return None if colour is None or colour.number is None else self._colours.get(colour.number)


@lru_cache(maxsize=len(_LOOKS))
def _filter_of(theme: str) -> ThemeColours | None:
    colours = _look(theme).colours if theme in _LOOKS else {}
    return ThemeColours(colours) if colours else None


class ThemedApp(EndingApp):
    """An app with the themes of THEMES; `t` goes to the next one."""

    def _get_first(self) -> str:
        return self._first

    theme: Reactive[str] = Reactive(Initialize(_get_first))

    def __init__(self, *, theme: str = THEMES[0], driver_class: type[Driver] | None = None) -> None:
        """`theme` is set from the start: a change would style and draw the first screen twice."""
        self._first = theme if theme in _LOOKS else THEMES[0]
        super().__init__(driver_class=driver_class)
        self.animation_level = "none"

    @property
    def available_themes(self) -> dict[str, Theme]:
        """The themes of THEMES that were shown, and those of Textual."""
        return {**super().available_themes, self._first: _look(self._first).theme}

    @property
    def current_theme(self) -> Theme:
        """The theme. Textual asks for it for each line that it draws, and would copy all themes each time."""
        return _look(self.theme).theme if self.theme in _LOOKS else super().current_theme

    def get_line_filters(self) -> Any:
        filter_ = None if self.no_color else _filter_of(self.theme)
        filters = super().get_line_filters()
        return filters if filter_ is None else [filter_, *filters]

    def next_theme(self) -> str:
        """Change to the next theme, and return its name."""
        theme = THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)] if self.theme in THEMES else THEMES[0]
        self.register_theme(_look(theme).theme)
        self.theme = theme
        return theme
