"""Writes docs/tui-popretr.1, the manual page, from the parser of the command line.

It asks the parser for nothing whose wording changes between versions of Python. Run as a module from the project's
folder: python -m scripts.manpage
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tui_popretr import __version__
from tui_popretr.cli.argparse_private import actions, commands, may_be_repeated
from tui_popretr.cli.parser import COMMANDS, PROGRAM, build_parser

PAGE = Path(__file__).parents[1] / "docs" / f"{PROGRAM}.1"

_FILES = """\
.TP
.I ~/.config/tui-popretr/tui-popretr.xml
The configuration, where none is named; the journal and the logs are then in
.IR ~/.local/state/tui-popretr .
.TP
.I /etc/tui-popretr.xml
The configuration, where there is none of the user's; the journal and the logs are then in
.IR /var/lib/tui-popretr .
"""

_SEE_ALSO = """\
.BR tui\\-popretr.xml (5),
docs/configuration.md of the program's sources, and the examples in config\\-samples
"""
_HEADINGS = (".SH", ".SS", ".PP")
_EXIT_CODES = "exit codes:"
_EVERYWHERE = frozenset(("help", "verbose", "quiet"))


def page() -> str:
    """Return the manual page."""
    parser = build_parser()
    parsers = commands(parser)
    about = [paragraph for paragraph in str(parser.epilog).split("\n\n") if not paragraph.startswith(_EXIT_CODES)]
    lines = [
        ".\\\" Made from the program's parser by: python -m scripts.manpage",
        f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "User Commands"',
        ".ad l",
        ".nh",
        ".SH NAME",
        f"{roff(PROGRAM)} \\- retrieve mail from many POP3 accounts at once",
        ".SH SYNOPSIS",
        *_synopsis(f"{PROGRAM} [run]", parsers["run"]),
        ".br",
        f".B {roff(PROGRAM)}",
        "\\fICOMMAND\\fR ...",
        ".SH DESCRIPTION",
        roff(parser.description),
        *_paragraphs(about),
        ".SH OPTIONS",
        *_arguments(parser),
        "The following can be given to every command.",
        *_arguments(parsers["run"], _EVERYWHERE - {"help"}),
        ".SH COMMANDS",
    ]
    for name, summary in COMMANDS.items():
        command = parsers[name]
        lines += [f".SS {roff(name)} \\- {roff(summary)}", *_synopsis(f"{PROGRAM} {name}", command), ".PP"]
        lines += [roff(command.description), *_arguments(command), *_paragraphs((command.epilog or "").split("\n\n"))]
    lines += [".SH EXIT STATUS", *_exit_codes(str(parser.epilog))]
    lines += [".SH FILES", _FILES.rstrip(), ".SH SEE ALSO", _SEE_ALSO.rstrip()]
    return joined(lines)


def joined(lines: Sequence[str]) -> str:
    """Return the lines of a page as its text, without .PP where no paragraph follows."""
    following = [*lines[1:], ""]
    kept = (line for line, then in zip(lines, following, strict=True) if line != ".PP" or then[:3] not in _HEADINGS)
    return "\n".join(kept) + "\n"


def _synopsis(command: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f".B {roff(command)}"
    for action in _own(parser):
        shown = f"{_names(action, ' | ')} {_value(action)}".strip()
        again = "..." if may_be_repeated(action) else ""
        yield (shown if action.required and not again else f"[{shown}]") + again


def _arguments(parser: argparse.ArgumentParser, only: frozenset[str] | None = None) -> Iterator[str]:
    for action in _own(parser) if only is None else actions(parser):
        if only is None or action.dest in only:
            # Before Python 3.13, BooleanOptionalAction adds this.
            words = (action.help or "").removesuffix(" (default: %(default)s)")
            yield from (".TP", f"{_names(action, ', ')} {_value(action)}".strip(), roff(words))
    yield ".PP"


def _own(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments that not every command has, those without a dash first."""
    own = [action for action in actions(parser) if action.dest not in _EVERYWHERE]
    return sorted(own, key=lambda action: bool(action.option_strings))


def _names(action: argparse.Action, between: str) -> str:
    return between.join(f"\\fB{roff(name)}\\fR" for name in action.option_strings)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    names = action.metavar or ("|".join(action.choices) if action.choices else action.dest.upper())
    words = [names] if isinstance(names, str) else [names[0], f"[{names[1]}]..."]
    return " ".join(f"\\fI{roff(word)}\\fR" for word in words)


def _exit_codes(text: str) -> Iterator[str]:
    listed = text[text.index(_EXIT_CODES) + len(_EXIT_CODES) :].replace("\n", " ")
    for entry in listed.split(" · "):
        code, _, words = entry.strip().partition(" ")
        yield from (".TP", f".B {code}", roff(words))


def _paragraphs(paragraphs: Iterable[str]) -> Iterator[str]:
    """Yield paragraphs; of those that begin with a word and a colon alone, the lines behind it stay lines."""
    for paragraph in paragraphs:
        first, _, rest = paragraph.partition("\n")
        text = paragraph[:1].upper() + paragraph[1:].replace("\n", " ")
        if first.endswith(":") and rest:
            yield from (".PP", roff(text[: len(first)]), ".PP", ".nf", ".RS 2")
            yield from (roff(line.removeprefix("  ")) for line in rest.splitlines())
            yield from (".RE", ".fi")
        elif paragraph:
            yield from (".PP", roff(text))


def roff(text: str | None) -> str:
    """Return text that roff shows as it is."""
    text = (text or "").replace("\\", "\\e").replace("-", "\\-")
    text = re.sub("^([.'])", r"\\&\1", text, flags=re.MULTILINE)
    return "".join(character if character.isascii() else f"\\[u{ord(character):04X}]" for character in text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="ascii")
    sys.stdout.write(f"written: {PAGE}\n")
