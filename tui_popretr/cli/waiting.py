"""`waiting`: shows what is on a client's server, and why it is still there."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
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
_FROM, _DATE, _SUBJECT, _WHY = range(2, 6)
#: Which column becomes narrower on a terminal, and down to how many cells, until the table fits.
_NARROWER: Final = ((_WHY, 26), (_SUBJECT, 12), (_FROM, 10), (_WHY, 12), (_SUBJECT, 6), (_FROM, 6))


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
    """Yield the lines for people. `columns`: the width of the terminal; None: nothing is cut.

    On a terminal dates are short, From and Subject are cut where there is no room, and reasons have several lines.
    """
    from tui_popretr.ui.model.cells import fitted, width
    from tui_popretr.ui.model.formatting import wrap

    rows = [_HEADINGS, *(_row(each, None if columns is None else mail.at) for each in mail.messages)]
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    if columns is not None:
        room = columns - len(_GAP) * (len(widths) - 1)
        for column, least in _NARROWER:
            widths[column] -= max(0, min(sum(widths) - room, widths[column] - least))
    for row in rows if mail.messages else ():
        for number, reason in enumerate(wrap(row[_WHY], widths[_WHY])):
            cells = ("",) * _WHY if number else row[:_WHY]
            placed = [fitted(cell, widths[column], right=column < _FROM) for column, cell in enumerate(cells)]
            yield _GAP.join((*placed, reason)).rstrip()
    yield f"{visible(mail.client)}: {plural(mail.count, 'message')}, {size(mail.octets)}"
    if mail.remark:
        yield visible(mail.remark)


def _row(message: WaitingMessage, now: datetime | None) -> tuple[str, ...]:
    """Return the cells of a message; `now`: dates are short, and as seen from this time."""
    from tui_popretr.ui.model.cells import sanitize
    from tui_popretr.ui.model.formatting import header_date

    date = message.date if now is None else header_date(message.date, now)
    texts = message.name or message.sender, date, message.subject, message.text
    return str(message.number), size(message.size), *map(sanitize, texts)
