"""A shell with job control, as small as one can be: it runs one job on a terminal and does with it what a test says."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import queue
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.program.process import environment
from tests.support.waiting import PATIENCE
from tests.ui.terminal import OnTerminal

#: Says on descriptor `said` how the job is: its pid, `stopped SIGNAL`, `exited CODE`; and does what `asked` gives: `fg`
#: as for a stopped job, `bg`, `fg again` as for a job that runs in the background already, without a SIGCONT, `bg and
#: wait`, which says `running`, and then what becomes of the job.
_SHELL = """
import os, signal, sys
said, asked = int(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if not job:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[3], sys.argv[3:])
os.write(said, b"%d\\n" % job)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        os.write(said, b"exited %d\\n" % os.waitstatus_to_exitcode(status))
        break
    os.write(said, b"stopped %d\\n" % os.WSTOPSIG(status))
    while True:
        order = os.read(asked, 100).decode()
        if order.startswith("fg"):
            os.tcsetpgrp(0, job)
        if order != "fg again":
            os.killpg(job, signal.SIGCONT)
        if order == "bg and wait":
            os.write(said, b"running\\n")
        if order != "bg":
            break
"""


class Shell:
    """The shell: `terminal` is what the job draws on, `job` its process id."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: OnTerminal, said: int, asked: int) -> None:
        self.process = process
        self.terminal = terminal
        self._asked = asked
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(said,), daemon=True)
        self._reader.start()
        self.job = int(self.says())

    def _read(self, said: int) -> None:
        with open(said, encoding="ascii") as lines:
            for line in lines:
                self._lines.put(line.strip())

    def says(self) -> str:
        """Return what it says next."""
        return self._lines.get(timeout=PATIENCE)

    def ask(self, order: str) -> None:
        """Have it do something with the stopped job."""
        os.write(self._asked, order.encode())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that it has started, as `kill PID` does."""
        os.kill(self.job, number)

    def send_job(self, number: signal.Signals) -> None:
        """Send a signal to a stopped job, as `kill %1` does."""
        os.killpg(self.job, number)
        os.killpg(self.job, signal.SIGCONT)


@contextmanager
def in_shell(*arguments: str, patch: str = "", columns: int = 100, rows: int = 30) -> Iterator[Shell]:
    """Start the program as the job of a shell; both have ended when the block has."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    code = f"import sys\n{patch}\nfrom tui_popretr.__main__ import main\nmain()"
    command = [sys.executable, *(("-c", code) if patch else ("-m", "tui_popretr")), *arguments]
    says, said = os.pipe()
    asked, ask = os.pipe()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-S", "-c", _SHELL, str(said), str(asked), *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment({"TERM": "xterm"}),
        pass_fds=(said, asked),
    )
    os.close(said)
    os.close(asked)
    terminal = OnTerminal(process, master, slave)
    shell = Shell(process, terminal, says, ask)
    try:
        yield shell
    finally:
        for each in (shell.job, process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        terminal._stop()
        os.close(ask)
