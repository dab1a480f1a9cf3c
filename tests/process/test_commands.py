"""Running commands: what they get, what is kept of what they say, and how they are ended."""

from __future__ import annotations

import os
import pwd
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.delivery.command.handing import Lifeline, shell
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.process import children
from tui_popretr.process import run as running
from tui_popretr.process.children import ChildProcesses
from tui_popretr.process.environment import environment
from tui_popretr.process.run import KEPT, ProcessEnd, run_process


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    with closing(Lifeline(tmp_path)) as found:
        yield found


def end_of(
    script: str,
    *arguments: object,
    message: bytes = b"",
    timeout: float = PATIENCE,
    commands: ChildProcesses | None = None,
) -> ProcessEnd:
    """Run a script with a message, as a command of <mda>."""

    async def run() -> ProcessEnd:
        return await run_process(
            commands or ChildProcesses(),
            shell(script, *arguments),
            stdin=message,
            environ=environment(()),
            timeout=timeout,
            gentle=True,
        )

    return trio.run(run)


def said(script: str, *arguments: object, **how: Any) -> str:
    """What a script says; it must end well."""
    end = end_of(script, *arguments, **how)
    assert (end.code, end.stopped) == (0, False), end
    return end.output.decode().strip()


def assert_reaped(process: int) -> None:
    """See that a child is no zombie."""
    with pytest.raises(ChildProcessError):
        os.waitpid(process, os.WNOHANG)


@pytest.mark.parametrize("script", ["echo said", "echo said; exec >&- 2>&-; sleep 0.2", "exit 3", "kill -9 $$"])
def test_an_exit_code_that_was_not_reported_is_unknown(script: str) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        end = end_of(script)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (end.code, end.stopped) == (None, False)


# --- what it gets -----------------------------------------------------------------------------------------------------


def test_the_message_is_its_standard_input() -> None:
    message = b"Subject: x\n\n\0\xff\r\n.\nend" * 100_000
    assert said("sha256sum", message=message).split()[0] == sha256(message).hexdigest()


def test_its_words_are_its_words() -> None:
    assert said('for word; do echo "<$word>"; done', "a b", "*", "$HOME", "", "'") == "<a b>\n<*>\n<$HOME>\n<>\n<'>"


def test_it_has_a_session_of_its_own_and_no_terminal() -> None:
    process, group, session, terminal = said("cut -d' ' -f1,5,6,7 </proc/$$/stat").split()
    assert process == group == session
    assert terminal == "0"


def test_it_gets_no_descriptor_of_ours(tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w") as ours:
        descriptor = os.dup2(ours.fileno(), 50)
        try:
            assert os.get_inheritable(descriptor), "as a descriptor from outside may be"
            assert said("[ -e /proc/self/fd/50 ] || echo none") == "none"
        finally:
            os.close(descriptor)


def test_signals_do_to_it_what_they_do_to_all() -> None:
    ignored = int(said("grep SigIgn /proc/self/status").split()[1], 16)
    assert not ignored >> (signal.SIGPIPE - 1) & 1
    assert not ignored >> (signal.SIGXFSZ - 1) & 1


def test_it_has_the_umask_of_this_process_or_that_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_umask", -1)
    before = os.umask(0o037)
    try:
        assert said("umask") == "0037"
        os.umask(0o002)
        children.make_private()
        assert said("umask") == "0002"
        assert os.umask(0) == 0o077
    finally:
        os.umask(before)


def test_its_environment_is_ours_without_what_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTMUCH_CONFIG", "/x")
    monkeypatch.setenv("POP_PASSWORD", "secret")
    found = environment({"POP_PASSWORD"})
    assert found == {name: value for name, value in {**found, **os.environ}.items() if name != "POP_PASSWORD"}
    assert found["NOTMUCH_CONFIG"] == "/x"
    assert os.environ["POP_PASSWORD"] == "secret"


def test_its_environment_has_what_delivery_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "HOME", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    user = pwd.getpwuid(os.geteuid())
    assert environment(()) == {
        **os.environ,
        "PATH": os.defpath,
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
    }

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert environment(()) == {**os.environ, "PATH": os.defpath}


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 75, 255])
def test_its_exit_code(code: int) -> None:
    assert end_of("exit $1", code) == ProcessEnd(code, b"")


def test_a_signal_that_killed_it() -> None:
    assert end_of("kill -SEGV $$") == ProcessEnd(-signal.SIGSEGV, b"")


def test_what_it_says_is_kept_in_order() -> None:
    assert end_of("echo one; echo two >&2; echo three; exit 1") == ProcessEnd(1, b"one\ntwo\nthree\n")


def test_the_last_of_it_is_kept() -> None:
    end = end_of("head -c 1000000 /dev/zero; echo why")
    assert len(end.output) == KEPT
    assert end.output.endswith(b"\0why\n")


def test_it_need_not_read_the_message() -> None:
    assert end_of("exec <&-; exit 0", message=b"x" * 1_000_000) == ProcessEnd(0, b"")
    assert end_of("head -c 1 | wc -c; exit 0", message=b"x" * 1_000_000) == ProcessEnd(0, b"1\n")


def test_its_end_counts_and_not_that_of_its_output() -> None:
    assert end_of("exec >&- 2>&-; kill -STOP $$; exit 3", timeout=0.2).stopped
    assert end_of("exec >&- 2>&-; exit 3") == ProcessEnd(3, b"")


