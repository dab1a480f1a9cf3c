"""The grammar of the command line, also the source of the manual page and of shell completion."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Final, NoReturn

from tui_popretr import __version__
from tui_popretr.cli import daemon_arguments
from tui_popretr.cli.argparse_private import HelpFormatter
from tui_popretr.cli.demo import add_arguments as demo_arguments
from tui_popretr.cli.init import arguments as init_arguments
from tui_popretr.cli.login import arguments as login_arguments
from tui_popretr.errors import UsageError

PROGRAM: Final = "tui-popretr"
#: The shells with completion.
SHELLS: Final = ("bash", "zsh", "fish", "tcsh")
#: The events of hooks (config.choices.HookEvent, which takes longer to load).
HOOK_EVENTS: Final = ("failed", "recovered", "delivered", "login", "certificate", "stale", "kept")
#: The commands, with their line in `--help`.
COMMANDS: Final = {
    "run": "retrieve mail (the default: the word can be left out)",
    "init": "make a configuration or add an account to it, and test the server",
    "check": "report what is wrong with a configuration, or what it will do",
    "login": "log in at a provider by OAuth, in a browser on any machine",
    "demo": "see it work with a mail server that is part of the program",
    "service": "print or write the systemd units of a configuration",
    "attach": "show the dashboard of the daemon (the tui-popretr that runs)",
    "status": "show the clients of the daemon",
    "poll": "let clients of the daemon run now",
    "pause": "pause clients of the daemon",
    "resume": "let paused clients continue their schedule",
    "stop": "end running sessions of the daemon",
    "reload": "let the daemon read its configuration again",
    "shutdown": "end the daemon",
    "tail": "show the dialogue of the daemon with its servers",
    "waiting": "show what is on a client's server, and why it is still there",
    "hook": "run the hooks of an event once, to test them",
    "mark-seen": "mark the mail that is on a server now as seen, for newonly",
    "import-seen": "mark as seen what fetchmail, getmail or mpop have retrieved",
    "transcript": "show a transcript log as in the dashboard",
    "info": "show paths and versions",
}

_CONFIG_HELP = (
    "the configuration file (default: tui-popretr/tui-popretr.xml in your configuration folder, on Linux ~/.config;"
    " if it does not exist, /etc/tui-popretr.xml)"
)
_NAF_HELP = "Mailismus's naf.xml, which names folders (default: the one in the folder of the configuration, if any)"
_CLIENT_HELP = "only the client with this id; may be repeated"

_EPILOG = """\
examples:
  tui-popretr demo                               see it work, without an account
  tui-popretr init                               make a first configuration
  tui-popretr check mail.xml                     is the configuration right?
  tui-popretr check mail.xml --connect           do the servers and passwords work?
  tui-popretr mail.xml                           retrieve mail on the dashboard
  tui-popretr mail.xml --headless --once         retrieve once and exit
  tui-popretr mail.xml --headless                retrieve on schedule, until stopped
  tui-popretr status mail.xml                    what does the daemon do?

Help for one command: tui-popretr check --help

exit codes: 0 success, with or without mail · 64 command line · 69 server unavailable · 70 internal error · 73 cannot
create a file · 74 reading or writing failed · 75 temporary failure, try again later · 76 unexpected protocol or
certificate · 77 login failed · 78 configuration"""

_RUN_EPILOG = """\
examples:
  tui-popretr mail.xml                           the dashboard; ? shows its keys, q quits
  tui-popretr mail.xml --headless                every client on its schedule, until stopped
  tui-popretr --headless --once                  every client once, now; configuration in its usual place
  tui-popretr mail.xml --headless --once --client isp --client work

signals: TERM or INT (ctrl+c) stops gracefully within 10 seconds, a second one immediately; HUP reloads the
configuration (with --once it stops gracefully)."""

_CHECK_EPILOG = """\
examples:
  tui-popretr check mail.xml
  tui-popretr check mail.xml --connect --client isp

Without --connect, check uses no network. With it, check connects to each server, logs in, lists the mail and quits.
It retrieves and deletes nothing. The timeout for a reply is 30 seconds or less."""

_ATTACH_EPILOG = """\
examples:
  tui-popretr attach                             your own configuration's
  tui-popretr attach mail.xml --read-only        watch, and change nothing

q detaches, and the daemon goes on. If the daemon ends, the dashboard says so, and reconnects when it runs again."""

_SERVICE_EPILOG = """\
examples:
  tui-popretr service                            print the unit of your own configuration
  tui-popretr service mail.xml --write           write it, and show how to start it
  tui-popretr service /etc/tui-popretr.xml --system --timer

docs/systemd.md explains the units."""

_WAITING_EPILOG = """\
examples:
  tui-popretr waiting mail.xml --client isp
  tui-popretr waiting mail.xml --client isp --json | jq '.messages[] | select(.size > 10000000)'

The daemon asks the server where one runs, else this command does, in a session of its own. At most the latest 500
messages are listed, with what TOP shows of them."""

_HOOK_EPILOG = """\
examples:
  tui-popretr hook --on failed --client isp      every hook on failed, as if isp had failed

