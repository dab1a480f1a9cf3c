"""Where passwords come from; and that errors never tell them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from tests.support.waiting import PATIENCE
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.errors import ExitCode, PasswordUnavailable
from tui_popretr.process import children
from tui_popretr.process.children import ChildProcesses
from tui_popretr.secret import Secret
from tui_popretr.session import passwords
from tui_popretr.session.passwords import Passwords

VARIABLE = "TUI_POPRETR_TEST_PASSWORD"


def script(text: str, timeout: float = 60.0) -> FromCommand:
    """A command that runs some Python."""
    return FromCommand((sys.executable, "-S", "-c", text), timeout)


def password_file(folder: Path, data: bytes) -> FromFile:
    path = folder / "password"
    path.write_bytes(data)
    return FromFile(str(path))


async def obtain(source: PasswordSource | None) -> Secret:
    return await Passwords().obtain(source)


async def refusal(source: PasswordSource, of: Passwords | None = None) -> str:
    """The words with which a source is refused."""
    with pytest.raises(PasswordUnavailable) as caught:
        await (of or Passwords()).obtain(source)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert not isinstance(caught.value.__context__, UnicodeError)  # it would hold the password
    return str(caught.value)


@trio_test
async def test_a_literal_and_none() -> None:
    assert await obtain(Literal(Secret("pass word "))) == Secret("pass word ")
    assert await obtain(None) == Secret("")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\nsecond line\n", "secret"),
        ("pässwörd €\n".encode(), "pässwörd €"),
        (b"  spaces count \n", "  spaces count "),
        (b"\xef\xbb\xbfsecret\n", "secret"),
        ("\ufeffpässwörd\r\n".encode(), "pässwörd"),
        ("\ufeff\ufeffsecret".encode(), "\ufeffsecret"),
        ("secret\ufeff".encode(), "secret\ufeff"),
        (b"s\xe9cret\n", "s\udce9cret"),
        (b"\xef\xbb\xbf\xa7\xff\xed\xb2\x80\n", "\udca7\udcff\udced\udcb2\udc80"),
    ],
)
@trio_test
async def test_a_password_is_the_first_line(data: bytes, expected: str, tmp_path: Path) -> None:
    assert await obtain(password_file(tmp_path, data)) == Secret(expected)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "gave no password"),
        (b"\nsecret\n", "gave no password"),
        (b"\r\nsecret\n", "gave no password"),
        (b"\xef\xbb\xbf\nsecret\n", "gave no password"),
        ("secret\n".encode("utf-16"), "is in UTF-16"),
        ("\ufeffsecret\n".encode("utf-16-be"), "is in UTF-16"),
        (b"s\xe9c\0ret\n", "control character"),
        (b"sec\0ret\n", "control character"),
        (b"sec\rret\n", "control character"),
    ],
)
@trio_test
async def test_a_file_without_a_password(data: bytes, words: str, tmp_path: Path) -> None:
    text = await refusal(password_file(tmp_path, data))
    assert words in text
    assert str(tmp_path) in text
    assert "ret" not in text.replace(str(tmp_path), "")


@trio_test
async def test_a_file_that_is_not_there() -> None:
    text = await refusal(FromFile("/nowhere/password"))
    assert text == "cannot read the password file /nowhere/password: no such file or directory"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (FromFile("/nowhere/password"), "may read it"),
        (FromEnvironment("NO_SUCH_VARIABLE"), "set it where the program is started"),
        (FromCommand(("true",)), "run it by hand"),
        (FromCommand(("false",)), "run it by hand"),
    ],
)
@trio_test
async def test_what_to_do_is_told(source: PasswordSource, words: str) -> None:
    with pytest.raises(PasswordUnavailable) as caught:
        await obtain(source)
    assert words in caught.value.advice


@trio_test
async def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    for path, kind in ((fifo, "pipe"), ("/dev/zero", "device")):
        text = f"cannot read the password file {path}: it is a {kind}, not a regular file"
        assert await refusal(FromFile(path)) == text
    assert "is a directory" in await refusal(FromFile(str(tmp_path)))


@trio_test
async def test_a_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "control character" in await refusal(FromFile(str(path)))


@trio_test
async def test_hanging_files_use_only_their_own_threads(
    monkeypatch: pytest.MonkeyPatch, still_clock: MockClock
) -> None:
    done = threading.Event()

    def hang(path: str) -> bytes:
        done.wait()
        return b"secret"

    monkeypatch.setattr(passwords, "_read_file", hang)
    told: list[str] = []
    of = Passwords()

    async def ask() -> None:
        told.append(await refusal(FromFile("/net/password"), of))

    try:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
            assert told == []
            still_clock.jump(10.0)
    finally:
        done.set()
    assert told == ["reading the password file /net/password took longer than 10 s"] * 20
    while of._files.borrowed_tokens:
        await trio.lowlevel.checkpoint()


@trio_test
async def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "sécret")
    assert await obtain(FromEnvironment(VARIABLE)) == Secret("sécret")
    monkeypatch.setitem(os.environb, VARIABLE.encode(), b"s\xe9cret")
    assert await obtain(FromEnvironment(VARIABLE)) == Secret("s\udce9cret")
    monkeypatch.delenv(VARIABLE)
    assert await refusal(FromEnvironment(VARIABLE)) == f"the environment variable {VARIABLE} gave no password"


# --- commands ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_command_gives_its_first_line() -> None:
    assert await obtain(script("print('secret'); print('login: me')")) == Secret("secret")


@trio_test
async def test_a_command_may_give_octets_that_are_not_utf8() -> None:
    source = script("import sys; sys.stdout.buffer.write(b's\\xe9cret\\n')")
    assert await obtain(source) == Secret("s\udce9cret")


@trio_test
async def test_a_command_is_run_at_each_session(tmp_path: Path) -> None:
    source = FromCommand(("cat", str(tmp_path / "password")))
    password_file(tmp_path, b"old\n")
    assert await obtain(source) == Secret("old")
    password_file(tmp_path, b"new\n")
    assert await obtain(source) == Secret("new")


@trio_test
async def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    assert await obtain(FromCommand(("echo", "$HOME; `id` *"))) == Secret("$HOME; `id` *")


@trio_test
async def test_it_has_nothing_to_read_and_no_terminal() -> None:
    look = """
