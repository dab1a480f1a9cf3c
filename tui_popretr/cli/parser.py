"""The grammar of the command line. One function builds it, for the program as for whatever is made from it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Final, NoReturn

from tui_popretr import __version__
from tui_popretr.cli.demo import add_arguments as demo_arguments
from tui_popretr.errors import UsageError

PROGRAM: Final = "tui-popretr"
#: The commands, with what `--help` says of each.
COMMANDS: Final = {
    "run": "retrieve mail (the default: the word may be left out)",
    "check": "say what is wrong with a configuration, or what it will do",
    "info": "show paths and versions",
    "transcript": "read a transcript log as in the dashboard",
    "demo": "see it work, on a mail server that comes with the program",
}

_CONFIG_HELP = (
    "the configuration file; when left out, tui-popretr/tui-popretr.xml in your configuration folder (on Linux"
    " ~/.config), else /etc/tui-popretr.xml"
)
_CLIENT_HELP = "only the client with this id; may be given several times"

_EPILOG = """\
examples:
  tui-popretr demo                               see it work, without any account
  tui-popretr check mail.xml                     is the configuration right?
  tui-popretr check mail.xml --connect           do the servers and passwords work?
  tui-popretr mail.xml                           retrieve, and watch it on the dashboard
  tui-popretr mail.xml --headless --once         retrieve once, and end
  tui-popretr mail.xml --headless                retrieve on schedule, until stopped

Each command explains itself: tui-popretr check --help

exit codes: 0 fine, mail or none · 64 command line · 69 server unavailable · 70 internal error · 73 cannot create a
file · 74 reading or writing failed · 75 try again later · 76 not the protocol or certificate that was expected ·
77 login · 78 configuration"""

_RUN_EPILOG = """\
examples:
  tui-popretr mail.xml                           the dashboard; ? shows its keys, q ends it
  tui-popretr mail.xml --headless                every client on its schedule, until stopped
  tui-popretr --headless --once                  every client once, now; configuration in its usual place
  tui-popretr mail.xml --headless --once --client isp --client work

signals: TERM or INT (ctrl+c) ends in good order within 10 seconds, a second one at once; HUP reads the configuration
again (with --once it ends)."""

_CHECK_EPILOG = """\
examples:
  tui-popretr check mail.xml
  tui-popretr check mail.xml --connect --client isp

Without --connect nothing leaves this machine. With it each server is visited: connect, log in, count, leave. Nothing
is retrieved and nothing deleted. A reply is waited for 30 seconds at most."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, advice=f"{self.prog} --help shows what there is")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line. It wants arguments that normalise() has seen."""
    parser = _parser(
        Parser,
        prog=PROGRAM,
        usage=f"{PROGRAM} [run] [CONFIG] [--headless [--once]] [--client ID]...\n       {PROGRAM} COMMAND ...",
        description="Retrieves mail from many POP3 accounts at once and delivers each message durably, exactly once.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=PROGRAM, title="commands")

    def command(name: str, description: str, epilog: str) -> argparse.ArgumentParser:
        return _parser(commands.add_parser, name, help=COMMANDS[name], description=description, epilog=epilog)

    run = command("run", "Retrieves mail as the configuration says.", _RUN_EPILOG)
    _add_configuration(run)
    run.add_argument("--headless", action="store_true", help="no dashboard: say in lines what happens")
    run.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    run.add_argument(
        "--once",
        action="store_true",
        help="every client once, now, whatever its schedule; then end with the worst client's exit code",
    )
    _add_client(run)
    check = command(
        "check", "Reads a configuration and tells everything that is wrong with it, or what it will do.", _CHECK_EPILOG
    )
    _add_configuration(check)
    check.add_argument(
        "--connect", action="store_true", help="also log in to each server and show its TLS, abilities and mail"
    )
    _add_client(check)
    info = command("info", "Shows where things are, and the versions of what the program runs on.", "")
    _add_configuration(info)
    transcript = command("transcript", "Shows a transcript log, old rotations included, and follows it.", "")
    transcript.add_argument("file", metavar="FILE", help="the log file; its end is shown first")
    transcript.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    demo = command(
        "demo", "Starts a small mail server on this machine and retrieves from it. Nothing leaves the machine.", ""
    )
    demo_arguments(demo)
    for each in (run, check, info, transcript, demo):
        _add_verbosity(each)
    return parser


def normalise(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the command in front: `run` where none is named.

    -v and -q may stand before the command. Raises UsageError for a first word that is neither a command nor a file
    but looks like a misspelt command.
    """
    leading = list(takewhile(_is_verbosity, arguments))
    rest = list(arguments[len(leading) :])
    first = rest[0] if rest else ""
    if first in COMMANDS:
        return [first, *leading, *rest[1:]]
    if first in {"-h", "--help", "--version"}:
        return rest
    if re.fullmatch("[a-z][a-z-]*", first) and not os.path.exists(first):
        _refuse_word(first)
    return ["run", *leading, *rest]


def _refuse_word(word: str) -> NoReturn:
    from tui_popretr.config.values import did_you_mean

    hint = did_you_mean(word, COMMANDS) or f"; the commands are {', '.join(COMMANDS)}"
    raise UsageError(f"there is no command and no file '{word}'{hint}", advice=f"{PROGRAM} --help shows what there is")


def _is_verbosity(argument: str) -> bool:
    return argument in {"--verbose", "--quiet"} or (
        len(argument) > 1 and argument[0] == "-" and set(argument[1:]) <= {"v", "q"}
    )


def _parser(
    make: Callable[..., argparse.ArgumentParser], *names: str, **settings: str | None
) -> argparse.ArgumentParser:
    # Abbreviations would make every later option a danger to somebody's crontab.
    return make(*names, **settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", nargs="?", help=_CONFIG_HELP)


def _add_client(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--client", metavar="ID", dest="clients", action="append", default=[], help=_CLIENT_HELP)


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more; may be repeated")
    parser.add_argument("-q", "--quiet", action="count", default=0, help="say less; may be repeated")
