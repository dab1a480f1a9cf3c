"""System calls of the real program that fail or are delayed, by strace."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_for


@dataclass(frozen=True, slots=True)
class Tampering:
    """Changes `calls` on one of `paths`. `how`: "error=EIO", "delay_enter=2s". strace writes a new `log`."""

    calls: str
    how: str
    paths: tuple[Path, ...]
    log: Path

    @property
    def wrapper(self) -> list[str]:
        """The start of a command line. The rest is tampered with from its beginning, and stays our child process."""
        return ["strace", "-D", "--seccomp-bpf", *self._options()]

    @contextmanager
    def of(self, process: int, wrapper: Iterable[str] = ()) -> Iterator[None]:
        """Tamper with a running process during the block. `wrapper`: the one that the process was started with."""
        command = [*wrapper, "strace", *self._options(), f"--attach={process}"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as strace:
            try:
                wait_for(lambda: strace.poll() is not None or _traced(process), f"strace at process {process}")
                assert strace.poll() is None, f"strace ended with {strace.returncode}"
                yield
            finally:
                strace.terminate()

    def changed(self) -> list[str]:
        """The calls that were changed."""
        return re.findall(r"^.*\((?:INJECTED|DELAYED)\)$", self.log.read_text(), re.MULTILINE)

    def _options(self) -> list[str]:
        chosen = [f"--trace-path={path}" for path in self.paths]
        rule = [f"--trace={self.calls}", f"--inject={self.calls}:{self.how}"]
        return ["--follow-forks", "--decode-fds=path", f"--output={self.log}", *rule, *chosen]


def _traced(process: int) -> bool:
    """Whether all threads of a process are being traced."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks)
