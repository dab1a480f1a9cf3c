"""Delivery to a command: what is checked before, what is reported of it, and how it is cancelled."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from tests.delivery.command.handing import MESSAGE, Hand, Lifeline, deliver, failure, handing, shell
from tests.support.waiting import wait_for
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import CommandDestination
from tui_popretr.delivery.command.sink import CommandSink
from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.delivery.remote import RemoteSink
from tui_popretr.errors import CommandDeferred, CommandFailed, CommandUnusable, DeliveryFailed, ExitCode


def taking(file: Path) -> tuple[str, ...]:
    return shell('cat >>"$1"', file)


@trio_test
async def test_a_message_arrives(tmp_path: Path) -> None:
    async with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        assert hand.sink.open(7).description == "Command=sh"
        assert await hand.send() == ""
        await hand.send(b"two")
    assert (tmp_path / "mbox").read_bytes() == MESSAGE + b"two"
    assert not (tmp_path / "spool").exists(), "a small message needs none"


@trio_test
async def test_a_large_message_comes_from_the_spool(tmp_path: Path) -> None:
    line = b"x" * 998 + b"\n"
    async with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        message = hand.sink.open(7)
        for _ in range(1000):
            message.write(line)
            if message.pending >= SPILL:
                message.spill()
        await hand.sink.send(message, trio.lowlevel.checkpoint)
        message.abort()
    assert (tmp_path / "mbox").read_bytes() == line * 1000
    assert list((tmp_path / "spool").iterdir()) == []


@trio_test
async def test_what_happens_is_reported(tmp_path: Path) -> None:
    argv = shell(r"printf 'one\ntwo \033[2J;\n' >&2; exit $(cat | wc -l)")
    async with handing(argv, tmp_path) as hand:
        assert await hand.send(b"") == r"; Output=one | two \x1b[2J\x3b"
        with pytest.raises(CommandFailed, match=r"sh ended with exit code 4: one \| two \\x1b\[2J;"):
            await hand.send()
    assert hand.said == [
        "event MDA sh gets MessageBody octets=0",
        "<< MDA one",
        r"<< MDA two \x1b[2J;",
        "event MDA sh ended with exit code 0",
        "event MDA sh gets MessageBody octets=42",
        "<< MDA one",
        r"<< MDA two \x1b[2J;",
        "event MDA sh ended with exit code 4",
    ]


@trio_test
async def test_after_a_failure_the_next_message_is_tried(tmp_path: Path) -> None:
    argv = shell('grep -q bad && exit 75; touch "$1"', tmp_path / "taken")
    async with handing(argv, tmp_path) as hand:
        with pytest.raises(CommandDeferred, match="temporary failure"):
            await hand.send(b"bad\n")
        assert not (tmp_path / "taken").exists()
        await hand.send(b"good\n")
        assert (tmp_path / "taken").exists()


def test_it_gets_the_environment_without_what_is_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POP_PASSWORD", "secret")
    argv = shell("echo ${POP_PASSWORD-none}")
    assert deliver(argv, tmp_path, MESSAGE) == ["; Output=secret"]
    assert deliver(argv, tmp_path, MESSAGE, withheld=frozenset({"POP_PASSWORD"})) == ["; Output=none"]


# --- before -----------------------------------------------------------------------------------------------------------


def unusable(program: str, folder: Path) -> str:
    """The words with which a program is refused, before anything is asked for."""
    with pytest.raises(CommandUnusable) as caught:
        deliver((program, "secret"), folder)
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    assert "whole path" in caught.value.advice
    return str(caught.value)


def test_a_missing_program_is_reported_by_prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch(0o600)
    assert unusable(f"{tmp_path}/none", tmp_path) == (
        f"cannot run {tmp_path}/none: it is not there, or the interpreter that its first line names is not"
    )
    assert unusable(f"{tmp_path}/file", tmp_path) == f"cannot run {tmp_path}/file: it may not be executed"
    assert unusable(f"{tmp_path}", tmp_path) == f"cannot run {tmp_path}: it is a folder"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unusable("none", tmp_path) == (
        f"cannot run none: there is no such program in the PATH of this process, {tmp_path}"
    )
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("#!/nonexistent/interpreter\n", "it is not there, or the interpreter that its first line names is not"),
        ("echo no first line\n", "it is no program, nor a script that begins with #!"),
    ],
)
def test_a_program_that_cannot_be_started(content: str, words: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(0o700)
    error = failure(CommandUnusable, words, (str(program),), tmp_path)
    assert str(error) == f"cannot run {program}: {words}"


def test_a_system_that_can_start_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refuse)
    failure(CommandDeferred, "cannot run sh: resource temporarily unavailable", shell(""), tmp_path)


@trio_test
async def test_a_full_disk_is_reported_before_the_retrieval(tmp_path: Path) -> None:
    async with handing(shell(""), tmp_path) as hand:
        await hand.sink.prepare(1)
        with pytest.raises(DeliveryFailed, match="the disk is full"):
            await hand.sink.prepare(2**62)


# --- ended ------------------------------------------------------------------------------------------------------------


def test_one_that_hangs_is_stopped(tmp_path: Path, lifeline: Lifeline) -> None:
    argv = shell(f"{lifeline.grip}; sleep 1000 & sleep 1000")
    error = failure(CommandDeferred, "sh took longer than 0.3 s: it was killed by SIGTERM", argv, tmp_path, timeout=0.3)
    assert "raise timeout" in error.advice
    wait_for(lambda: not lifeline.alive, "the end of all of it")


async def cancelled(hand: Hand, lifeline: Lifeline) -> Exception | str:
    """Send a message, cancel it when the command runs, and return the error or the receipt."""
    ends: list[Exception | str] = []

    async def send() -> None:
        try:
            ends.append(await hand.send())
        except DeliveryFailed as problem:
            ends.append(problem)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.to_thread.run_sync(lambda: wait_for(lambda: lifeline.begun, "the command"))
        nursery.cancel_scope.cancel()
    (end,) = ends
    return end


@trio_test
async def test_a_command_that_runs_is_stopped_by_a_cancel(tmp_path: Path, lifeline: Lifeline) -> None:
    async with handing(shell(f"{lifeline.grip}; sleep 1000 & sleep 1000"), tmp_path) as hand:
        error = await cancelled(hand, lifeline)
    assert type(error) is CommandDeferred
    assert str(error) == "sh had not accepted the message when the session was ended"
    wait_for(lambda: not lifeline.alive, "the end of all of it")


@trio_test
async def test_a_cancelled_command_may_accept_the_message(tmp_path: Path, lifeline: Lifeline) -> None:
    script = f"trap 'echo taken; exit 0' TERM; {lifeline.grip}; sleep 1000 & wait"
    async with handing(shell(script), tmp_path) as hand:
        assert await cancelled(hand, lifeline) == "; Output=taken"


@trio_test
async def test_before_end_is_awaited_before_the_command_starts(tmp_path: Path) -> None:
    async def refuse() -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("not recorded")

    async with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        with pytest.raises(RuntimeError, match="not recorded"):
            await hand.send(before_end=refuse)
        assert not (tmp_path / "mbox").exists()
        await hand.send()
    assert (tmp_path / "mbox").read_bytes() == MESSAGE


@trio_test
async def test_after_close_there_is_nothing_more(tmp_path: Path) -> None:
    async with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        await hand.sink.close()
        with pytest.raises(CommandDeferred):
            await hand.send()
        with pytest.raises(CommandDeferred):
            await hand.sink.prepare(0)
    assert not (tmp_path / "mbox").exists()


@trio_test
async def test_one_message_at_a_time(tmp_path: Path) -> None:
    script = 'mkdir "$1" || exit 1; cat >/dev/null; rmdir "$1"'
    async with handing(shell(script, tmp_path / "turn"), tmp_path) as hand, trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(hand.send)


# --- what it is ------------------------------------------------------------------------------------------------------


def sink(destination: CommandDestination) -> CommandSink:
    return CommandSink(destination, spool="/nonexistent")


def test_the_key_names_the_place_and_tells_no_arguments() -> None:
    plain = CommandDestination(("/usr/lib/dovecot/dovecot-lda", "-d", "private"))
    key = sink(plain).key
    assert key == "command:/usr/lib/dovecot/dovecot-lda#4ce078dd9a6f7916"
    for same in (replace(plain, timeout=1.0), replace(plain, eol=Eol.CRLF)):
        assert sink(same).key == key
    for argv in (("dovecot-lda", "-d", "private"), (*plain.argv, "x"), (*plain.argv[:-1], "x")):
        assert sink(CommandDestination(argv)).key != key
    assert sink(CommandDestination(("a", "b c"))).key != sink(CommandDestination(("a", "b", "c"))).key
    assert sink(CommandDestination((os.fsdecode(b"caf\xe9"),))).key.startswith(r"command:caf\udce9#")


@pytest.mark.parametrize(
    ("argv", "same"),
    [
        (("dovecot-lda", "-d", "me"), True),
        (("/usr/lib/dovecot/deliver", "-d", "me"), True),
        (("sudo", "-u", "vmail", "/usr/lib/dovecot/dovecot-lda"), True),
        (("maildrop", "-d", "me"), False),
    ],
)
def test_dovecot_lda_with_e_is_the_same_place(argv: tuple[str, ...], same: bool) -> None:
    """check advises to add it: with preserve and newonly that must not bring all mail again."""
    key = sink(CommandDestination(argv)).key
    assert (sink(CommandDestination((*argv, "-e"))).key == key) is same


def test_each_session_has_a_lane_of_its_own() -> None:
    first: RemoteSink = sink(CommandDestination(("a",)))
    second = sink(CommandDestination(("a",), eol=Eol.CRLF))
    assert (first.eol, second.eol) == (Eol.NATIVE, Eol.CRLF)
    assert first.lane != second.lane
