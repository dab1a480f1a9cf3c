"""The grammar of the commands that watch and steer the daemon."""

from __future__ import annotations

import argparse
from typing import Final

DESCRIPTIONS: Final = {
    "status": "Shows the clients of the daemon: the tui-popretr that runs with a configuration.",
    "poll": "Lets clients of the daemon run now. A paused client runs once and stays paused.",
    "pause": "Pauses clients of the daemon: no further sessions start, and running sessions continue.",
    "resume": "Lets paused clients of the daemon continue their schedule.",
    "stop": "Ends running sessions gracefully: the messages in flight are stored, then QUIT is sent.",
    "reload": "Lets the daemon read its configuration again. After an error the old one stays in force.",
    "shutdown": "Ends the daemon gracefully, as SIGTERM does.",
    "tail": "Shows the dialogue of the daemon with its servers, as it comes. ctrl+c ends it.",
}
_CLIENTS: Final = "[CONFIG] (--client ID [--client ID]... | --all)"
USAGES: Final = {
    "poll": f"{_CLIENTS} [--wait]",
    "pause": _CLIENTS,
    "resume": _CLIENTS,
    "stop": _CLIENTS,
}
EPILOGS: Final = {
    "status": """\
examples:
  tui-popretr status mail.xml
  tui-popretr status mail.xml --json | jq '.clients[] | select(.state == "failed")'
  tui-popretr status mail.xml --exit-code >/dev/null || echo "mail is not retrieved\"""",
    "poll": """\
examples:
  tui-popretr poll mail.xml --client isp
  tui-popretr poll mail.xml --all --wait""",
    "tail": """\
examples:
  tui-popretr tail mail.xml --client isp
  tui-popretr tail mail.xml --json | jq 'select(.event == "message_delivered")'""",
}


def add_client(parser: argparse.ArgumentParser, text: str) -> None:
    """Add --client, which may be repeated; `text` is its help."""
    parser.add_argument("--client", metavar="ID", dest="clients", action="append", default=[], help=text)


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the options of a command."""
    if name in USAGES:
        add_client(parser, "this client; may be repeated")
        parser.add_argument("--all", action="store_true", help="every client")
    match name:
        case "status":
            form = parser.add_mutually_exclusive_group()
            form.add_argument("--json", action="store_true", help="print the status as JSON")
            form.add_argument("--prometheus", action="store_true", help="print metrics for Prometheus")
            parser.add_argument(
                "--exit-code", action="store_true", help="exit with the worst client's exit code, by its last session"
            )
        case "poll":
            parser.add_argument(
                "--wait", action="store_true", help="wait for the end of these sessions; exit with the worst exit code"
            )
        case "tail":
            add_client(parser, "only this client; may be repeated")
            parser.add_argument("--json", action="store_true", help="print every event as one line of JSON")