docs/hooks.md has the events, and hooks that can be used as they are. The exit code is 0 if each hook ended with 0."""

_MARK_SEEN_EPILOG = """\
examples:
  tui-popretr mark-seen mail.xml --client isp    skip existing mail and start with new messages

The client needs newonly="Y", and its server needs UIDL. mark-seen retrieves and deletes nothing: marked mail stays on
the server. Stop a tui-popretr that uses the same configuration first, and run this command as the same user."""

_IMPORT_SEEN_EPILOG = """\
examples:
  tui-popretr import-seen mail.xml --client isp --from fetchmail --dry-run
  tui-popretr import-seen mail.xml --client isp --from getmail
  tui-popretr import-seen mail.xml --client isp --from mpop ~/.mpop_uidls/me_at_pop.example.net

Without FILE, import-seen reads the files in the program's usual places: ~/.fetchids; oldmail-... in ~/.config/getmail
and ~/.getmail; ~/.mpop_uidls. The client needs newonly="Y". Marked mail is neither retrieved nor ever deleted."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, advice=f"see {self.prog} --help")


class _PrintCompletion(argparse.Action):
    """Prints the completion script of a shell and exits, as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, _space: object, shell: object, _option: object = None) -> None:
        from tui_popretr.cli.completion import script

        print(script(str(shell)))
        parser.exit()


def build_parser(*, run_is_implied: bool = False) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, for arguments that normalise() has returned.

    `run_is_implied`: accept the options of `run` without the word, as users type them.
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
        help="print the script that completes arguments in this shell",
    )
    if run_is_implied:
        _add_run_options(parser)
        _add_verbosity(parser)
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=PROGRAM, title="commands")

    def command(name: str, description: str, epilog: str = "", usage: str | None = None) -> argparse.ArgumentParser:
        texts = {"help": COMMANDS[name], "description": description, "epilog": epilog}
        return _parser(parsers.add_parser, name, usage=usage and f"{PROGRAM} {name} {usage}", **texts)

    def steering(name: str) -> argparse.ArgumentParser:
        parser = command(
            name,
            daemon_arguments.DESCRIPTIONS[name],
            daemon_arguments.EPILOGS.get(name, ""),
            daemon_arguments.USAGES.get(name),
        )
        _add_configuration(parser)
        daemon_arguments.add_arguments(name, parser)
        return parser

    # In this order they are listed: what a new user needs, the daemon, the rest.
    for add in (_run, _init, _check, _login, _demo, _service, _attach):
        _add_verbosity(add(command))
    for name in daemon_arguments.DESCRIPTIONS:
        _add_verbosity(steering(name))
    for add in (_waiting, _hook, _mark_seen, _import_seen, _transcript, _info):
        _add_verbosity(add(command))
    return parser


# --- commands ---------------------------------------------------------------------------------------------------------

#: Makes the parser of a command from its name, description, epilog and usage.
_Command = Callable[..., argparse.ArgumentParser]


def _run(command: _Command) -> argparse.ArgumentParser:
    parser = command("run", "Retrieves mail as configured.", _RUN_EPILOG)
    _add_configuration(parser)
    _add_run_options(parser)
    return parser


def _init(command: _Command) -> argparse.ArgumentParser:
    parser = command("init", init_arguments.DESCRIPTION, init_arguments.EPILOG)
    init_arguments.add_arguments(parser)
    return parser


def _attach(command: _Command) -> argparse.ArgumentParser:
    parser = command(
        "attach",
        "Shows the dashboard of the daemon: the tui-popretr that runs with a configuration.",
        _ATTACH_EPILOG,
        "[CONFIG] [--read-only]",
    )
    _add_configuration(parser)
    parser.add_argument("--read-only", action="store_true", help="only watch: actions are refused")
    _add_no_mouse(parser)
    return parser


def _check(command: _Command) -> argparse.ArgumentParser:
    description = "Reads a configuration and reports every mistake in it, or what it will do."
    parser = command("check", description, _CHECK_EPILOG)
    _add_configuration(parser)
    parser.add_argument(
        "--connect", action="store_true", help="also log in to each server and show its TLS, capabilities and mail"
    )
    daemon_arguments.add_client(parser, _CLIENT_HELP)
    _add_json(parser)
    return parser


def _login(command: _Command) -> argparse.ArgumentParser:
    parser = command("login", login_arguments.DESCRIPTION, login_arguments.EPILOG, login_arguments.USAGE)
    _add_configuration(parser)
    login_arguments.add_arguments(parser)
    return parser


def _hook(command: _Command) -> argparse.ArgumentParser:
    parser = command(
        "hook",
        "Runs every hook of an event once, with sample data, and shows what it prints and how it ends.",
        _HOOK_EPILOG,
        "[CONFIG] --on EVENT --client ID",
    )
    _add_configuration(parser)
    parser.add_argument("--on", required=True, choices=HOOK_EVENTS, metavar="EVENT", help=", ".join(HOOK_EVENTS))
    parser.add_argument("--client", required=True, metavar="ID", help="the client that the sample data is about")
    return parser


def _waiting(command: _Command) -> argparse.ArgumentParser:
    parser = command(
        "waiting",
        "Shows what is on a client's server, newest first, and why it is still there. Retrieves and deletes nothing.",
        _WAITING_EPILOG,
        "[CONFIG] --client ID [--json]",
    )
    _add_configuration(parser)
    parser.add_argument("--client", required=True, metavar="ID", help="the client whose server is asked")
    _add_json(parser)
    return parser


def _mark_seen(command: _Command) -> argparse.ArgumentParser:
    parser = command(
        "mark-seen",
        "Logs in to the servers of the named clients and marks their mail as seen, so that newonly skips it.",
        _MARK_SEEN_EPILOG,
        "[CONFIG] --client ID [--client ID]...",
    )
    _add_configuration(parser)
    daemon_arguments.add_client(parser, "the client to mark mail for; may be repeated")
    return parser


def _import_seen(command: _Command) -> argparse.ArgumentParser:
    parser = command(
        "import-seen",
        "Marks as seen what another retriever has retrieved and left on the server, so that it is not retrieved again.",
        _IMPORT_SEEN_EPILOG,
        # argparse would show CONFIG after --from, where it would be read as a FILE.
        "[CONFIG] --client ID [--client ID]... --from TOOL [FILE]...\n"
        "                               [--account USER@HOST] [--dry-run]",
    )
    _add_configuration(parser)
    daemon_arguments.add_client(parser, "the client to mark mail for; may be repeated")
    parser.add_argument(
        "--from",
        dest="source",
        nargs="+",
        required=True,
        metavar=("TOOL", "FILE"),
        help="fetchmail, getmail or mpop, and its files if they are not in their usual place",
    )
    parser.add_argument(
        "--account",
        metavar="USER@HOST",
        help="the account's name in the other program, if it differs from the client's username and host",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be marked, and mark nothing")
    return parser


def _info(command: _Command) -> argparse.ArgumentParser:
    parser = command("info", "Shows the paths of a configuration, and the versions of the program and its libraries.")
    _add_configuration(parser)
    _add_json(parser)
    return parser


def _transcript(command: _Command) -> argparse.ArgumentParser:
    parser = command("transcript", "Shows a transcript log, including older rotations, and follows it.")
    parser.add_argument("file", metavar="FILE", help="the log file; its end is shown first")
    _add_no_mouse(parser)
    return parser


def _service(command: _Command) -> argparse.ArgumentParser:
    parser = command(
        "service",
        "Prints a hardened systemd unit that runs a configuration without a dashboard, with the right paths in it.",
        _SERVICE_EPILOG,
        "[CONFIG] [--user | --system] [--timer] [--write]",
    )
    _add_configuration(parser)
    manager = parser.add_mutually_exclusive_group()
    manager.add_argument(
        "--user",
        dest="manager",
        action="store_const",
        const="user",
        help="for your own systemd (the default, except for root)",
    )
    manager.add_argument(
        "--system",
        dest="manager",
        action="store_const",
        const="system",
        help="for the machine's (the default for root)",
    )
    parser.add_argument(
        "--timer", action="store_true", help="a service that retrieves once, and a timer that starts it"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the units where systemd looks for them; a file that differs is never replaced",
    )
    return parser


def _demo(command: _Command) -> argparse.ArgumentParser:
    description = "Starts a small mail server on this machine and retrieves mail from it. Nothing leaves the machine."
    parser = command("demo", description)
    demo_arguments(parser)
    return parser


# --- arguments of several commands ------------------------------------------------------------------------------------


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="no dashboard: report in lines on standard error")
    _add_no_mouse(parser)
    parser.add_argument(
        "--once",
        action="store_true",
        help="every client once, now, whatever its schedule; then exit with the worst client's exit code",
    )
    _add_json(parser, "with --once: print the result of each client as JSON on standard output")
    daemon_arguments.add_client(parser, _CLIENT_HELP)


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", nargs="?", help=_CONFIG_HELP)
    parser.add_argument("--naf", metavar="FILE", help=_NAF_HELP)


def _add_json(parser: argparse.ArgumentParser, text: str = "print the report as JSON") -> None:
    parser.add_argument("--json", action="store_true", help=text)


def _add_no_mouse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="count", default=0, help="print more; may be repeated")
    parser.add_argument("-q", "--quiet", action="count", default=0, help="print less; may be repeated")


def _parser(
    make: Callable[..., argparse.ArgumentParser], *names: str, **settings: str | None
) -> argparse.ArgumentParser:
    # An abbreviation in a crontab would change its meaning when an option is added.
    return make(*names, **settings, allow_abbrev=False, formatter_class=HelpFormatter)


# --- before parsing ---------------------------------------------------------------------------------------------------


def normalise(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the command first: `run` if none is named.

    -v and -q may precede the command. Raises UsageError for a first word that looks like a misspelt command and is not
    a file.
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
    raise UsageError(f"there is no command and no file '{word}'{hint}", advice=f"see {PROGRAM} --help")


def _is_verbosity(argument: str) -> bool:
    return argument in {"--verbose", "--quiet"} or (
        len(argument) > 1 and argument[0] == "-" and set(argument[1:]) <= {"v", "q"}
    )
