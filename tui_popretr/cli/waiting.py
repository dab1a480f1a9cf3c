"""`waiting`: shows what is on a client's server, and why it is still there."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import trio

from tui_popretr.answers import WaitingMail, WaitingMessage
from tui_popretr.bus import Bus
from tui_popretr.cli import configuration
from tui_popretr.cli.config_path import locate
from tui_popretr.cli.daemon import connect
from tui_popretr.clock import SystemClock
from tui_popretr.config.model import Settings
from tui_popretr.config.problems import Severity
from tui_popretr.control.client import ControlClient, DaemonError, RequestRefusedError
from tui_popretr.control.codec import from_json
from tui_popretr.engine.service import connect_tcp
from tui_popretr.errors import DaemonUnavailable, ExitCode, ServerTemporaryFailure
from tui_popretr.facts import SessionId
from tui_popretr.journal.thread import JournalThread
from tui_popretr.net.resolver import Resolver
from tui_popretr.process.terminal_size import terminal_size
from tui_popretr.session.capa import CapaHistories
from tui_popretr.session.pipelining import PipeliningHistory
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import ConnectionSetup, Connector
from tui_popretr.session.visit import make_visit
from tui_popretr.text import visible
from tui_popretr.wording import plural, size

_HEADINGS: Final = ("number", "size", "from", "date", "subject", "why")
_GAP: Final = "  "
#: Cells of a column at most, apart from the last; None: as wide as its widest cell.
_MOST: Final = (None, None, 24, 16, 40)


def run(arguments: Namespace) -> int:
    """Print what waits and return the exit code. Raises PopretrError."""
    file = locate(arguments.config, arguments.naf)
    try:
        client = connect(file)
    except DaemonUnavailable:
        settings = configuration.read(file, shown=frozenset({Severity.ERROR}))
        mail = trio.run(visit, configuration.choose(settings, [arguments.client]))
    except DaemonError as problem:
        raise DaemonUnavailable(visible(str(problem), 4096), advice="") from None
    else:
        mail = _ask(client, arguments.client)
    if arguments.json:
        from tui_popretr.cli.reports import print_report, waiting_report

        print_report(waiting_report(mail))
    else:
        print("\n".join(table(mail, terminal_size(sys.stdout.fileno())[0] if sys.stdout.isatty() else None)))
    return ExitCode.OK


def _ask(client: ControlClient, name: str) -> WaitingMail:
    """Ask the daemon, which waits until the client's session has ended."""
    try:
        with client:
            client.wait_for_ever()
            return from_json(WaitingMail, client.ask("waiting", client=name))
    except RequestRefusedError as problem:
        raise ServerTemporaryFailure(visible(str(problem), 4096), advice="") from None
    except (DaemonError, ValueError) as problem:
        raise DaemonUnavailable(visible(str(problem), 4096), advice="") from None


async def visit(settings: Settings, connector: Connector = connect_tcp) -> WaitingMail:
    """Look at the server of the only client in `settings`, without a daemon. Raises PopretrError."""
    trio.socket.set_custom_hostname_resolver(Resolver())
    (client,) = settings.clients
    journal = JournalThread(settings.journal)
    try:
        await journal.open(_nothing)
        setup = ConnectionSetup(
            SessionId(client.id, 1), client, Bus(), SystemClock(), connector, settings.timeout, ConnectionServices()
        )
        made = make_visit(setup, journal, CapaHistories(), PipeliningHistory())
        try:
            return await made.waiting()
        finally:
            made.close()
    finally:
        await journal.close()


async def _nothing(_: Callable[..., Awaitable[object]]) -> None:
    """Recover nothing: the next run does."""


def table(mail: WaitingMail, columns: int | None = None) -> Iterator[str]:
    """Yield the lines for people. `columns`: the width of the terminal; None: the last column is not cut."""
    from tui_popretr.ui.model.cells import fitted, width

    rows = [_HEADINGS, *(_row(each) for each in mail.messages)]
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    widths[:-1] = [min(cells, most or cells) for cells, most in zip(widths, _MOST, strict=False)]
    if columns is not None:
        widths[-1] = max(8, min(widths[-1], columns - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)))
    if mail.messages:
        for row in rows:
            cells = (
                fitted(cell, cells, right=at < 2) for at, (cell, cells) in enumerate(zip(row, widths, strict=True))
            )
            yield _GAP.join(cells).rstrip()
    yield f"{visible(mail.client)}: {plural(mail.count, 'message')}, {size(mail.octets)}"
    if mail.remark:
        yield visible(mail.remark)


def _row(message: WaitingMessage) -> tuple[str, ...]:
    who = message.name or message.sender
    texts = who, message.date, message.subject, message.text
    return (str(message.number), size(message.size), *(visible(each) for each in texts))
