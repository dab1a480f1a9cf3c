"""Delivery to a command: what is seen to before, what is told of it, and how it is interrupted."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.delivery.command.handing import MESSAGE, Hand, Lifeline, failure, handing, shell
from tests.delivery.making import WHEN
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import CommandDestination
from tui_popretr.delivery.command.sink import CommandSink
from tui_popretr.delivery.sink import SPILL, Sink
from tui_popretr.errors import CannotCreate, CommandDeferred, CommandFailed, CommandUnusable, DeliveryFailed, ExitCode


def taking(file: Path) -> tuple[str, ...]:
    return shell('cat >>"$1"', file)


def test_a_message_arrives(tmp_path: Path) -> None:
    with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        draft = hand.send()
        assert (draft.description(), draft.receipt()) == ("Command=sh", "")
        assert (draft.tmp, draft.final, draft.folders_before(), draft.folders_after()) == (None, None, (), ())
        hand.send(b"two")
    assert (tmp_path / "mbox").read_bytes() == MESSAGE + b"two"
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_large_message_comes_from_the_spool(tmp_path: Path) -> None:
    line = b"x" * 998 + b"\n"
    with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        draft = hand.sink.open(7, WHEN)
        for _ in range(1000):
            draft.write(line)
            if draft.pending >= SPILL:
                draft.spill()
                assert draft.pending == 0
        draft.publish()
    assert (tmp_path / "mbox").read_bytes() == line * 1000


def test_what_happens_is_told(tmp_path: Path) -> None:
    argv = shell(r"printf 'one\ntwo \033[2J;\n' >&2; exit $(cat | wc -l)")
    with handing(argv, tmp_path) as hand:
        assert hand.send(b"").receipt() == r"; Output=one | two \x1b[2J\x3b"
        with pytest.raises(CommandFailed, match=r"sh ended with exit code 4: one \| two \\x1b\[2J;"):
            hand.send()
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


def test_after_a_failure_the_next_message_is_tried(tmp_path: Path) -> None:
    argv = shell('grep -q bad && exit 75; touch "$1"', tmp_path / "taken")
    with handing(argv, tmp_path) as hand:
        with pytest.raises(CommandDeferred, match="temporary failure"):
            hand.send(b"bad\n")
        assert not (tmp_path / "taken").exists()
        hand.send(b"good\n")
        assert (tmp_path / "taken").exists()


def test_a_draft_that_has_failed_is_not_handed_over_again(tmp_path: Path) -> None:
    with handing(shell('echo x >>"$1"; exit 1', tmp_path / "runs"), tmp_path) as hand:
        draft = hand.sink.open(7, WHEN)
        with pytest.raises(CommandFailed):
            draft.publish()
        with pytest.raises(DeliveryFailed, match="an earlier step failed"):
            draft.publish()
        draft.abort()
    assert (tmp_path / "runs").read_text() == "x\n"


def test_it_gets_the_environment_without_what_is_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POP_PASSWORD", "secret")
    argv = shell("echo ${POP_PASSWORD-none}")
    with handing(argv, tmp_path) as hand:
        assert hand.send().receipt() == "; Output=secret"
    with handing(argv, tmp_path, withheld=frozenset({"POP_PASSWORD"})) as hand:
        assert hand.send().receipt() == "; Output=none"


# --- before -----------------------------------------------------------------------------------------------------------


def unusable(program: str, folder: Path) -> str:
    """The words with which a program is refused, before anything is asked for."""
    with handing((program, "secret"), folder) as hand, pytest.raises(CommandUnusable) as caught:
        hand.sink.make_ready(0)
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    assert "whole path" in caught.value.advice
    return str(caught.value)


def test_a_missing_program_is_reported_by_make_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_full_disk_is_told_before_anything_is_asked_for(tmp_path: Path) -> None:
    with handing(shell(""), tmp_path) as hand:
        hand.sink.make_ready(1)
        with pytest.raises(DeliveryFailed, match="the disk is full"):
            hand.sink.make_ready(2**62)


def test_a_spool_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    failure(CannotCreate, f"{tmp_path}/spool", shell('touch "$1"', tmp_path / "run"), tmp_path)
    assert not (tmp_path / "run").exists()


# --- ended ------------------------------------------------------------------------------------------------------------


def test_one_that_hangs_is_given_up(tmp_path: Path, lifeline: Lifeline) -> None:
    argv = shell(f"{lifeline.grip}; sleep 1000 & sleep 1000")
    error = failure(CommandDeferred, "sh took longer than 0.3 s: it was killed by SIGTERM", argv, tmp_path, timeout=0.3)
    assert "raise timeout" in error.advice
    wait_for(lambda: not lifeline.alive, "the end of all of it")


def sending(hand: Hand, raised: list[Exception | None]) -> threading.Thread:
    """Send in a thread; its end adds to `raised`."""

    def send() -> None:
        try:
            hand.send()
        except Exception as error:  # noqa: BLE001 - for the test to look at
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("how", ["interrupt", "close"])
def test_a_command_that_runs_is_interrupted(how: str, tmp_path: Path, lifeline: Lifeline) -> None:
    raised: list[Exception | None] = []
    with handing(shell(f"{lifeline.grip}; sleep 1000 & sleep 1000"), tmp_path) as hand:
        thread = sending(hand, raised)
        wait_for(lambda: lifeline.begun, "the command")
        getattr(hand.sink, how)()
        if how == "close":
            assert not lifeline.alive, "it has waited for its end"
        thread.join(PATIENCE)
    (error,) = raised
    assert type(error) is CommandDeferred
    assert str(error) == "sh had not accepted the message when the session was ended"
    wait_for(lambda: not lifeline.alive, "the end of all of it")


def test_an_interruption_holds_until_the_next_make_ready(tmp_path: Path) -> None:
    with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        hand.sink.interrupt()
        with pytest.raises(CommandDeferred, match="nothing more is sent to sh"):
            hand.send()
        hand.sink.make_ready(0)
        hand.send()
    assert (tmp_path / "mbox").read_bytes() == MESSAGE


def test_after_close_there_is_nothing_more(tmp_path: Path) -> None:
    with handing(taking(tmp_path / "mbox"), tmp_path) as hand:
        hand.sink.close()
        with pytest.raises(CommandDeferred):
            hand.send()
        with pytest.raises(CommandDeferred):
            hand.sink.make_ready(0)
    assert not (tmp_path / "mbox").exists()


def test_one_message_at_a_time(tmp_path: Path) -> None:
    script = 'mkdir "$1" || exit 1; cat >/dev/null; rmdir "$1"'
    raised: list[Exception | None] = []
    with handing(shell(script, tmp_path / "turn"), tmp_path) as hand:
        for thread in [sending(hand, raised) for _ in range(10)]:
            thread.join(PATIENCE)
    assert raised == [None] * 10


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


def test_it_is_remote_and_has_a_lane_of_its_own() -> None:
    first: Sink = sink(CommandDestination(("a",)))
    second = sink(CommandDestination(("a",), eol=Eol.CRLF))
    assert first.remote
    assert (first.eol, second.eol) == (Eol.NATIVE, Eol.CRLF)
    assert first.lane != second.lane
    assert first.clean_orphans(()) == []
