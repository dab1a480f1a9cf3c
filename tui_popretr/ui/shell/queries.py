"""What the dashboard asks of the engine: the user's commands, the queries of two tabs, and what becomes of answers.

Nothing waits: drain() looks at the answers that have come.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tui_popretr.answers import Answer, Done, Preview, Statistics, WaitingMail, WaitingMessage
from tui_popretr.commands import (
    Command,
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    MessageKey,
    PreviewMessage,
    Query,
    ReadStatistics,
    SkipMessages,
)

if TYPE_CHECKING:
    from tui_popretr.ui.shell.live import LiveApp
    from tui_popretr.ui.widgets.statistics import StatisticsTab
    from tui_popretr.ui.widgets.waiting import ServerTab

Failed = Callable[[str], None]
Action = FetchMessages | DeleteMessages | SkipMessages

_ACTIONS: Final[dict[str, type[FetchMessages] | type[DeleteMessages] | type[SkipMessages]]] = {
    "fetch": FetchMessages,
    "delete": DeleteMessages,
    "skip": SkipMessages,
}
#: What is said when an action begins, and of several messages when all is done.
_BEGINNINGS: Final[dict[type[Action], str]] = {
    FetchMessages: "fetching …",
    DeleteMessages: "deleting: first the message is compared with the listed one …",
    SkipMessages: "skipping …",
}
_ENDS: Final[dict[type[Action], str]] = {
    FetchMessages: "are retrieved now",
    DeleteMessages: "were deleted on the server",
    SkipMessages: "are skipped from now on",
}


class Queries:
    """Commands and queries that wait for their answers."""

    def __init__(self, app: LiveApp) -> None:
        self._app = app
        self._asked: list[tuple[Future[Any], Callable[[Any], None], Failed]] = []

    def drain(self) -> None:
        """Take the answers that have come."""
        waiting = []
        for each in self._asked:
            answer, taken, failed = each
            if not answer.done():
                waiting.append(each)
            elif (problem := answer.exception()) is not None:
                failed(str(problem))
            else:
                taken(answer.result())
        self._asked = waiting

    def perform(self, command: Command) -> None:
        """Send a command; its answer becomes a notice."""
        failed = partial(self._app.show_notice, error=True)
        self._asked.append((self._app.source.perform(command), self._app.show_notice, failed))
        self._app.drain_soon()

    def _ask(self, query: Query, taken: Callable[[Answer], None], failed: Failed) -> None:
        self._asked.append((self._app.source.ask(query), taken, failed))
        self._app.drain_soon()

    # --- statistics ---------------------------------------------------------------------------------------------------

    def read_statistics(self, tab: StatisticsTab, client: str | None) -> None:
        """Read the statistics of a client, of all with None, for the tab."""

        def take(answer: Answer) -> None:
            if isinstance(answer, Statistics):
                tab.set_statistics(answer)

        self._ask(ReadStatistics(client), take, tab.set_problem)

    # --- on server ----------------------------------------------------------------------------------------------------

    def list_waiting(self, tab: ServerTab, client: str) -> None:
        """List what waits on the server of a client."""

        def take(answer: Answer) -> None:
            if isinstance(answer, WaitingMail):
                tab.set_mail(answer)

        def fail(why: str) -> None:
            tab.set_problem(client, why)
            self._app.show_notice(why, error=True)

        self._ask(ListWaiting(client), take, fail)

    def act(self, tab: ServerTab, action: str, client: str, messages: tuple[WaitingMessage, ...]) -> None:
        """Do with messages what the user wants; ask before deleting."""
        keys = tuple(map(_key, messages))
        query = PreviewMessage(client, keys[0]) if action == "preview" else _ACTIONS[action](client, keys)
        if refusal := self._app.source.refusal_of(query):
            self._app.show_notice(refusal, error=True)
        elif isinstance(query, PreviewMessage):
            self._preview(query, messages[0])
        elif isinstance(query, DeleteMessages):
            self._confirm_deletion(tab, query, messages)
        else:
            self._perform(tab, query)

    def _preview(self, query: PreviewMessage, message: WaitingMessage) -> None:
        from tui_popretr.ui.screens.preview import PreviewScreen

        screen = PreviewScreen(query.client, message)

        def take(answer: Answer) -> None:
            if isinstance(answer, Preview):
                screen.show_preview(answer)

        self._app.push_screen(screen)
        self._ask(query, take, screen.show_problem)

    def _confirm_deletion(self, tab: ServerTab, query: DeleteMessages, messages: tuple[WaitingMessage, ...]) -> None:
        from tui_popretr.ui.screens.confirm import ConfirmScreen
        from tui_popretr.ui.widgets.waiting import describe

        def answered(yes: bool | None) -> None:
            if yes:
                self._perform(tab, query)

        what, details = describe(query.client, messages)
        self._app.push_screen(ConfirmScreen(what, details, "Delete on the server, without a copy?"), answered)

    def _perform(self, tab: ServerTab, query: Action) -> None:
        """Perform an action, report what it has done, and list again."""

        def take(answer: Answer) -> None:
            if isinstance(answer, Done):
                self._report(query, answer)
            tab.list_again(query.client)

        self._app.show_notice(_BEGINNINGS[type(query)])
        self._ask(query, take, partial(self._app.show_notice, error=True))

    def _report(self, query: Action, done: Done) -> None:
        if len(done.texts) == 1:
            self._app.show_notice(done.texts[0], error=bool(done.failed))
        elif done.failed:
            from tui_popretr.ui.screens.problems import ProblemsScreen

            self._app.push_screen(
                ProblemsScreen(f"{done.failed} of {len(done.texts)} were left as they are.", done.texts)
            )
        else:
            self._app.show_notice(f"{len(done.texts):,} messages {_ENDS[type(query)]}")


def _key(message: WaitingMessage) -> MessageKey:
    return MessageKey(message.number, message.uid, message.size, message.digest)
