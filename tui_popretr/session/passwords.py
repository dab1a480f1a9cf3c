"""The sources of passwords: the configuration, the environment, a file or a command."""

from __future__ import annotations

import os
import signal
import subprocess
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from contextlib import suppress
from functools import partial

import trio

from tui_popretr.config.account import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.errors import PasswordUnavailable, describe_os_error
from tui_popretr.fs.reading import open_regular
from tui_popretr.process import children
from tui_popretr.process.children import ChildProcesses
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
        self._starts = trio.CapacityLimiter(8)
        self._waits = trio.CapacityLimiter(16)  # for each command a wait that was cancelled, and one after SIGKILL
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
            with trio.fail_after(timeout):
                output, code = await self._run(argv)
        except trio.TooSlowError:
            raise PasswordUnavailable(f"the password command {argv[0]} took longer than {timeout:g} s") from None
        except ChildProcessError:
            # The command may have failed, so its output cannot be used.
            raise PasswordUnavailable(
                f"the password command {argv[0]} ended, but the system did not report its exit code"
            ) from None
        except OSError as problem:
            raise PasswordUnavailable(
                f"cannot run the password command {argv[0]}: {describe_os_error(problem)}",
                advice="is it installed, and in the PATH of this process?",
            ) from problem
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            # Its output is not reported, because it may contain the secret.
            raise PasswordUnavailable(
                f"the password command {argv[0]} failed ({how})", advice="run it by hand as the same user, to see why"
            )
        return _first_line(
            output, f"the command {argv[0]}", "run it by hand as the same user: it has to print the password"
        )

    async def _run(self, argv: tuple[str, ...]) -> tuple[bytes, int]:
        """Run a command to its end; return its output and exit code. A cancel kills it and its children.

        The end of its own process counts, not that of its output: an agent that it started may keep the output open.
        PasswordUnavailable if it writes more than _LONGEST octets, OSError if it cannot be started, ChildProcessError
        if its exit code is lost.
        """
        # It gets no terminal: a pinentry must not draw on the dashboard. It is started and registered in one step in a
        # thread, so that an immediate end of the program kills it; this task may not run again by then.
        start = partial(self._children.start, argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process = await trio.to_thread.run_sync(start, limiter=self._starts)
        assert process.stdout is not None
        async with trio.lowlevel.FdStream(os.dup(process.stdout.fileno())) as stdout:
            process.stdout.close()
            output = bytearray()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._cancel_at_end, process, nursery.cancel_scope)
                    async for piece in stdout:
                        output += piece
                        if len(output) > _LONGEST:
                            nursery.cancel_scope.cancel()
                            break
                _read_rest(stdout.fileno(), output)
                if len(output) > _LONGEST:
                    raise PasswordUnavailable(f"the password command {argv[0]} gave more than {_LONGEST // 1024} KiB")
            except BaseException:
                children.signal_group(process.pid, signal.SIGKILL)
                with trio.CancelScope(shield=True):
                    await self._ended(process)
                raise
            finally:
                self._children.unregister(process.pid)
                with suppress(ChildProcessError):
                    children.exit_code(process)
        code = children.exit_code(process)
        assert code is not None  # it has ended
        return bytes(output), code

    async def _cancel_at_end(self, process: subprocess.Popen[bytes], scope: trio.CancelScope) -> None:
        await self._ended(process)
        scope.cancel()

    async def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until a command has ended. It is not reaped: its process id stays in use until its exit code is read."""

        def wait() -> None:
            if hasattr(os, "waitid"):
                with suppress(ChildProcessError):
                    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            else:  # macOS with an older Python
                process.wait()

        await trio.to_thread.run_sync(wait, limiter=self._waits, abandon_on_cancel=True)


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


def _read_rest(descriptor: int, output: bytearray) -> None:
    """Read what is left in the pipe of a command that has ended, without waiting for more."""
    with suppress(BlockingIOError):
        while len(output) <= _LONGEST and (piece := os.read(descriptor, _LONGEST)):
            output += piece
