"""Messages that cannot be stored stay on the server, and none is deleted before it is durable."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.popserver import QuitFault
from tests.support.worlds import World, mail
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import FolderDestination, MaildirDestination
from tui_popretr.errors import ExitCode, JournalError
from tui_popretr.facts import MessageDelivered, MessageSkipped, Noted
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, MessageState, NewRecord
from tui_popretr.session.deliveries import MAX_DELIVERY_FAILURES

EACH_WAY = pytest.mark.parametrize("pipelining", [True, False])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no room on the disk for messages with HUGE in them."""
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if b"HUGE" in bytes(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", limited)


@EACH_WAY
@trio_test
async def test_an_unstorable_message_leaves_the_others_delivered(
    world: World, autojump_clock: MockClock, full_disk: None, pipelining: bool
) -> None:
    world.become(pipelining=pipelining)
    world.add(mail(1), mail(2, b"HUGE\r\n"), mail(3), mail(4, b"HUGE" * 100_000 + b"\r\n"), mail(5))
    result = await world.poll()
    assert world.arrived() == [mail(1), mail(3), mail(5)]
    assert world.remaining() == ["uid-2", "uid-4"]
    assert (result.code, result.messages, result.deleted, result.failed) == (ExitCode.IO_ERROR, 3, 3, 2)
    assert "the disk is full" in result.error
    assert {each.uid for each in world.of(MessageSkipped) if each.failure} == {"uid-2", "uid-4"}
    assert world.troubles() == {}, "the disk is to blame and not the message"


@trio_test
async def test_three_failures_in_a_row_end_the_retrieval_with_quit(
    world: World, autojump_clock: MockClock, full_disk: None
) -> None:
    world.become(pipelining=False)
    world.faults.delay = 1.0  # so that each message is settled before the next comes
    world.add(mail(1), *(mail(number, b"HUGE\r\n") for number in range(2, 12)))
    result = await world.poll()
    assert result.code is ExitCode.IO_ERROR
    assert "the disk is full" in result.error
    assert world.verbs().count("RETR") == 5  # the last was on its way when the third failed
    assert world.said()[-1] == "QUIT"
    assert world.arrived() == [mail(1)]
    assert "uid-1" not in world.remaining()
    assert len(world.remaining()) == 10


@trio_test
async def test_deliveries_in_flight_at_giving_up_are_only_counted(
    world: World, autojump_clock: MockClock, full_disk: None
) -> None:
    world.add(*(mail(number, b"HUGE\r\n") for number in range(1, 41)))
    result = await world.poll()
    assert (result.code, result.failed) == (ExitCode.IO_ERROR, 40)
    assert result.error.startswith("40 messages could not be stored: ")
    assert len([each for each in world.of(MessageSkipped) if each.failure]) == MAX_DELIVERY_FAILURES
    assert len(world.remaining()) == 40


@trio_test
async def test_pending_deletions_are_sent_if_nothing_can_be_stored(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(mail(1))
    world.faults.quit = QuitFault.CUT_BEFORE_UPDATE
    await world.poll()
    world.faults.quit = QuitFault.NONE
    world.add(mail(2))
    real = os.statvfs

    def statvfs(path: str) -> os.statvfs_result:  # the journal is on another disk
        return (
            os.statvfs_result((1, 1, 1, 0, 0, 0, 0, 0, 0, 255)) if path.startswith(str(world.maildir)) else real(path)
        )

    monkeypatch.setattr(os, "statvfs", statvfs)
    result = await world.poll()
    assert result.code is ExitCode.IO_ERROR
    assert "the disk is full" in result.error
    assert world.remaining() == ["uid-2"]
    assert world.arrived() == [mail(1)]


@trio_test
async def test_failures_that_are_not_in_a_row_end_nothing(
    world: World, autojump_clock: MockClock, full_disk: None
) -> None:
    world.become(pipelining=False)
    world.faults.delay = 1.0  # so that each message is settled before the next comes
    world.add(*(mail(number, b"HUGE\r\n" if number % 3 else b"") for number in range(1, 13)))
    result = await world.poll()
    assert result.code is ExitCode.IO_ERROR
    assert (result.messages, result.failed) == (4, 8)


@pytest.mark.parametrize("runs", [1, 2])
@trio_test
async def test_a_destination_that_is_a_file(world: World, autojump_clock: MockClock, runs: int) -> None:
    world.maildir.write_text("not a folder")
    world.add(*map(mail, range(1, 4)))
    engine = await world.run(world.client(runs=runs))
    result = engine.results["a"]
    assert result.code is ExitCode.CANT_CREATE
    assert str(world.maildir) in result.error
    assert world.said()[-1] == "QUIT"
    assert not {"RETR", "DELE"} & set(world.verbs()), "what cannot be stored is not asked for"
    assert len(world.remaining()) == 3
    assert world.maildir.read_text() == "not a folder"


@trio_test
async def test_a_folder_gets_files_with_our_header(world: World, autojump_clock: MockClock) -> None:
    folder = world.folder / "mail"
    world.destination = FolderDestination(str(folder))
    world.add(mail(1))
    assert (await world.poll(omit_received=False)).ok
    (file,) = folder.iterdir()
    header, _, rest = file.read_bytes().partition(b"\r\nMessage-ID")
    assert b"Message-ID" + rest == mail(1)
    assert header.splitlines() == [
        b"Received: from pop.example.test ([192.0.2.7])",
        b"\tby testhost (tui-popretr test) with POP3",
        b"\tfor <user1>; Mon, 23 Nov 2026 07:27:59 +0000",
    ]


@trio_test
async def test_line_ends_as_the_destination_wants_them(world: World, autojump_clock: MockClock) -> None:
    world.destination = MaildirDestination(str(world.maildir), eol=Eol.NATIVE)
    body = b"bare\nLF, bare\rCR, \0 and\r\n.dot\r\n..dots\r\n"
    world.add(mail(1, body))
    await world.poll()
    assert world.arrived() == [mail(1, body).replace(b"\r\n", b"\n")]


# --- the journal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["delivering", "delivered"])
@pytest.mark.parametrize("afterwards", [False, True])
@trio_test
async def test_a_journal_that_fails_deletes_nothing_and_is_made_up_for(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, step: str, afterwards: bool
) -> None:
    """Whether the transaction that failed took place or not: nothing is lost, and nothing comes twice."""
    commit = Journal.commit

    def failing(journal: Journal, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        if not (delivering if step == "delivering" else delivered):
            commit(journal, delivering, delivered)
            return
        if afterwards:
            commit(journal, delivering, delivered)
        journal.broken = True
        raise JournalError("the disk failed")

    world.add(*map(mail, range(1, 6)))
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "commit", failing)
        result = await world.poll()
    assert result.code is ExitCode.IO_ERROR
    assert result.messages == 0
    assert "DELE" not in world.verbs()
    assert len(world.remaining()) == 5

    result = await world.poll()
    assert result.ok
    assert world.remaining() == []
    assert sorted(world.arrived()) == [mail(number) for number in range(1, 6)]
    audited = [line for line in world.audit_log.read_text().splitlines() if "Downloaded" in line]
    assert {line.partition("MsgID=")[2].partition("@")[0] for line in audited} == set("12345")


@trio_test
async def test_no_dele_at_all_behind_a_journal_that_failed(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for what an earlier session delivered: what the journal holds must be read anew first."""
    world.add(mail("old"))
    await world.poll_with_quit_refused()
    old = world.drop.messages.pop()
    world.add(mail("new"), old)

    def failing(journal: Journal, *_: object) -> None:
        journal.broken = True
        raise JournalError("the disk failed")

    world.faults.delay = 1.0  # the journal fails before the answer to TOP comes
    before = world.verbs().count("DELE")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "commit", failing)
        result = await world.poll()
    assert result.code is ExitCode.IO_ERROR
    assert "TOP 2 0" in world.said(2)
    assert world.verbs().count("DELE") == before
    assert (await world.poll()).ok
    assert world.arrived() == [mail("old"), mail("new")]
    assert world.remaining() == []


@trio_test
async def test_interrupted_deliveries_are_recovered_at_reconnection(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fsync of `new` failed: the message may be there or not. A reconnection must not fetch it once more."""
    new = str(world.maildir / "new")
    fsync, opened = os.fsync, os.open
    descriptors: set[int] = set()
    failures = [OSError(errno.EIO, os.strerror(errno.EIO))]

    def open_(path: str, *arguments: int) -> int:
        descriptor = opened(path, *arguments)
        if path == new:
            descriptors.add(descriptor)
        else:
            descriptors.discard(descriptor)
        return descriptor

    def fsync_(descriptor: int) -> None:
        if descriptor in descriptors and failures:
            raise failures.pop()
        fsync(descriptor)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "fsync", fsync_)
    world.become(pipelining=False)
    world.faults.delay = 1.0
    world.add(mail(1), mail(2), mail(3))
    world.faults.cut["uid-2"] = 10
    await world.poll()
    assert failures == []
    assert world.server.connections == 2
    world.faults.cut.clear()
    await world.poll()
    assert sorted(world.arrived()) == [mail(1), mail(2), mail(3)]
    assert world.remaining() == []
    assert {record.state for record in world.records()} == {MessageState.DELETED}


@trio_test
async def test_what_a_dead_process_left_unfinished_is_removed(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    await world.poll()
    name = next((world.maildir / "new").iterdir()).name
    ours = world.maildir / "tmp" / name.replace(name[name.index("P") + 1 :][:8], "01234567")
    others = world.maildir / "tmp" / "1234.somebody.else"
    ours.write_text("half a mess")
    others.write_text("not ours")
    await world.poll()
    assert not ours.exists()
    assert others.exists()


@trio_test
async def test_a_tmp_that_cannot_be_searched_is_only_told(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool folder may be writable and not readable: mail can be delivered there all the same."""
    listdir = os.listdir

    def refusing(path: str) -> list[str]:
        if path == str(world.maildir / "tmp"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listdir(path)

    world.add(mail(1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", refusing)
        assert (await world.poll()).ok
    assert any("clean up" in note.text for note in world.of(Noted))
    assert world.arrived() == [mail(1)]
    assert len(world.of(MessageDelivered)) == 1
