"""Work beside the drawing: coroutines, mostly with a thread for the disk, whose failure ends nothing else.

Textual ends the app where a worker raises, and with it the retrieval of mail. Therefore all workers of the dashboard
are started here; a test looks for others.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from textual.dom import DOMNode

from tui_popretr.errors import describe_os_error
from tui_popretr.ui.ending import EndingApp


def start(node: DOMNode, doing: str, work: Coroutine[None, None, None], failed: Callable[[str], object]) -> None:
    """Run guarded() as a worker of `node`. When the node is removed, the work is cancelled."""
    node.run_worker(guarded(node, doing, work, failed), exit_on_error=False)


async def guarded(
    node: DOMNode, doing: str, work: Coroutine[None, None, None], failed: Callable[[str], object]
) -> None:
    """Do `work`. Its exception becomes a line of the program's log (`internal error while DOING: ...`).

    `failed` is then called with the reason in words, to show it where the result would be.
    """
    try:
        await work
    except Exception as problem:  # noqa: BLE001 - the retrieval of mail goes on
        if isinstance(node.app, EndingApp):
            node.app.report(f"internal error while {doing}: {type(problem).__name__}: {problem}")
        failed(reason(problem))


def reason(problem: Exception) -> str:
    """Return in words why something could not be done."""
    match problem:
        case RecursionError():
            return "it is nested too deeply"
        case MemoryError():
            return "there is not enough memory"
        case OSError():
            return describe_os_error(problem)
        case _:
            return f"internal error ({type(problem).__name__})"
