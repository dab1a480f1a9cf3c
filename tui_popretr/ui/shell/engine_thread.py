"""The engine in a thread of its own, owned by a context manager around the dashboard (docs/decisions/0001).

However the dashboard ends, leaving the context stops the engine: QUIT is sent, the journal is closed.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from types import TracebackType

import trio

from tui_popretr.answers import Answer
from tui_popretr.commands import Command, Query, Shutdown
from tui_popretr.engine.service import LAST_DEADLINE, Engine
from tui_popretr.facts import Level
from tui_popretr.process.interpreter import responsive_threads

#: A little longer than the engine takes at most.
_JOIN = LAST_DEADLINE + 3.0


class EngineThread:
    """Runs an engine from __enter__ to __exit__."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        #: The exception that ended the engine.
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._token: trio.lowlevel.TrioToken | None = None
        self._running = threading.Event()
        self._everything = trio.CancelScope()
        self._to_end = False
        self._interpreter = contextlib.ExitStack()

    def __enter__(self) -> EngineThread:
        self._interpreter.enter_context(responsive_threads())
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._thread.join(_JOIN)
        self._interpreter.close()

    @property
    def alive(self) -> bool:
        """Whether the engine runs."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Stop the engine gracefully, even before it has started. Any thread, never blocks."""
        self._to_end = True
        self.perform(Shutdown())

    def cancel(self) -> None:
        """Cancel the engine: connections are closed without QUIT, pending deletions stay in the journal. Any thread."""
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._everything.cancel)

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the engine's end; return whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def perform(self, command: Command) -> Future[str]:
        """Send a command to the engine; the future has its answer, or the ValueError. Any thread, never blocks."""
        answer: Future[str] = Future()

        def carry_out() -> None:
            try:
                answer.set_result(self.engine.perform(command))
            except Exception as problem:  # noqa: BLE001 - it is the answer
                answer.set_exception(problem)

        try:
            if self._token is None:
                raise trio.RunFinishedError
            self._token.run_sync_soon(carry_out)
        except trio.RunFinishedError:
            answer.set_exception(ValueError("the engine has ended"))
        return answer

    def ask(self, query: Query) -> Future[Answer]:
        """Send a query to the engine; the future has its answer, or the ValueError. Any thread, never blocks."""
        answer: Future[Answer] = Future()

        def answered(result: Answer | ValueError) -> None:
            if isinstance(result, ValueError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        try:
            if self._token is None:
                raise trio.RunFinishedError
            self._token.run_sync_soon(self.engine.ask_soon, query, answered)
        except trio.RunFinishedError:
            answer.set_exception(ValueError("the engine has ended"))
        return answer

    def report(self, text: str) -> None:
        """Log an error; does nothing after the engine has ended. Any thread, never blocks."""
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self.engine.note, Level.ERROR, text)

    def _run(self) -> None:
        async def main() -> None:
            self._token = trio.lowlevel.current_trio_token()
            self._running.set()
            if self._to_end:
                self.engine.perform(Shutdown())
            with self._everything:
                await self.engine.run()

        try:
            trio.run(main)
        except BaseException as problem:  # noqa: BLE001 - raised by run_dashboard
            self.problem = problem
        finally:
            self._running.set()
