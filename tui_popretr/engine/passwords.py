"""Where passwords come from: the configuration, the environment, a file, or a command; never kept on disk by us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from functools import partial

import trio

from tui_popretr.config.model import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.errors import PasswordUnavailable, describe_os_error
from tui_popretr.secret import Secret

_LONGEST = 64 * 1024
# A fleet's password commands must not starve the disk of threads, nor start a hundred password managers at once.
_commands = trio.CapacityLimiter(8)


async def obtain(source: PasswordSource | None) -> Secret:
    """Return the password, asking its source anew. Raises PasswordUnavailable; its text never holds the secret."""
    match source:
        case None:
            return Secret("")
        case Literal(secret):
            return secret
        case FromEnvironment(name):
            return _first_line(os.environb.get(name.encode(), b""), f"the environment variable {name}")
        case FromFile(path):
            return await _from_file(path)
        case FromCommand(argv, timeout):
            async with _commands:
                return await _from_command(argv, timeout)


def _first_line(data: bytes, origin: str) -> Secret:
    line = data.partition(b"\n")[0].removesuffix(b"\r")
    if not line:
        raise PasswordUnavailable(f"{origin} gave no password")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise PasswordUnavailable(f"the password from {origin} is not UTF-8 text") from None
    if "\0" in text or "\r" in text:
        raise PasswordUnavailable(f"the password from {origin} contains a control character")
    return Secret(text)


async def _from_file(path: str) -> Secret:
    def read() -> bytes:
        with open(path, "rb") as file:
            return file.read(_LONGEST)

    try:
        data = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    except OSError as problem:
        raise PasswordUnavailable(f"cannot read the password file {path}: {describe_os_error(problem)}") from problem
    return _first_line(data, f"the file {path}")


async def _from_command(argv: tuple[str, ...], timeout: float) -> Secret:
    # A session of its own and no terminal: a pinentry must not draw on the dashboard. The arguments may hold something
    # private, so only the program is named.
    run = partial(
        trio.run_process,
        list(argv),
        stdin=subprocess.DEVNULL,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        start_new_session=True,
        deliver_cancel=_kill_group,
    )
    try:
        with trio.fail_after(timeout):
            done = await run()
    except trio.TooSlowError:
        raise PasswordUnavailable(f"the password command {argv[0]} took longer than {timeout:g} s") from None
    except OSError as problem:
        raise PasswordUnavailable(
            f"cannot run the password command {argv[0]}: {describe_os_error(problem)}",
            advice="is it installed, and in the PATH of this process?",
        ) from problem
    if done.returncode:
        how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        # Its own words are not told: nobody knows whether the secret is among them.
        raise PasswordUnavailable(
            f"the password command {argv[0]} failed ({how})", advice="run it by hand as the same user, to see why"
        )
    return _first_line(done.stdout, f"the command {argv[0]}")


async def _kill_group(process: trio.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
