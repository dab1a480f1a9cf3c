"""What the demo prints: the introduction, a table of results, an excerpt of the transcript, paths, and next steps."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TextIO

from tui_popretr.demo.accounts import DemoAccount
from tui_popretr.demo.folder import DemoFolder, address_of
from tui_popretr.demo.server import Ports
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult
from tui_popretr.wording import duration, mail_volume, plural, size

WIDTH = 80
_COLUMNS = (9, 15, 8, 8, 5)  # the last column takes the rest
_LAST_COLUMN = WIDTH - 1 - sum(_COLUMNS) - 2 * len(_COLUMNS)
_HEADINGS = ("Account", "Server", "Messages", "Size", "Took", "Result")
#: Lines of the transcript that the excerpt has from the beginning and the end of a session.
_FIRST_LINES, _LAST_LINES = 6, 4
_ROW = re.compile(r" << (?![+-])")


def write_lines(out: TextIO, lines: Iterable[str]) -> None:
    """Write the lines and flush. Raises OSError."""
    out.writelines(f"{line}\n" for line in lines)
    out.flush()


def introduction(accounts: Sequence[DemoAccount], folder: DemoFolder) -> Iterator[str]:
    """Yield the lines that announce the demo."""
    yield from wrap(
        f"This is the demo of tui-popretr. It retrieves mail from {len(accounts)} accounts at once. Their server is "
        "part of the demo and listens on this machine only; all mail is invented.",
        WIDTH - 1,
    )
    yield ""
    yield from _listed((account.id, account.about) for account in accounts)
    yield ""
    yield f"Retrieving into {folder.path}"


def outcome(result: SessionResult) -> str:
    """Return the result of a session in one line."""
    if not result.messages and not result.ok:
        return "FAILED, see below"
    figures = f"{mail_volume(result.messages, result.octets)}, in {_seconds(result)}"
    return figures if result.ok else f"{figures}; {plural(result.failed, 'message')} left on the server"


def table(accounts: Iterable[DemoAccount], results: Mapping[str, SessionResult], ports: Ports) -> Iterator[str]:
    """Yield a row for each account, and explanations of the failures."""
    yield _row(_HEADINGS)
    yield _row("-" * width for width in (*_COLUMNS, _LAST_COLUMN))
    for account in accounts:
        result = results.get(account.id)
        if result is None:
            cells = ("-", "-", "-", "did not end")
        else:
            cells = (f"{result.messages:,}", size(result.octets), _seconds(result), _verdict(result))
        yield _row((account.id, address_of(account, ports), *cells))
    yield ""
    yield "Each message was deleted on its server only when it was safe on the disk."
    for account in accounts:
        result = results.get(account.id)
        if result is not None and not result.ok:
            yield ""
            yield from _explanation(account, result)


def excerpt(folder: DemoFolder, account: DemoAccount) -> Iterator[str]:
    """Yield the beginning and the end of an account's dialogue from the transcript; nothing if there is none."""
    if not os.path.exists(folder.transcript):
        return
    with open(folder.transcript, encoding="utf-8", errors="backslashreplace") as file:
        # without the rows of multi-line responses
        lines = [line.rstrip() for line in file if line.startswith(f"{account.id}-") and not _ROW.search(line)]
    yield ""
    yield f"The dialogue of account {account.id}, from the transcript:"
    omitted = len(lines) - _FIRST_LINES - _LAST_LINES
    if omitted > 0:
        lines[_FIRST_LINES:-_LAST_LINES] = [f"... {omitted} more lines ..."]
    for line in lines:
        yield "  " + (line if len(line) <= WIDTH - 3 else f"{line[: WIDTH - 6]}...")


def places(folder: DemoFolder, accounts: Iterable[DemoAccount]) -> Iterator[str]:
    """Yield the paths of the mail, the logs and the configuration."""
    yield "The mail, one file per message (Maildirs, and a folder of .eml files):"
    yield from _listed((account.id, path) for account in accounts if _has_files(path := folder.mail_of(account)))
    yield ""
    yield "Logs and configuration:"
    yield from _listed(
        (
            ("audit log", folder.audit),
            ("transcript", folder.transcript),
            ("program log", folder.trace),
            ("configuration", folder.configuration),
        )
    )


def ending(folder: DemoFolder, problems: Sequence[str], *, keep: bool) -> Iterator[str]:
    """Yield what a user can do next, or the problems, if there are any."""
    if problems:
        yield "The demo did not run as expected. This is a defect, or a problem of this machine:"
        for problem in problems:
            yield from wrap(problem, WIDTH - 1, initial_indent="  ", subsequent_indent="    ")
        if keep:
            yield f"More is in {folder.trace}"
        return
    if keep:
        yield f"The folder stays until you delete it ({size(_octets_in(folder.path))}):"
        yield f"  rm -r {shlex.quote(folder.path)}"
        yield "The demo's server has ended, so its configuration is an example only."
    else:
        yield "Mail and logs have been removed (--no-keep)."
    yield ""
    installed = shutil.which("tui-popretr") is not None
    yield "For your own mail:" if installed else "For your own mail, after installing it (README.md says how):"
    yield "  tui-popretr init               create a configuration from a few answers"
    yield "  tui-popretr check --connect    log in, without retrieving"
    yield "  tui-popretr                    retrieve, on the dashboard"
    yield "  tui-popretr --headless --once  retrieve once"


# --- parts ----------------------------------------------------------------------------------------------------------


def _verdict(result: SessionResult) -> str:
    if result.ok:
        return "all arrived"
    if result.messages:
        return f"{result.failed:,} left on the server"
    return "FAILED: login rejected" if result.code is ExitCode.LOGIN else "FAILED, see below"


def _explanation(account: DemoAccount, result: SessionResult) -> Iterator[str]:
    text = f"{account.id}: {result.error}."
    if result.advice:
        text += f" What to do: {result.advice}."
    if result.code is account.exit_code:
        text += " (This is part of the demo.)"
    yield from wrap(text, WIDTH - 1, subsequent_indent="  ")


def _seconds(result: SessionResult) -> str:
    return duration((result.ended - result.started).total_seconds())


def _row(cells: Iterable[str]) -> str:
    account, server, count, octets, took, result = cells
    widths = _COLUMNS
    row = f"{account:<{widths[0]}}  {server:<{widths[1]}}  {count:>{widths[2]}}  {octets:>{widths[3]}}"
    return f"{row}  {took:>{widths[4]}}  {result}".rstrip()


def _listed(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    pairs = tuple(pairs)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, text in pairs:
        if os.path.isabs(text):  # a path must stay in one line, to be copied
            yield f"  {name:<{width}}  {text}"
        else:
            indent = " " * (width + 4)
            yield from wrap(text, WIDTH - 1, initial_indent=f"  {name:<{width}}  ", subsequent_indent=indent)


def _has_files(path: str) -> bool:
    return os.path.isdir(path) and bool(os.listdir(path))


def _octets_in(path: str) -> int:
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)
