"""What passes from the program to others within the tests' process is searched for passwords.

That is each line of the control socket, what hooks get (environment and standard input), and the text of the metrics. A
finding is reported at the end of its test (conftest.py). What other processes write to files and to their output is
searched there.
"""

from __future__ import annotations

import os
from typing import Any, Final

from tests.support.passwords import reveals
from tui_popretr.control.lines import LineBuffer
from tui_popretr.engine import metrics
from tui_popretr.engine.hooks import running
from tui_popretr.process.run import ProcessEnd, run_process

_found: Final[list[str]] = []


def take() -> list[str]:
    """Return what was found since the last time."""
    found = list(_found)
    _found.clear()
    return found


def watch() -> None:
    """Search from now on."""
    next_line, metrics_text = LineBuffer.next, metrics.metrics_text

    def next_searched(self: LineBuffer) -> bytes | None:
        line = next_line(self)
        _search("the control socket", line or b"")
        return line

    async def run_process_searched(*arguments: Any, stdin: bytes, environ: dict[str, str], **others: Any) -> ProcessEnd:
        _search("the standard input of a hook", stdin)
        for name, value in environ.items():
            _search(f"the environment of a hook, {name}", os.fsencode(value))
        return await run_process(*arguments, stdin=stdin, environ=environ, **others)

    def metrics_text_searched(*arguments: Any, **others: Any) -> str:
        text = metrics_text(*arguments, **others)
        _search("the metrics", text.encode())
        return text

    LineBuffer.next = next_searched  # type: ignore[method-assign]
    running.run_process = run_process_searched  # type: ignore[attr-defined,assignment]
    metrics.metrics_text = metrics_text_searched


def _search(where: str, data: bytes) -> None:
    if reveals(data):
        _found.append(f"{where}: {data[:2000]!r}")
