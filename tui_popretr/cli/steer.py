"""`poll`, `pause`, `resume`, `stop`, `reload` and `shutdown`: requests to the daemon."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

from tui_popretr.cli.daemon import daemon_of
from tui_popretr.cli.polled_sessions import PolledSessions
from tui_popretr.control.client import ControlClient, RequestRefusedError
from tui_popretr.control.codec import known_event
from tui_popretr.errors import ConfigurationError, DaemonUnavailable, ExitCode, UsageError
from tui_popretr.facts import ConfigurationRejected, ConfigurationReloaded, ReloadStarted
from tui_popretr.text import visible
from tui_popretr.wording import reload_result


def run(arguments: Namespace) -> int:
    """Send the request, print the answer and return the exit code. Raises PopretrError."""
    if arguments.command in ("reload", "shutdown"):
        with daemon_of(arguments) as client:
            _print(wait_for_reload(client) if arguments.command == "reload" else client.ask(arguments.command))
        return ExitCode.OK
    if bool(arguments.clients) == arguments.all:
        raise UsageError(f"{arguments.command} needs --client ID or --all", advice="--client may be repeated")
    with daemon_of(arguments) as client:
        if arguments.command == "poll" and arguments.wait:
            return _poll_and_wait(client, arguments)
        for fields in _requests(arguments):
            _print(client.ask(arguments.command, **fields))
    return ExitCode.OK


def wait_for_reload(client: ControlClient) -> str:
    """Let the daemon read its configuration again; return what has changed.

    Raises ConfigurationError with the problems if the daemon keeps the old one.
    """
    client.ask("watch")
    number = client.send("reload")
    while (message := client.receive()).get("id") != number:
        pass
    if "error" in message:
        raise DaemonUnavailable(visible(str(message["error"]), 4096), advice="")
    client.wait_for_ever()
    started = False  # the first result after the answer may be that of an earlier reload
    while True:
        message = client.receive()
        if "gap" in message:  # the result may have been in it
            return "the configuration is read again; the log of the daemon reports the result"
        match known_event(message):
            case ReloadStarted():
                started = True
            case ConfigurationReloaded() as fact if started:
                return reload_result(fact)
            case ConfigurationRejected(problems=problems) if started:
                raise ConfigurationError("\n".join(problems), advice="the daemon keeps the old configuration")


def _requests(arguments: Namespace) -> Iterable[dict[str, object]]:
    if arguments.all:
        return [{"all": True}]
    return [{"client": each} for each in dict.fromkeys(arguments.clients)]


def _poll_and_wait(client: ControlClient, arguments: Namespace) -> int:
    """Poll, and wait until the polled sessions have ended; return the worst exit code."""
    sessions = PolledSessions(client.ask("watch"))
    for fields in _requests(arguments):
        number = client.send("poll", **fields)
        while (message := client.receive()).get("id") != number:
            _print_all(sessions.take(message))
        if "error" in message:
            raise RequestRefusedError(str(message["error"]))
        _print(message["ok"])
        sessions.polled(fields.get("client"))
    client.wait_for_ever()
    while not sessions.ended:
        _print_all(sessions.take(client.receive()))
    return sessions.exit_code


def _print(answer: object) -> None:
    print(visible(str(answer), 4096), flush=True)


def _print_all(lines: Iterable[str]) -> None:
    for line in lines:
        _print(line)
