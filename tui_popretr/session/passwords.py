"""The sources of passwords: the configuration, the environment, a file or a command."""

from __future__ import annotations

import os
import subprocess
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

import trio

from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.errors import PasswordUnavailable, describe_os_error
from tui_popretr.fs.reading import open_regular
from tui_popretr.process.children import ChildProcesses
from tui_popretr.process.run import OutputTooLong, run_process
from tui_popretr.secret import Secret

_LONGEST = 64 * 1024
_FILE_TIMEOUT = 10.0
_UTF_16 = (BOM_UTF16_LE, BOM_UTF16_BE)


class Passwords:
    """Reads passwords from their sources, with threads of its own.

    Hanging commands and network mounts then take no threads from the rest of the program. The limit on commands also
    keeps a fleet from starting a hundred password managers at once.
    """

    def __init__(self, children: ChildProcesses | None = None) -> None:
        self._children = children or ChildProcesses()
        self._commands = trio.CapacityLimiter(8)
        self._files = trio.CapacityLimiter(8)

    async def obtain(self, source: PasswordSource | None) -> Secret:
        """Return the password, read from its source each time. Raises PasswordUnavailable, without the secret."""
        match source:
            case None:
                return Secret("")
            case Literal(secret):
                return secret
            case FromEnvironment(name):
                data = os.environb.get(name.encode(), b"")
                advice = (
                    "set it where the program is started, in a service's unit too; or name another source in <password>"
                )
                return _first_line(data, f"the environment variable {name}", advice)
            case FromFile(path):
                return await _from_file(path, self._files)
            case FromCommand(argv, timeout):
                async with self._commands:
                    return await self._from_command(argv, timeout)

    async def _from_command(self, argv: tuple[str, ...], timeout: float) -> Secret:
        try:
            # Without a terminal, a pinentry does not draw on the dashboard.
            end = await run_process(
                self._children, argv, stderr=subprocess.DEVNULL, timeout=timeout, kept=_LONGEST, bounded=True
            )
        except OutputTooLong:
            raise PasswordUnavailable(f"the password command {argv[0]} gave more than {_LONGEST // 1024} KiB") from None
        except OSError as problem:
            raise PasswordUnavailable(
                f"cannot run the password command {argv[0]}: {describe_os_error(problem)}",
                advice="is it installed, and in the PATH of this process?",
            ) from problem
        if end.timed_out:
            raise PasswordUnavailable(f"the password command {argv[0]} took longer than {timeout:g} s")
        if end.code is None:  # it may have failed, so its output cannot be used
            raise PasswordUnavailable(
                f"the password command {argv[0]} ended, but the system did not report its exit code"
            )
        if end.code:
            how = f"exit code {end.code}" if end.code > 0 else f"signal {-end.code}"
            # Its output is not reported, because it may contain the secret.
            raise PasswordUnavailable(
                f"the password command {argv[0]} failed ({how})", advice="run it by hand as the same user, to see why"
            )
        return _first_line(
            end.output, f"the command {argv[0]}", "run it by hand as the same user: it has to print the password"
        )


def _first_line(data: bytes, origin: str, advice: str) -> Secret:
    """Return the password. `advice` is for an error."""
    line = data.partition(b"\n")[0].removesuffix(b"\r")
    if not line:
        raise PasswordUnavailable(f"{origin} gave no password", advice=advice)
    if b"\0" in line or b"\r" in line:
        raise PasswordUnavailable(f"the password from {origin} contains a control character")
    # RFC 1939 names no charset: octets that are not UTF-8 are sent unchanged.
    return Secret(line.decode("utf-8", "surrogateescape"))


async def _from_file(path: str, limiter: trio.CapacityLimiter) -> Secret:
    try:
        with trio.fail_after(_FILE_TIMEOUT):
            data = await trio.to_thread.run_sync(_read_file, path, abandon_on_cancel=True, limiter=limiter)
    except trio.TooSlowError:
        raise PasswordUnavailable(f"reading the password file {path} took longer than {_FILE_TIMEOUT:g} s") from None
    except OSError as problem:
        raise PasswordUnavailable(
            f"cannot read the password file {path}: {describe_os_error(problem)}",
            advice="see that it is there, and that the user who runs the program may read it (chown, chmod 600)",
        ) from problem
    if data.startswith(_UTF_16):
        raise PasswordUnavailable(f"the password file {path} is in UTF-16", advice="save it as UTF-8")
    # Some editors write a byte order mark, which is not part of the password.
    return _first_line(data.removeprefix(BOM_UTF8), f"the file {path}", "write the password into its first line")


def _read_file(path: str) -> bytes:
    with open_regular(path) as file:
        return file.read(_LONGEST)