def test_a_child_that_keeps_its_output_open_is_not_waited_for(lifeline: Lifeline) -> None:
    child = int(said(f"({lifeline.grip}; exec sleep 1000) & echo $!"))
    wait_for(lambda: lifeline.begun, "the child")
    assert lifeline.alive, "it is no business of ours"
    os.kill(child, signal.SIGTERM)
    wait_for(lambda: not lifeline.alive, "the child's end")


def test_a_child_that_talks_for_ever_is_not_waited_for(lifeline: Lifeline) -> None:
    end = end_of(f"({lifeline.grip}; exec yes) & exit 0")
    assert end.code == 0
    wait_for(lambda: lifeline.begun, "the child")  # without a reader, it would wait for ever to open the lifeline
    wait_for(lambda: not lifeline.alive, "the child's end: its output has no reader any more")


def test_it_is_no_zombie() -> None:
    assert_reaped(int(said("echo $$")))


def test_no_descriptor_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    end_of("echo x")
    with pytest.raises(FileNotFoundError):
        trio.run(partial(run_process, ChildProcesses(), ("/nonexistent",), environ={}, timeout=1.0))
    assert len(os.listdir("/proc/self/fd")) == before


# --- ended by us ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("sleep 1000", -signal.SIGTERM),
        ("sleep 1000 & sleep 1000", -signal.SIGTERM),
        ("trap '' TERM; sleep 1000", -signal.SIGKILL),
        ("kill -STOP $$", -signal.SIGKILL),
        ("exec >&- 2>&-; sleep 1000", -signal.SIGTERM),
        ("while :; do echo x; done", -signal.SIGTERM),
    ],
)
def test_one_that_takes_too_long_is_ended_with_its_children(script: str, code: int, lifeline: Lifeline) -> None:
    end = end_of(f"{lifeline.grip}; echo $$; {script}", timeout=0.3)
    assert (end.code, end.stopped) == (code, True)
    assert lifeline.begun or b"x" in end.output
    wait_for(lambda: not lifeline.alive, "the end of all of them")
    if b"x" not in end.output:
        assert_reaped(int(end.output))


def test_a_child_that_ignores_sigterm_is_killed(lifeline: Lifeline) -> None:
    end = end_of(f"(trap '' TERM; {lifeline.grip}; sleep 1000) & wait", timeout=0.3)
    assert (end.code, end.stopped) == (-signal.SIGTERM, True)
    wait_for(lambda: not lifeline.alive, "the child's end")


def test_a_command_can_clean_up_after_sigterm(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    end = end_of('touch "$1"; trap \'rm "$1"; echo put in order; exit 75\' TERM; sleep 1000 & wait', lock, timeout=0.3)
    assert end == ProcessEnd(75, b"put in order\n", timed_out=True)
    assert not lock.exists()


def test_a_command_that_cannot_be_killed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one is that is set-user-id, or hangs in a dead disk."""
    monkeypatch.setattr(children, "signal_group", lambda group, number: None)
    for name in ("GRACE", "_KILL_TIMEOUT"):
        monkeypatch.setattr(running, name, 0.1)
    with pytest.warns(ResourceWarning, match="is still running"):
        end = end_of("echo $$; sleep 1000", timeout=0.1)
    assert (end.code, end.stopped) == (None, True)
    process = int(end.output)
    monkeypatch.undo()
    children.signal_group(process, signal.SIGKILL)
    wait_for(lambda: b"Z" in Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2][:3], "its end")
    said("true")
    assert_reaped(process)


def test_a_process_that_may_not_be_signalled_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def killpg(group: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", killpg)
    children.signal_group(1, signal.SIGKILL)


def test_all_that_run_are_killed_at_the_last(lifeline: Lifeline) -> None:
    ends: list[ProcessEnd] = []
    commands = ChildProcesses()
    script = f"trap '' TERM; {lifeline.grip}; sleep 1000 & sleep 1000"
    thread = threading.Thread(target=lambda: ends.append(end_of(script, commands=commands)))
    thread.start()
    wait_for(lambda: lifeline.begun, "the command")
    commands.kill_all()
    thread.join(PATIENCE)
    assert ends == [ProcessEnd(-signal.SIGKILL, b"")]
    wait_for(lambda: not lifeline.alive, "the end of all of them")
    assert not commands._groups


def test_one_that_is_started_then_is_killed_too() -> None:
    commands = ChildProcesses()
    commands.kill_all()
    assert end_of("trap '' TERM; sleep 1000", commands=commands) == ProcessEnd(-signal.SIGKILL, b"")


def test_killing_waits_for_a_command_that_is_being_started(monkeypatch: pytest.MonkeyPatch, lifeline: Lifeline) -> None:
    """Else the process would be gone when it can be killed."""
    commands, begun, killing = ChildProcesses(), threading.Event(), threading.Event()
    register = commands.register

    def slowly(group: int) -> None:
        begun.set()
        killing.wait(PATIENCE)
        register(group)

    monkeypatch.setattr(commands, "register", slowly)
    monkeypatch.setattr(children, "_START_TIMEOUT", PATIENCE)
    thread = threading.Thread(target=lambda: end_of(f"{lifeline.grip}; sleep 1000", commands=commands))
    thread.start()
    assert begun.wait(PATIENCE)
    last = threading.Thread(target=commands.kill_all)
    last.start()
    wait_for(commands._closed.is_set, "the end")
    assert last.is_alive()
    killing.set()
    last.join(PATIENCE)
    thread.join(PATIENCE)
    wait_for(lambda: not lifeline.alive, "the command's end")
    assert not commands._starts


def test_what_has_ended_is_killed_no_more() -> None:
    commands = ChildProcesses()
    said("true", commands=commands)
    assert not commands._groups
