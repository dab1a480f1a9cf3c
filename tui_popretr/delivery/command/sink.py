"""Delivery to a command, which is run once for each message, one at a time."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection
from hashlib import sha256
from typing import Final, TypeVar

import trio

from tui_popretr.config.command import words_of_place
from tui_popretr.config.model import CommandDestination
from tui_popretr.delivery.command.exit_status import describe_exit, lines, raise_for_exit_code, receipt
from tui_popretr.delivery.errors import starting_threads
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import BeforeEnd, Following, Say, nothing_follows
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.threads import in_thread
from tui_popretr.errors import CommandDeferred, CommandUnusable, DeliveryFailed, describe_os_error
from tui_popretr.facts import Direction
from tui_popretr.process.children import ChildProcesses
from tui_popretr.process.environment import environment
from tui_popretr.process.run import ProcessEnd, run_process
from tui_popretr.text import visible

T = TypeVar("T")

#: Seconds that close() waits for a command that is being stopped.
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
    """The RemoteSink of a command, for one session.

    The key has the program's name and a hash of its arguments, which determine the destination and may be private.

    After close() every delivery fails.
    """

    def __init__(
        self,
        destination: CommandDestination,
        *,
        spool: str,
        withheld: Collection[str] = (),
        children: ChildProcesses | None = None,
        said: Say = lambda *_: None,
    ) -> None:
        """`spool` is the folder for large messages; `withheld` are variables that the command does not get."""
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
        self._turn = trio.Lock()  # one message at a time
        self._closed = False
        self._environ: dict[str, str] | None = None

    def open(self, record_id: int) -> OutgoingMessage:
        return OutgoingMessage(record_id, f"Command={self._name}", Spool(self._spool))

    async def prepare(self, octets: int) -> None:
        """Check that the program exists, and that there is room for the message in the spool."""
        self._check_open()
        await in_thread(lambda: self._check(octets))

    async def send(
        self,
        message: OutgoingMessage,
        before_end: BeforeEnd,
        following: Following = nothing_follows,  # noqa: ARG002 - each message has a command of its own
    ) -> str:
        """Run the command with a message.

        If it is cancelled while the command runs, the command is stopped. It may accept the message nevertheless: its
        exit code counts. Otherwise CommandDeferred is raised in place of Cancelled.
        """
        async with self._turn:
            with starting_threads(CommandDeferred, f"cannot run {self._name}"):  # then it has not begun
                end = await self._run(message.content, before_end)
        self._log(end)
        raise_for_exit_code(self._name, end, self._destination.timeout)
        return receipt(end)

    async def close(self) -> None:
        self._closed = True
        with trio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            async with self._turn:
                pass

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _run(self, content: Spool, before_end: BeforeEnd) -> ProcessEnd:
        self._check_open()
        stdin = await in_thread(content.file) if content.in_file else b"".join(content.pieces())
        environ = self._environ or await in_thread(self._environment)
        await before_end()
        self._check_open()
        self._said(Direction.EVENT, [f"MDA {self._name} gets MessageBody octets={content.octets}"])
        try:
            return await run_process(
                self._children,
                self._destination.argv,
                stdin=stdin,
                environ=environ,
                timeout=self._destination.timeout,
                gentle=True,
            )
        except OSError as error:
            raise self._unusable(error) from error

    def _check(self, octets: int) -> None:
        path = self._environment()["PATH"]
        if shutil.which(self._destination.argv[0], path=path) is None:
            raise CommandUnusable(f"cannot run {self._name}: {self._missing(path)}")
        Folders(self._spool, (), None).make_ready(octets)

    def _environment(self) -> dict[str, str]:
        """Return the environment. Blocking: it looks up the user."""
        if self._environ is None:
            self._environ = environment(self._withheld)
        return self._environ

    def _check_open(self) -> None:
        if self._closed:
            raise CommandDeferred(f"nothing more is sent to {self._name}, because the session is ending")

    def _missing(self, path: str) -> str:
        program = self._destination.argv[0]
        if "/" not in program:
            return f"there is no such program in the PATH of this process, {visible(path, 256)}"
        if os.path.isdir(program):
            return "it is a folder"
        return _START_ERRORS[errno.EACCES if os.path.exists(program) else errno.ENOENT]

    def _log(self, end: ProcessEnd) -> None:
        self._said(Direction.IN, (f"MDA {line}" for line in lines(end)))
        self._said(Direction.EVENT, [f"MDA {self._name} {describe_exit(end)}"])

    def _unusable(self, error: OSError) -> DeliveryFailed:
        if words := _START_ERRORS.get(error.errno or 0):
            return CommandUnusable(f"cannot run {self._name}: {words}")
        return CommandDeferred(f"cannot run {self._name}: {describe_os_error(error)}")
