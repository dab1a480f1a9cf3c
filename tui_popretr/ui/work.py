"""Background work of the dashboard, mostly with a thread for the disk. A failure does not end the dashboard.

If a worker raises, Textual ends the app, and with it the retrieval of mail. So all workers are started here, which a
test checks.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from textual.dom import DOMNode

from tui_popretr.ui.model.formatting import failure_reason
from tui_popretr.ui.textual_private import EndingApp


def start(node: DOMNode, doing: str, work: Coroutine[None, None, None], failed: Callable[[str], object]) -> None:
    """Run guarded() as a worker of `node`. When the node is removed, the work is cancelled."""
    node.run_worker(guarded(node, doing, work, failed), exit_on_error=False)


async def guarded(
    node: DOMNode, doing: str, work: Coroutine[None, None, None], failed: Callable[[str], object]
) -> None:
    """Do `work`. Its exception is logged (`internal error while DOING: ...`).

    `failed` is then called with the reason as text, which is shown instead of the result.
    """
    try:
        await work
    except Exception as problem:  # noqa: BLE001 - the retrieval of mail goes on
        if isinstance(node.app, EndingApp):
            node.app.report(f"internal error while {doing}: {type(problem).__name__}: {problem}")
        failed(failure_reason(problem))