import os, sys
assert sys.stdin.read() == ""
assert os.getsid(0) == os.getpid()
try:
    os.open("/dev/tty", os.O_RDWR)
except OSError:
    print("alone")
"""
    assert await obtain(script(look)) == Secret("alone")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys; print('hush'); sys.exit('hush')", "failed (exit code 1)"),
        ("import sys; sys.exit(3)", "failed (exit code 3)"),
        ("import os; os.kill(os.getpid(), 9)", "failed (signal 9)"),
        ("0", "gave no password"),
        ("import sys; print('hush', file=sys.stderr)", "gave no password"),
    ],
)
@trio_test
async def test_a_command_that_gives_none(text: str, words: str) -> None:
    told = await refusal(script(text))
    assert words in told
    assert sys.executable in told
    assert "hush" not in told


@pytest.mark.parametrize("text", ["import os\nwhile True: os.write(1, b'y\\n' * 1000)", "print('y' * 65536)"])
@trio_test
async def test_a_command_that_talks_without_end_is_killed(text: str) -> None:
    assert await refusal(script(text, 10.0)) == f"the password command {sys.executable} gave more than 64 KiB"


@trio_test
async def test_what_a_command_says_on_its_error_output_is_not_kept() -> None:
    assert await obtain(script("import os; print(os.stat(2).st_rdev == os.stat('/dev/null').st_rdev)")) == Secret(
        "True"
    )


@trio_test
async def test_a_command_that_is_not_there() -> None:
    text = await refusal(FromCommand(("/nowhere/pass", "show", "hush")))
    assert text == "cannot run the password command /nowhere/pass: no such file or directory"


@trio_test
async def test_an_unreported_exit_code_is_an_error() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        text = await refusal(FromCommand(("echo", "hush")))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert text == "the password command echo ended, but the system did not report its exit code"


@trio_test
async def test_an_agent_that_keeps_the_output_open_survives(tmp_path: Path) -> None:
    fifo = str(tmp_path / "orders")
    os.mkfifo(fifo)
    # The agent closes nothing, says something when it is asked to, and ends then.
    agent = f"exec 2>&1; read order <{fifo}; echo $order >{tmp_path}/carried_out; cat {tmp_path}/done"
    os.mkfifo(tmp_path / "done")
    assert await obtain(FromCommand(("sh", "-c", f"echo secret; ({agent}) &"), 5.0)) == Secret("secret")
    with trio.fail_after(PATIENCE):
        await trio.to_thread.run_sync(Path(fifo).write_text, "order\n")
        await trio.to_thread.run_sync((tmp_path / "done").write_text, "")
    assert (tmp_path / "carried_out").read_text() == "order\n"


@trio_test
async def test_a_password_that_is_still_in_the_pipe_at_the_end_is_read() -> None:
    for _ in range(5):
        line = await obtain(FromCommand(("sh", "-c", "printf %060000d 7; sleep 600 & kill $!")))
        assert len(line.reveal()) == 60000


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that the test moves."""
    return MockClock()


