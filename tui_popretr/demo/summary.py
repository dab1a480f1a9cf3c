"""What the demo says when it is done: what happened, why, where everything lies, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import TextIO

from tui_popretr import wording
from tui_popretr.demo.accounts import DemoAccount
from tui_popretr.demo.configuration import address_of
from tui_popretr.demo.folder import DemoFolder
from tui_popretr.demo.progress import seconds
from tui_popretr.demo.server import Ports
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult

WIDTH = 80
_COLUMNS = (9, 15, 8, 8, 5)  # the last column takes the rest
_LAST = WIDTH - 1 - sum(_COLUMNS) - 2 * len(_COLUMNS)
_HEADINGS = ("Account", "Server", "Messages", "Size", "Took", "Result")
#: Of the transcript, so many lines from the beginning and from the end of a session.
_FIRST, _LATEST = 6, 4


def tell(out: TextIO, lines: Iterable[str]) -> None:
    """Write the lines, and see them through. Raises OSError."""
    out.writelines(f"{line}\n" for line in lines)
    out.flush()


def introduction(accounts: Iterable[DemoAccount], folder: DemoFolder) -> Iterator[str]:
    """Yield the lines that tell what is going to happen."""
    accounts = tuple(accounts)
    yield from wrap(
        f"This is the demo of tui-popretr: it retrieves mail from {len(accounts)} accounts at once. Their server is "
        "part of the demo and listens on this machine only; all mail is invented.",
        WIDTH - 1,
    )
    yield ""
    yield from _listed((account.id, account.about) for account in accounts)
    yield ""
    yield f"Retrieving into {folder.path}"


def table(accounts: Iterable[DemoAccount], results: Mapping[str, SessionResult], ports: Ports) -> Iterator[str]:
    """Yield a row for each account, and what is to be said about them."""
    yield _row(_HEADINGS)
    yield _row("-" * width for width in (*_COLUMNS, _LAST))
    for account in accounts:
        result = results.get(account.id)
        if result is None:
            cells = ["-", "-", "-", "did not end"]
        else:
            cells = [f"{result.messages:,}", wording.size(result.octets), seconds(result), verdict(result)]
        yield from _rows((account.id, address_of(account, ports), *cells))
    yield ""
    yield "What arrived is safe on the disk, and only then was it deleted on its server."
    for account in accounts:
        result = results.get(account.id)
        if result is not None and not result.ok:
            yield ""
            yield from _explanation(account, result)


def verdict(result: SessionResult) -> str:
    """Return a session's result in words."""
    if result.ok:
        return "all arrived"
    if result.messages:
        return f"{result.failed:,} left on the server"
    return "FAILED: " + ("login rejected" if result.code is ExitCode.LOGIN else result.error)


def places(folder: DemoFolder, accounts: Iterable[DemoAccount]) -> Iterator[str]:
    """Yield where the mail, the logs and the configuration lie."""
    yield "The mail, one file a message (Maildirs, and a folder of .eml files):"
    delivered = [account for account in accounts if _holds_mail(folder.mail_of(account))]
    yield from _listed((account.id, folder.mail_of(account)) for account in delivered)
    yield ""
    yield "What was written about it:"
    yield from _listed(
        (
            ("audit log", folder.audit),
            ("transcript", folder.transcript),
            ("program log", folder.trace),
            ("settings", folder.configuration),
        )
    )


def excerpt(folder: DemoFolder, account: DemoAccount) -> Iterator[str]:
    """Yield the beginning and the end of an account's dialogue from the transcript; nothing where there is none."""
    if not os.path.exists(folder.transcript):
        return
    with open(folder.transcript, encoding="utf-8", errors="backslashreplace") as file:
        lines = list(_without_capabilities(line.rstrip() for line in file if line.startswith(f"{account.id}-")))
    yield ""
    yield f"The dialogue with account {account.id}, from the transcript:"
    left_out = len(lines) - _FIRST - _LATEST
    if left_out > 0:
        lines[_FIRST:-_LATEST] = [f"... {left_out} more lines ..."]
    for line in lines:
        yield "  " + (line if len(line) <= WIDTH - 3 else f"{line[: WIDTH - 6]}...")


def _without_capabilities(lines: Iterable[str]) -> Iterator[str]:
    """Remove the rows of the answer to CAPA, which would fill most of the excerpt."""
    asked = inside = False
    for line in lines:
        inside = inside or (asked and "<< +OK" not in line)
        if not inside:
            yield line
        asked = line.endswith(">> CAPA") or (asked and not line.endswith("<< ."))
        inside = inside and asked


def next_steps(folder: DemoFolder, *, keep: bool) -> Iterator[str]:
    """Yield what a newcomer can do now."""
    if keep:
        yield f"The folder stays until you delete it ({wording.size(_octets_in(folder.path))}):"
        yield f"  {folder.path}"
        yield "The demo's server is gone, so the settings in it are to be read, not to be run."
    else:
        yield "The mail and the logs are removed again (--no-keep)."
    yield ""
    yield "For mail of your own:"
    yield "  tui-popretr init               make a configuration, from a few answers"
    yield "  tui-popretr check --connect    log in, and retrieve nothing"
    yield "  tui-popretr                    retrieve, and watch it on the dashboard"
    yield "  tui-popretr --headless --once  retrieve once"


def deviations(found: Iterable[str], folder: DemoFolder, *, keep: bool) -> Iterator[str]:
    """Yield the lines that tell that the demo did not go as it should."""
    yield "Not everything went as it should, which is a defect or a trouble of this machine:"
    for text in found:
        yield from wrap(text, WIDTH - 1, initial_indent="  ", subsequent_indent="    ")
    if keep:
        yield f"More is in {folder.trace}"


# --- layout ---------------------------------------------------------------------------------------------------------


def _explanation(account: DemoAccount, result: SessionResult) -> Iterator[str]:
    text = f"{account.id}: {result.error}."
    if result.advice:
        text += f" What to do: {result.advice}."
    if result.code is account.ends:
        text += " (This belongs to the demo.)"
    yield from wrap(text, WIDTH - 1, subsequent_indent="  ")


def _rows(cells: Iterable[str]) -> Iterator[str]:
    *short, long = cells
    first, *others = wrap(long, _LAST)
    yield _row((*short, first))
    yield from (_row((*("" for _ in short), other)) for other in others)


def _row(cells: Iterable[str]) -> str:
    account, server, count, size, took, result = cells
    widths = _COLUMNS
    row = f"{account:<{widths[0]}}  {server:<{widths[1]}}  {count:>{widths[2]}}  {size:>{widths[3]}}"
    return f"{row}  {took:>{widths[4]}}  {result}".rstrip()


def _listed(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    pairs = tuple(pairs)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, text in pairs:
        if os.path.isabs(text):  # not to be broken: it shall be copied
            yield f"  {name:<{width}}  {text}"
        else:
            indent = " " * (width + 4)
            yield from wrap(text, WIDTH - 1, initial_indent=f"  {name:<{width}}  ", subsequent_indent=indent)


def _holds_mail(path: str) -> bool:
    return os.path.isdir(path) and bool(os.listdir(path))


def _octets_in(path: str) -> int:
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)
