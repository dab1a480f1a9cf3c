"""`status`: shows the clients of the daemon, as a table, as JSON or as metrics."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from tui_popretr.cli.daemon import daemon_of
from tui_popretr.errors import ExitCode, worst
from tui_popretr.text import visible
from tui_popretr.wording import duration, mail_volume, plural

_HEADINGS: Final = ("client", "state", "next run", "last result", "messages", "last success")
_NOTHING: Final = "-"


def run(arguments: Namespace) -> int:
    """Print the status and return the exit code. Raises PopretrError."""
    with daemon_of(arguments) as client:
        snapshot = client.ask("status")
        pid, started = client.hello.pid, client.hello.started
    if arguments.json:
        print(json.dumps(snapshot, ensure_ascii=False))
    elif arguments.prometheus:
        from tui_popretr.engine.metrics import metrics_text

        print(metrics_text(snapshot["clients"]), end="")
    else:
        print("\n".join(table(snapshot)))
        print(f"running as process {pid} since {started:%Y-%m-%d %H:%M:%S}")
    return exit_code(snapshot) if arguments.exit_code else ExitCode.OK


def exit_code(snapshot: dict[str, Any]) -> ExitCode:
    """Return the worst client's exit code by its last session; OK for one that never ran."""
    return worst([ExitCode(each["last"]["code"]) for each in snapshot["clients"] if each["last"] is not None])


def table(snapshot: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table for people, and the totals."""
    rows = [_HEADINGS, *(_row(client, snapshot) for client in snapshot["clients"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _line(row, widths)
    totals = snapshot["totals"]
    today = mail_volume(totals["messages_today"], totals["octets_today"])
    yield (
        f"{plural(totals['clients'], 'client')}, {totals['running']:,} running, {totals['failed']:,} failed;"
        f" today {today}"
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(client: dict[str, Any], snapshot: dict[str, Any]) -> tuple[str, ...]:
    due, last = client["due"], client["last"]
    return (
        visible(client["id"], 60),
        client["state"],
        _NOTHING if due is None else f"in {duration(due - snapshot['boottime'])}",
        _NOTHING if last is None else visible(last["result"], 80),
        f"{client['messages']:,}",
        _time(client["last_success"]),
    )


def _time(text: str | None) -> str:
    return _NOTHING if text is None else f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