@pytest.fixture
def living(tmp_path: Path) -> Iterator[tuple[FromCommand, int]]:
    """A command with a child, and a pipe that has an end when both are gone; they say hello in it."""
    fifo = str(tmp_path / "alive")
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    script = f"exec 3>{fifo}; (echo child >&3; exec sleep 600) & wait"
    yield FromCommand(("sh", "-c", script), 10.0), descriptor
    os.close(descriptor)


async def read_some(descriptor: int) -> bytes:
    while True:
        await trio.lowlevel.wait_readable(descriptor)
        try:
            return os.read(descriptor, 100)
        except BlockingIOError:  # no writer yet
            continue


@asynccontextmanager
async def refused(living: tuple[FromCommand, int], commands: ChildProcesses, error: str) -> AsyncIterator[None]:
    """Run the command; the block must end it and its child. Its password is then refused with `error`."""
    command, alive = living

    async def ask() -> None:
        assert await refusal(command, Passwords(commands)) == error

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        assert await read_some(alive) == b"child\n"
        yield
    assert await read_some(alive) == b""


@trio_test
async def test_a_slow_command_is_killed_with_its_children(
    living: tuple[FromCommand, int], still_clock: MockClock
) -> None:
    async with refused(living, ChildProcesses(), "the password command sh took longer than 10 s"):
        still_clock.jump(10.0)
        still_clock.rate = 1.0  # it has a moment to end by itself


@trio_test
async def test_a_session_that_ends_kills_its_command(living: tuple[FromCommand, int], still_clock: MockClock) -> None:
    command, alive = living
    async with trio.open_nursery() as nursery:
        nursery.start_soon(obtain, command)
        assert await read_some(alive) == b"child\n"
        nursery.cancel_scope.cancel()
    assert await read_some(alive) == b""


@trio_test
async def test_an_end_that_waits_for_nothing_kills_what_runs(
    living: tuple[FromCommand, int], still_clock: MockClock
) -> None:
    commands = ChildProcesses()
    async with refused(living, commands, "the password command sh failed (signal 9)"):
        while not commands._groups:  # it may say hello before its start is known here
            await trio.lowlevel.checkpoint()
        commands.kill_all()
    commands.kill_all()


@pytest.mark.parametrize("where", ["another thread", "the engine's thread"])
@trio_test
async def test_an_immediate_end_kills_a_starting_command(
    where: str, still_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the engine's thread no task gets a turn meanwhile. Its output ends when its child has ended, too."""
    commands, begun = ChildProcesses(), threading.Event()
    register = commands.register

    def slowly(group: int) -> None:
        begun.set()
        assert commands._closed.wait(PATIENCE)
        register(group)

    monkeypatch.setattr(commands, "register", slowly)
    monkeypatch.setattr(children, "_START_TIMEOUT", PATIENCE)
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            assert (
                await refusal(FromCommand(("sh", "-c", "sleep 600 & sleep 600"), 10.0), Passwords(commands))
                == "the password command sh failed (signal 9)"
            )

        nursery.start_soon(ask)
        await trio.to_thread.run_sync(begun.wait, PATIENCE)
        if where == "another thread":
            await trio.to_thread.run_sync(commands.kill_all)
        else:
            commands.kill_all()
        assert not commands._starts
    assert not commands._groups


@trio_test
async def test_a_command_that_closes_its_output_is_killed_in_time(tmp_path: Path, still_clock: MockClock) -> None:
    fifo = str(tmp_path / "alive")
    os.mkfifo(fifo)
    alive = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    commands = ChildProcesses()
    command = FromCommand(("sh", "-c", f"exec 3>{fifo} >&-; echo on >&3; exec sleep 600"), 10.0)
    try:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                text = await refusal(command, Passwords(commands))
                assert text == "the password command sh took longer than 10 s"

            nursery.start_soon(ask)
            assert await read_some(alive) == b"on\n"
            still_clock.jump(10.0)
        assert await read_some(alive) == b""
        assert not commands._groups
    finally:
        os.close(alive)
