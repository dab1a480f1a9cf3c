"""The real program, made to kill itself at a step: `python -m tests.program.steps STEP N CONFIG --headless`.

It is the ordinary main; this module only sets the action at its labelled steps (tui_popretr/faultpoints.py).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tui_popretr import faultpoints
from tui_popretr.delivery.gmail import marks
from tui_popretr.faultpoints import Step

#: Means every step.
ANY = "ANY"
#: The name and the contents that obstruct() uses.
AWAY = "new.away"
STRANGER = b"a file of somebody else's\n"


@dataclass(frozen=True, slots=True)
class Orders:
    """The process kills itself at the `nth` arrival at `step`; ANY counts all steps together.

    `shake`: a seed; threads pause for a moment at random steps, so that they interleave in unusual ways.
    `obstructed`: in this destination, a Maildir or folder, the journal's first message cannot be published.
    `tell`: a descriptor: the process writes an octet there instead of killing itself. `last`: a file for the name of
    the step that was reached last. `begin`: steps count once this file exists.
    """

    step: str
    nth: int = 1
    shake: int | None = None
    obstructed: Path | None = None
    tell: int | None = None
    last: Path | None = None
    begin: Path | None = None

    def arguments(self) -> list[str]:
        """Return them as arguments of the command line."""
        options = {
            "--shake": self.shake,
            "--obstructed": self.obstructed,
            "--tell": self.tell,
            "--last": self.last,
            "--begin": self.begin,
        }
        given = [f"{name}={value}" for name, value in options.items() if value is not None]
        return [*given, self.step, str(self.nth)]

    def __str__(self) -> str:
        return f"{self.step} {self.nth}{'' if self.shake is None else f', shaken by {self.shake}'}"


class Obedience:
    """Is called at each step, in the thread that reached it."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._last = os.open(orders.last or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._chance = None if orders.shake is None else random.Random(orders.shake)
        self._arrivals = Counter[str]()
        self._lock = threading.Lock()

    def __call__(self, step: Step) -> None:
        if self._orders.begin is not None and not self._orders.begin.exists():
            return
        with self._lock:
            os.pwrite(self._last, step.name.ljust(40).encode(), 0)
            self._arrivals.update((step.name, ANY))
            if step is Step.DELIVERING and self._arrivals[step.name] == 1 and self._orders.obstructed is not None:
                obstruct(self._orders.obstructed)
            if self._orders.step in (step.name, ANY) and self._arrivals[self._orders.step] == self._orders.nth:
                if self._orders.tell is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                else:
                    os.write(self._orders.tell, b".")
            pause = 0.0 if self._chance is None or self._chance.random() > 0.05 else self._chance.random() * 0.004
        if pause:
            time.sleep(pause)


def obstruct(destination: Path) -> None:
    """Rename a Maildir's new; in a folder, put a foreign file at the path of the first message."""
    if (destination / "new").exists():
        (destination / "new").rename(destination / AWAY)
    for unfinished in destination.glob(".*Q1.part"):
        (destination / unfinished.name[1:].rpartition(".J")[0]).write_bytes(STRANGER)


def main(arguments: Sequence[str]) -> None:
    """Run the program under orders."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shake", type=int)
    parser.add_argument("--obstructed", type=Path)
    parser.add_argument("--tell", type=int)
    parser.add_argument("--last", type=Path)
    parser.add_argument("--begin", type=Path)
    parser.add_argument("step", choices=[*(step.name for step in Step), ANY])
    parser.add_argument("nth", type=int)
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the program's own arguments")
    given = parser.parse_args(arguments)
    orders = Orders(given.step, given.nth, given.shake, given.obstructed, given.tell, given.last, given.begin)
    faultpoints.action = Obedience(orders)
    marks.SEARCH_DELAY = 0.0  # the tests' Gmail finds a message at once
    marks.SLOW = sys.maxsize  # and has its octets at once
    sys.argv = ["tui-popretr", *given.program]
    from tui_popretr.__main__ import main as program

    program()


if __name__ == "__main__":
    main(sys.argv[1:])
