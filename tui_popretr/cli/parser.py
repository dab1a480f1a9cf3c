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
from tui_popretr.cli.init import arguments as init_arguments
from tui_popretr.errors import UsageError

PROGRAM: Final = "tui-popretr"
#: The shells that arguments can be completed in.
SHELLS: Final = ("bash", "zsh", "tcsh")
#: The commands, with what `--help` says of each.
COMMANDS: Final = {
    "run": "retrieve mail (the default: the word may be left out)",
    "init": "make a first configuration, with a look at the server",
    "check": "say what is wrong with a configuration, or what it will do",
    "mark-seen": "count what is on a server now as seen, for newonly",
    "import-seen": "take over what fetchmail, getmail or mpop have seen",
    "info": "show paths and versions",
    "transcript": "read a transcript log as in the dashboard",
    "demo": "see it work, on a mail server that comes with the program",
}

_CONFIG_HELP = (
    "the configuration file; when left out, tui-popretr/tui-popretr.xml in your configuration folder (on Linux"
    " ~/.config), else /etc/tui-popretr.xml"
)
_NAF_HELP = "Mailismus's naf.xml, which names folders; when left out, the one beside the configuration, if any"
_CLIENT_HELP = "only the client with this id; may be given several times"

_EPILOG = """\
examples:
  tui-popretr demo                               see it work, without any account
  tui-popretr init                               make a first configuration
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

_MARK_SEEN_EPILOG = """\
examples:
  tui-popretr mark-seen mail.xml --client isp    what is there now is not retrieved: begin with what comes next

The client needs newonly="Y", and its server UIDL. Nothing is retrieved and nothing deleted: what is marked stays on the
server. Stop a tui-popretr that runs on this configuration first, and run this as the same user."""

_IMPORT_SEEN_EPILOG = """\
examples:
  tui-popretr import-seen mail.xml --client isp --from fetchmail --dry-run
  tui-popretr import-seen mail.xml --client isp --from getmail
  tui-popretr import-seen mail.xml --client isp --from mpop ~/.mpop_uidls/me_at_pop.example.net

Without FILE, the files are looked for where the program keeps them: ~/.fetchids; oldmail-... in ~/.config/getmail and
~/.getmail; ~/.mpop_uidls. The client needs newonly="Y". What is marked is neither retrieved nor ever deleted."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, advice=f"{self.prog} --help shows what there is")


class _PrintCompletion(argparse.Action):
    """Prints what a shell needs, as --help prints what a person does."""

    def __call__(self, parser: argparse.ArgumentParser, _space: object, shell: object, _option: object = None) -> None:
        from tui_popretr.cli.completion import script

        print(script(str(shell)))
        parser.exit()


def build_parser(*, run_is_implied: bool = False) -> argparse.ArgumentParser:
    """Return the parser of the whole command line. It wants arguments that normalise() has seen.

    `run_is_implied`: the options of `run` stand without the word too, as users may write them.
    """
    parser = _parser(
        Parser,
        prog=PROGRAM,
        usage=f"{PROGRAM} [run] [CONFIG] [--headless [--once]] [--client ID]...\n       {PROGRAM} COMMAND ...",
        description="Retrieves mail from many POP3 accounts at once and delivers each message durably, exactly once.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        action=_PrintCompletion,
        help="print what the shell needs to complete arguments",
    )
    if run_is_implied:
        _add_run_options(parser)
        _add_verbosity(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=PROGRAM, title="commands")

    def command(name: str, description: str, epilog: str, usage: str | None = None) -> argparse.ArgumentParser:
        words = {"help": COMMANDS[name], "description": description, "epilog": epilog}
        return _parser(commands.add_parser, name, usage=usage and f"{PROGRAM} {name} {usage}", **words)

    run = command("run", "Retrieves mail as the configuration says.", _RUN_EPILOG)
    _add_configuration(run)
    _add_run_options(run)
    init = command("init", init_arguments.DESCRIPTION, init_arguments.EPILOG)
    init_arguments.add_arguments(init)
    check = command(
        "check", "Reads a configuration and tells everything that is wrong with it, or what it will do.", _CHECK_EPILOG
    )
    _add_configuration(check)
    check.add_argument(
        "--connect", action="store_true", help="also log in to each server and show its TLS, abilities and mail"
    )
    _add_client(check)
    mark_seen = command(
        "mark-seen",
        "Logs in to the servers of the clients named and marks what is there now as seen, for newonly to pass over.",
        _MARK_SEEN_EPILOG,
        "[CONFIG] --client ID [--client ID]...",
    )
    _add_configuration(mark_seen)
    _add_client(mark_seen, help="the client whose mail is marked; may be given several times")
    import_seen = command(
        "import-seen",
        "Marks as seen what another retriever has retrieved and left on the server, so that it does not come again.",
        _IMPORT_SEEN_EPILOG,
        # argparse would show CONFIG behind --from, where it would be a FILE.
        "[CONFIG] --client ID [--client ID]... --from TOOL [FILE]...\n"
        "                               [--account USER@HOST] [--dry-run]",
    )
    _add_configuration(import_seen)
    _add_client(import_seen, help="the client whose mail it is; may be given several times")
    import_seen.add_argument(
        "--from",
        dest="source",
        nargs="+",
        required=True,
        metavar=("TOOL", "FILE"),
        help="fetchmail, getmail or mpop; and its files, where they are not in their usual place",
    )
    import_seen.add_argument(
        "--account",
        metavar="USER@HOST",
        help="what the other program calls the client's account, where that is not the client's username and host",
    )
    import_seen.add_argument("--dry-run", action="store_true", help="tell what is there, and mark nothing")
    info = command("info", "Shows where things are, and the versions of what the program runs on.", "")
    _add_configuration(info)
    transcript = command("transcript", "Shows a transcript log, old rotations included, and follows it.", "")
    transcript.add_argument("file", metavar="FILE", help="the log file; its end is shown first")
    transcript.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    demo = command(
        "demo", "Starts a small mail server on this machine and retrieves from it. Nothing leaves the machine.", ""
    )
    demo_arguments(demo)
    for each in (run, init, check, mark_seen, import_seen, info, transcript, demo):
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
    if first.partition("=")[0] in {"-h", "--help", "--version", "--print-completion"}:
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


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="no dashboard: say in lines what happens")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--once",
        action="store_true",
        help="every client once, now, whatever its schedule; then end with the worst client's exit code",
    )
    _add_client(parser)


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", nargs="?", help=_CONFIG_HELP)
    parser.add_argument("--naf", metavar="FILE", help=_NAF_HELP)


def _add_client(parser: argparse.ArgumentParser, *, help: str = _CLIENT_HELP) -> None:  # noqa: A002 - argparse's word
    parser.add_argument("--client", metavar="ID", dest="clients", action="append", default=[], help=help)


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more; may be repeated")
    parser.add_argument("-q", "--quiet", action="count", default=0, help="say less; may be repeated")
