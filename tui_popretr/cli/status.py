"""`status`: shows the clients of the daemon, as a table, as JSON or as metrics."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from tui_popretr.cli.daemon import daemon_of
from tui_popretr.errors import ExitCode, worst
from tui_popretr.process.terminal_size import terminal_size
from tui_popretr.text import json_text, visible
from tui_popretr.wording import duration, mail_volume, plural

_HEADINGS: Final = ("client", "state", "next run", "messages", "last success", "last result")
_NUMBERS: Final = frozenset({"messages"})
_NOTHING: Final = "-"
_GAP: Final = "  "
#: Cells that the last result has even in a narrow terminal.
_LEAST_RESULT: Final = 12


def run(arguments: Namespace) -> int:
    """Print the status and return the exit code. Raises PopretrError."""
    with daemon_of(arguments) as client:
        snapshot = client.ask("status")
        pid, started = client.hello.pid, client.hello.started
    if arguments.json:
        print(json_text(snapshot))
    elif arguments.prometheus:
        from tui_popretr.engine.metrics import metrics_text

        print(metrics_text(snapshot["clients"]), end="")
    else:
        print("\n".join(table(snapshot, _terminal_columns())))
        print(f"running as process {pid} since {started:%Y-%m-%d %H:%M:%S}")
    return exit_code(snapshot) if arguments.exit_code else ExitCode.OK


def exit_code(snapshot: dict[str, Any]) -> ExitCode:
    """Return the worst client's exit code by its last session; OK for one that never ran."""
    return worst([ExitCode(each["last"]["code"]) for each in snapshot["clients"] if each["last"] is not None])


def table(snapshot: dict[str, Any], columns: int | None = None) -> Iterator[str]:
    """Yield the lines of the table for people, and the totals.

    `columns`: width of the terminal. The last column, the last result, is cut to fit it; None: it is not cut.
    """
    from tui_popretr.ui.model.cells import fitted, width

    rows = [_HEADINGS, *(_row(client, snapshot) for client in snapshot["clients"])]
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    if columns is not None:
        others = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(columns - others, _LEAST_RESULT))
    for row in rows:
        cells = (
            fitted(cell, size, right=heading in _NUMBERS)
            for heading, cell, size in zip(_HEADINGS, row, widths, strict=True)
        )
        yield _GAP.join(cells).rstrip()
    totals = snapshot["totals"]
    today = mail_volume(totals["messages_today"], totals["octets_today"])
    yield (
        f"{plural(totals['clients'], 'client')}, {totals['running']:,} running, {totals['failed']:,} failed;"
        f" today {today}"
    )


def _row(client: dict[str, Any], snapshot: dict[str, Any]) -> tuple[str, ...]:
    due, last = client["due"], client["last"]
    return (
        visible(client["id"], 60),
        client["state"],
        _NOTHING if due is None else f"in {duration(due - snapshot['boottime'])}",
        f"{client['messages']:,}",
        _time(client["last_success"], datetime.fromisoformat(snapshot["time"])),
        _NOTHING if last is None else visible(last["result"], 200),
    )


def _time(text: str | None, now: datetime) -> str:
    """Return a local time today, or the date of an earlier day."""
    if text is None:
        return _NOTHING
    time, now = datetime.fromisoformat(text).astimezone(), now.astimezone()
    return f"{time:%H:%M:%S}" if time.date() == now.date() else f"{time:%Y-%m-%d}"


def _terminal_columns() -> int | None:
    return terminal_size(sys.stdout.fileno())[0] if sys.stdout.isatty() else None
