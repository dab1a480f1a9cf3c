"""`tui-popretr` without a configuration, on a terminal: offers `init` and `demo`."""

from __future__ import annotations

from argparse import Namespace

from tui_popretr.errors import NoConfiguration
from tui_popretr.wording import sentence


def offers(arguments: Namespace) -> bool:
    """Whether the user can be asked: `run` was called for the dashboard, with no choice of clients, on a terminal."""
    from tui_popretr.cli.init.console import has_terminal

    return not (arguments.headless or arguments.once or arguments.clients) and has_terminal()


def offer(problem: NoConfiguration, arguments: Namespace) -> int:
    """Ask what to do without a configuration, do it, and return the exit code. Raises `problem` if it is nothing."""
    from tui_popretr.cli.folding import folded
    from tui_popretr.cli.init.console import Console
    from tui_popretr.cli.parser import build_parser, normalise

    console = Console(interactive=True, quiet=False)
    print(folded(f"{sentence(str(problem))}\n"))
    choice = console.choose(
        "What shall it do?",
        [
            "make one: it asks for the mail address, finds the server and tests the login (tui-popretr init)",
            "show the program at work with a mail server of its own; nothing leaves this machine (tui-popretr demo)",
            "nothing",
        ],
    )
    if choice == 1:
        from tui_popretr.cli.init import command

        print()
        return command.run(build_parser().parse_args(normalise(["init"])))
    if choice == 2:
        from tui_popretr.cli import demo

        options = ["--no-mouse"] if arguments.no_mouse else []
        return demo.run(build_parser().parse_args(normalise(["demo", *options])))
    raise problem
