"""`tail`: prints the dialogue or the events of the daemon as they come."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from tui_popretr.cli.daemon import daemon_of
from tui_popretr.config.values import did_you_mean
from tui_popretr.control.codec import known_event
from tui_popretr.errors import ExitCode, UsageError
from tui_popretr.facts import DialogueLine, Direction, client_of
from tui_popretr.text import json_text, visible

_LONGEST = 4096


def run(arguments: Namespace) -> int:
    """Print until ctrl+c, or until the other side of a pipe or of the socket closes. Raises PopretrError."""
    wanted = frozenset(arguments.clients)
    try:
        with daemon_of(arguments) as client:
            snapshot = client.ask("watch", dialogue=True)
            _require_known(wanted, [each["id"] for each in snapshot["clients"]])
            client.wait_for_ever()
            for message in client.events():
                _print(message, wanted, as_json=arguments.json)
    except KeyboardInterrupt:
        return ExitCode.OK
    return ExitCode.OK


def _require_known(wanted: frozenset[str], known: list[str]) -> None:
    for each in sorted(wanted.difference(known)):
        raise UsageError(
            f"there is no client '{visible(each, 60)}'{did_you_mean(each, known)}",
            advice="tui-popretr status lists the clients",
        )


def _print(message: dict[str, Any], wanted: frozenset[str], *, as_json: bool) -> None:
    if "gap" in message:
        lost = f"{message['gap']:,}" if isinstance(message["gap"], int) else "some"
        print(json_text(message) if as_json else f"... {lost} events are left out: the output is too slow", flush=True)
    elif "event" in message:
        fact = known_event(message)
        if wanted and (fact is None or client_of(fact) not in wanted):
            return
        if as_json:
            print(json_text(message), flush=True)
        elif isinstance(fact, DialogueLine):
            print(visible(shown(fact), _LONGEST), flush=True)


def shown(line: DialogueLine) -> str:
    """Return a line of dialogue for people."""
    mark = line.direction.value if line.direction in (Direction.IN, Direction.OUT) else "--"
    return f"{line.at:%H:%M:%S} {line.session} {mark} {line.text}"
