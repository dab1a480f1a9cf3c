"""Delivery to a command, which is run once for each message, one at a time."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Collection
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Final

from tui_popretr.config.command import words_of_place
from tui_popretr.config.model import CommandDestination
from tui_popretr.delivery.command.exit_status import describe_exit, lines, raise_for_exit_code, receipt
from tui_popretr.delivery.command.run import CommandEnd, environment, run
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.spooldraft import SpoolDraft
from tui_popretr.errors import CommandDeferred, CommandUnusable, DeliveryFailed, describe_os_error
from tui_popretr.facts import Direction
from tui_popretr.process.children import ChildProcesses
from tui_popretr.text import visible

#: Seconds that close() waits for a command.
_CLOSE_TIMEOUT: Final = 0.8
#: Errors at the start that are caused by the command, with a text that says more than the system's.
_START_ERRORS: Final = {
    errno.ENOENT: "it is not there, or the interpreter that its first line names is not",
    errno.EACCES: "it may not be executed",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.ENOEXEC: "it is no program, nor a script that begins with #!",
    errno.ELOOP: "a symbolic link stands in the way",
}


class CommandSink:
    """The Sink of a command, for one session.

    The key has the program's name and a hash of its arguments, which determine the destination and may be private.

    After interrupt() every delivery fails until make_ready(). After close() every delivery fails.
    """

    remote = True

    def __init__(
        self,
        destination: CommandDestination,
        *,
        spool: str,
        withheld: Collection[str] = (),
        children: ChildProcesses | None = None,
        said: Callable[[Direction, str], None] = lambda *_: None,
    ) -> None:
        """`spool` is the folder for large messages; `withheld` are variables that the command does not get.

        `said` is called with lines for the transcript, safe to show, in the thread of publish().
        """
        words = "\0".join(words_of_place(destination.argv)).encode("utf-8", "surrogateescape")
        self._name = visible(destination.argv[0], 256)
        self.key = f"command:{self._name}#{sha256(words).hexdigest()[:16]}"
        self.lane = f"{self.key}#{os.urandom(8).hex()}"
        self.eol = destination.eol
        self._destination = destination
        self._spool = spool
        self._withheld = withheld
        self._children = children or ChildProcesses()
        self._said = said
        self._turn = threading.Lock()  # one message at a time
        self._interrupted = threading.Event()
        self._closed = False

    def open(self, record_id: int, when: datetime) -> SpoolDraft:  # noqa: ARG002 - no file name is needed
        return SpoolDraft(record_id, f"Command={self._name}", self._spool, self._deliver)

    def make_ready(self, octets: int) -> None:
        """Check that the program exists, and that there is room for the message in the spool."""
        self._interrupted.clear()
        self._check_open()
        if shutil.which(self._destination.argv[0], path=self._environment["PATH"]) is None:
            raise CommandUnusable(f"cannot run {self._name}: {self._missing()}")
        Folders(self._spool, (), None).make_ready(octets)

    def clean_orphans(self, known: Collection[str]) -> list[str]:  # noqa: ARG002 - spool files have no name
        return []

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self._closed = True
        self.interrupt()
        if self._turn.acquire(timeout=_CLOSE_TIMEOUT):
            self._turn.release()

    # --- inside -------------------------------------------------------------------------------------------------------

    @cached_property
    def _environment(self) -> dict[str, str]:
        return environment(self._withheld)

    def _check_open(self) -> None:
        if self._closed or self._interrupted.is_set():
            raise CommandDeferred(f"nothing more is sent to {self._name}, because the session is ending")

    def _missing(self) -> str:
        program = self._destination.argv[0]
        if "/" not in program:
            return f"there is no such program in the PATH of this process, {visible(self._environment['PATH'], 256)}"
        if os.path.isdir(program):
            return "it is a folder"
        return _START_ERRORS[errno.EACCES if os.path.exists(program) else errno.ENOENT]

    def _deliver(self, message: Spool) -> str:
        """Run the command with a message; return the receipt. Raises DeliveryFailed."""
        with self._turn:
            self._check_open()
            file = message.file()
            self._said(Direction.EVENT, f"MDA {self._name} gets MessageBody octets={message.octets}")
            try:
                end = run(
                    self._children,
                    self._destination.argv,
                    file,
                    self._environment,
                    timeout=self._destination.timeout,
                    stopped=self._interrupted.is_set,
                )
            except OSError as error:
                raise self._unusable(error) from error
            self._log(end)
        raise_for_exit_code(self._name, end, self._destination.timeout, interrupted=self._interrupted.is_set())
        return receipt(end)

    def _log(self, end: CommandEnd) -> None:
        for line in lines(end):
            self._said(Direction.IN, f"MDA {line}")
        self._said(Direction.EVENT, f"MDA {self._name} {describe_exit(end)}")

    def _unusable(self, error: OSError) -> DeliveryFailed:
        if words := _START_ERRORS.get(error.errno or 0):
            return CommandUnusable(f"cannot run {self._name}: {words}")
        return CommandDeferred(f"cannot run {self._name}: {describe_os_error(error)}")
