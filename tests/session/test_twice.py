"""No message is delivered twice, or deleted unretrieved: pending deletions, preserve, newonly, deleteafter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.popserver import Message, QuitFault
from tests.support.worlds import DAY, World, mail, verbs
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Level, MaildropListed, MessageDelivered, MessagesDeleted, Noted
from tui_popretr.journal.records import MessageState
from tui_popretr.session.deliveries import Deliveries

EACH_WAY = pytest.mark.parametrize("pipelining", [True, False])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- deletions that did not happen ------------------------------------------------------------------------------------


@EACH_WAY
@pytest.mark.parametrize("fault", [QuitFault.REFUSED, QuitFault.CUT_BEFORE_UPDATE])
@trio_test
async def test_deletions_that_quit_did_not_do_are_made_up_for(
    world: World, autojump_clock: MockClock, fault: QuitFault, pipelining: bool
) -> None:
    world.become(pipelining=pipelining)
    world.add(mail(1), mail(2))
    world.faults.quit = fault
    result = await world.poll()
    assert not result.ok
    assert (result.messages, result.deleted) == (2, 0)
    assert world.of(MessagesDeleted) == []
    assert [record.delete_pending for record in world.records()] == [True, True]

    world.faults.quit = QuitFault.NONE
    world.add(mail(3))
    result = await world.poll()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 1, 3)
    (listed,) = world.of(MaildropListed)
    assert (listed.to_retrieve, listed.to_delete) == (1, 2)
    assert [line for line in world.said(2) if line.startswith(("TOP", "RETR"))] == ["RETR 3", "TOP 1 0", "TOP 2 0"]
    assert world.arrived() == [mail(1), mail(2), mail(3)]
    assert world.remaining() == []
    assert {record.state for record in world.records()} == {MessageState.DELETED}


@trio_test
async def test_deletions_that_quit_did_but_did_not_say(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    world.faults.quit = QuitFault.CUT_AFTER_UPDATE
    result = await world.poll()
    assert (result.code, result.deleted) == (ExitCode.TEMPORARY, 0)
    world.faults.quit = QuitFault.NONE
    assert (await world.poll()).ok
    assert world.arrived() == [mail(1)]


@EACH_WAY
@trio_test
async def test_a_refused_dele_is_made_up_for(world: World, autojump_clock: MockClock, pipelining: bool) -> None:
    world.become(pipelining=pipelining)
    world.add(mail(1), mail(2))
    world.faults.answers["DELE"] = b"-ERR not today\r\n"
    result = await world.poll()
    assert (result.messages, result.deleted) == (2, 0)
    assert world.said()[-1] == "QUIT"
    assert [note.text for note in world.of(Noted) if "refused to delete 2 messages (not today)" in note.text]
    assert [record.delete_pending for record in world.records()] == [True, True]
    world.faults.answers.clear()
    result = await world.poll()
    assert (result.messages, result.deleted) == (0, 2)
    assert world.arrived() == [mail(1), mail(2)]
    assert world.remaining() == []


@EACH_WAY
@trio_test
async def test_without_top_a_message_is_compared_by_retr(
    world: World, autojump_clock: MockClock, pipelining: bool
) -> None:
    world.become(top=False, pipelining=pipelining)
    world.add(mail(1), mail(2))
    await world.poll_with_quit_refused()
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 0, 2)
    assert sorted(line for line in world.said(2) if line.startswith(("TOP", "RETR"))) == [
        "RETR 1",
        "RETR 2",
        "TOP 1 0",
        "TOP 2 0",
    ]
    assert world.arrived() == [mail(1), mail(2)]
    assert world.remaining() == []


@pytest.mark.parametrize("seconds", [0.3, 0.7, 1.1])
@trio_test
async def test_the_last_message_delivered_before_is_deleted(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Its draft is still being removed when all else is done: its DELE is not given up, and QUIT comes behind it."""

    async def discard(deliveries: Deliveries, draft: FileDraft) -> None:
        await trio.sleep(seconds)
        draft.abort()

    monkeypatch.setattr(Deliveries, "discard", discard)
    world.become(top=False)
    world.disk_seconds = 0.1
    for old in range(1, 6):
        world.add(*map(mail, range(old)))
        await world.poll_with_quit_refused()
        world.add(mail(f"new {old}"))
        result = await world.poll()
        assert (result.ok, result.messages, result.deleted) == (True, 1, old + 1)
        assert world.remaining() == []


@EACH_WAY
@pytest.mark.parametrize("top", [True, False])
@trio_test
async def test_another_message_under_a_used_uid_is_delivered(
    world: World, autojump_clock: MockClock, top: bool, pipelining: bool
) -> None:
    world.become(top=top, pipelining=pipelining)
    world.add(Message.of(mail("old"), "again"), mail(2))
    await world.poll_with_quit_refused()
    world.drop.messages[0] = Message.of(mail("new"), "again")
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 1, 2)
    assert world.arrived() == [mail("old"), mail(2), mail("new")]
    assert world.remaining() == []
    await world.poll()
    assert len(world.arrived()) == 3


@trio_test
async def test_a_header_that_the_server_rewrites_is_still_known(world: World, autojump_clock: MockClock) -> None:
    """Equal Message-ID and Date are enough, where the rest of the header differs at each retrieval."""
    world.add(mail(1))
    await world.poll_with_quit_refused()
    world.drop.messages[0] = Message.of(b"Status: RO\r\nX-Scan: 7\r\n" + mail(1), "uid-1")
    result = await world.poll()
    assert (result.messages, result.deleted) == (0, 1)


@trio_test
async def test_a_uid_that_comes_back_after_its_deletion_is_new_mail(world: World, autojump_clock: MockClock) -> None:
    world.add(Message.of(mail(1), "u"))
    assert (await world.poll()).ok
    world.add(Message.of(mail(2), "u"))
    assert (await world.poll()).messages == 1
    assert world.arrived() == [mail(1), mail(2)]
    assert world.remaining() == []


@EACH_WAY
@pytest.mark.parametrize("top", [True, False])
@trio_test
async def test_a_server_that_says_it_deletes_and_does_not(
    world: World, autojump_clock: MockClock, pipelining: bool, top: bool
) -> None:
    """Messages that are listed again after their deletion are deleted once more, with a warning."""
    world.become(pipelining=pipelining, top=top)
    world.add(mail(1), mail(2))
    world.faults.quit = QuitFault.KEEP
    assert (await world.poll()).deleted == 2
    world.add(mail(3))
    for listed, new in ((2, 1), (3, 0)):
        result = await world.poll()
        assert (result.code, result.messages, result.deleted) == (ExitCode.OK, new, 3)
        notes = [note.text for note in world.of(Noted) if note.level is Level.WARNING]
        assert any(f"{listed} messages that it said it had deleted" in note for note in notes), notes
    world.faults.quit = QuitFault.NONE
    assert (await world.poll()).deleted == 3
    assert world.remaining() == []
    assert world.arrived() == [mail(1), mail(2), mail(3)]


# --- without UIDL -----------------------------------------------------------------------------------------------------


@EACH_WAY
@trio_test
async def test_without_uidl_messages_are_known_by_the_whole(
    world: World, autojump_clock: MockClock, pipelining: bool
) -> None:
    world.become(uidl=False, pipelining=pipelining)
    same_header = mail(1, b"another body\r\n")
    world.add(mail(1), mail(2))
    await world.poll_with_quit_refused()
    world.add(same_header)
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 1, 3)
    assert world.arrived() == [mail(1), mail(2), same_header]
    assert world.remaining() == []


@trio_test
async def test_without_uidl_two_identical_mails_stay_two(world: World, autojump_clock: MockClock) -> None:
    world.become(uidl=False)
    world.add(mail(1))
    await world.poll_with_quit_refused()
    world.add(mail(1))
    result = await world.poll()
    assert (result.messages, result.deleted) == (1, 2)
    assert world.arrived() == [mail(1), mail(1)]
    assert world.remaining() == []


@trio_test
async def test_a_server_that_learns_uidl_is_told_from_before(world: World, autojump_clock: MockClock) -> None:
    world.become(uidl=False)
    world.add(mail(1))
    await world.poll_with_quit_refused()
    world.become(uidl=True)
    world.add(mail(2))
    result = await world.poll()
    assert (result.messages, result.deleted) == (1, 2)
    assert world.arrived() == [mail(1), mail(2)]


@trio_test
async def test_a_server_that_stops_listing_uids_sends_again(world: World, autojump_clock: MockClock) -> None:
    """A record made with a UID proves nothing about a message without one: twice rather than never."""
    world.add(mail(1))
    await world.poll_with_quit_refused()
    world.become(uidl=False)
    result = await world.poll()
    assert (result.messages, result.deleted) == (1, 1)
    assert world.arrived() == [mail(1), mail(1)]
    assert world.remaining() == []


@trio_test
async def test_a_mixed_listing_and_a_changed_message_without_top(world: World, autojump_clock: MockClock) -> None:
    """Owed deletions of both kinds, no TOP, and another message under the used UID: all of them in one session."""
    world.become(top=False, pipelining=False)
    world.add(Message.of(mail("old"), "again"), mail(2))
    world.faults.answers["UIDL"] = b"+OK\r\n1 again\r\n.\r\n"
    await world.poll_with_quit_refused()
    world.drop.messages[0] = Message.of(mail("new"), "again")
    result = await world.poll()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 1, 2), result.error
    assert world.arrived() == [mail("old"), mail(2), mail("new")]
    assert world.remaining() == []


@pytest.mark.parametrize("changes", [{"new_only": True, "preserve": True}, {"delete_after": DAY, "preserve": True}])
@pytest.mark.parametrize("answer", [None, b"+OK\r\n1 \x07\r\n.\r\n", b"+OK\r\n.\r\n"])
@trio_test
async def test_newonly_and_deleteafter_need_uidl(
    world: World, autojump_clock: MockClock, changes: dict[str, Any], answer: bytes | None
) -> None:
    if answer is None:
        world.become(uidl=False)
    else:
        world.faults.answers["UIDL"] = answer
    world.add(mail(1))
    result = await world.poll(**changes)
    assert result.code is ExitCode.PROTOCOL
    assert "UIDL" in result.error
    assert "newonly" in result.advice
    assert "RETR" not in world.verbs()


# --- preserve ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_preserve_leaves_all_and_retrieves_all_again(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1), mail(2))
    for _ in range(2):
        result = await world.poll(preserve=True)
        assert (result.ok, result.messages, result.deleted) == (True, 2, 0)
    assert world.arrived() == [mail(1), mail(2), mail(1), mail(2)]
    assert world.remaining() == ["uid-1", "uid-2"]
    assert not {"DELE", "TOP"} & set(world.verbs())


@trio_test
async def test_preserve_with_newonly_retrieves_what_is_new(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1), mail(2))
    assert (await world.poll(preserve=True, new_only=True)).messages == 2
    assert (await world.poll(preserve=True, new_only=True)).messages == 0
    (listed,) = world.of(MaildropListed)
    assert (listed.messages, listed.to_retrieve, listed.to_skip) == (2, 0, 2)
    world.add(mail(3))
    result = await world.poll(preserve=True, new_only=True)
    assert (result.messages, result.skipped) == (1, 2)
    assert world.arrived() == [mail(1), mail(2), mail(3)]


@pytest.mark.parametrize("new_only", [True, False])
@trio_test
async def test_a_preserving_run_that_was_cut_goes_on_without_repeats(
    world: World, autojump_clock: MockClock, new_only: bool
) -> None:
    world.add(*map(mail, range(1, 6)))
    world.faults.cut.update({"uid-3": 10, "uid-4": 10})
    assert not (await world.poll(preserve=True, new_only=new_only)).ok
    assert world.arrived() == [mail(1), mail(2)]
    world.faults.cut.clear()
    assert (await world.poll(preserve=True, new_only=new_only)).ok
    assert world.arrived() == [mail(number) for number in (1, 2, 5, 3, 4)]
    expected = 0 if new_only else 5
    assert (await world.poll(preserve=True, new_only=new_only)).messages == expected


@trio_test
async def test_an_interrupted_preserve_run_without_uidl_continues(world: World, autojump_clock: MockClock) -> None:
    world.become(uidl=False)
    world.add(*map(mail, range(1, 5)))
    world.faults.quit = QuitFault.CUT_BEFORE_UPDATE
    await world.poll(preserve=True)
    world.faults.quit = QuitFault.NONE
    assert (await world.poll(preserve=True)).messages == 0
    assert (await world.poll(preserve=True)).messages == 4


@trio_test
async def test_switching_preserve_on_suspends_what_is_owed(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    await world.poll_with_quit_refused()
    for _ in range(2):
        assert (await world.poll(preserve=True, new_only=True)).deleted == 0
    assert world.remaining() == ["uid-1"]
    result = await world.poll()
    assert (result.messages, result.deleted) == (0, 1)
    assert world.arrived() == [mail(1)]
    assert world.remaining() == []


@trio_test
async def test_switching_preserve_off_owes_nothing_for_before(world: World, autojump_clock: MockClock) -> None:
    """A message that was delivered under preserve is deleted only after it was delivered again."""
    world.add(mail(1))
    await world.poll(preserve=True, new_only=True)
    result = await world.poll(new_only=True)
    assert (result.messages, result.deleted) == (0, 0)
    assert world.remaining() == ["uid-1"]
    result = await world.poll()
    assert (result.messages, result.deleted) == (1, 1)


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [(110, 995, ""), (995, 1110, "pop.example.test port 110 or 995"), (1110, 995, "pop.example.test:1110")],
)
@trio_test
async def test_another_port_is_said_before_mail_comes_again(
    world: World, autojump_clock: MockClock, before: int, after: int, shown: str
) -> None:
    server = world.client().server
    world.add(mail(1), mail(2))
    await world.poll(preserve=True, new_only=True, server=replace(server, port=before))
    for _ in range(2):
        result = await world.poll(preserve=True, new_only=True, server=replace(server, port=after))
        texts = [each.text for each in world.of(Noted) if each.level is Level.WARNING]
        assert bool(result.messages) == bool(texts) == bool(shown)
        assert all(f"2 messages of the same user and destination at {shown}:" in text for text in texts)
        assert all("mark-seen CONFIG --client a" in text for text in texts)
        shown = ""


@trio_test
async def test_another_port_is_no_matter_if_nothing_stayed(world: World, autojump_clock: MockClock) -> None:
    server = world.client().server
    world.add(mail(1))
    await world.poll()
    world.add(mail(2))
    await world.poll(server=replace(server, port=1110))
    assert [each for each in world.of(Noted) if each.level is Level.WARNING] == []


@pytest.mark.parametrize("new_only", [True, False])
@trio_test
async def test_deleteafter(world: World, autojump_clock: MockClock, new_only: bool) -> None:
    """Counted from the first retrieval; what comes later has its own time."""
    settings: dict[str, Any] = {"preserve": True, "new_only": new_only, "delete_after": 14 * DAY}
    world.add(mail(1))
    assert (await world.poll(**settings)).ok
    world.clock.skip(7 * DAY)
    world.add(mail(2))
    assert (await world.poll(**settings)).deleted == 0
    world.clock.skip(7 * DAY + 60)
    result = await world.poll(**settings)
    assert result.deleted == 1
    assert world.remaining() == ["uid-2"]
    assert "TOP 1 0" in world.said(3)
    world.clock.skip(7 * DAY)
    assert (await world.poll(**settings)).deleted == 1
    assert world.remaining() == []
    assert set(world.arrived()) == {mail(1), mail(2)}
    assert not new_only or len(world.arrived()) == 2


@trio_test
async def test_deleteafter_deletes_nothing_but_what_was_delivered(world: World, autojump_clock: MockClock) -> None:
    settings: dict[str, Any] = {"preserve": True, "new_only": True, "delete_after": DAY}
    world.add(Message.of(mail("old"), "u"))
    await world.poll(**settings)
    world.drop.messages[0] = Message.of(mail("new"), "u")
    world.clock.skip(DAY + 1)
    await world.poll(**settings)
    assert world.arrived() == [mail("old"), mail("new")]


@trio_test
async def test_deleteafter_starts_again_for_a_reused_uid(world: World, autojump_clock: MockClock) -> None:
    settings: dict[str, Any] = {"preserve": True, "delete_after": 14 * DAY}
    world.add(Message.of(mail("old"), "u"))
    await world.poll(**settings)
    world.drop.messages[0] = Message.of(mail("new"), "u")
    for days in (7, 7, 6):
        world.clock.skip(days * DAY)
        assert (await world.poll(**settings)).deleted == 0
    world.clock.skip(2 * DAY)
    assert (await world.poll(**settings)).deleted == 1


# --- in several processes and connections -----------------------------------------------------------------------------


@trio_test
async def test_runs_of_one_process(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    await world.run(world.client(runs=3))
    assert verbs(world.said()).count("QUIT") == 3
    assert world.arrived() == [mail(1)]
    assert len(world.of(MessageDelivered)) == 1


@trio_test
async def test_newonly_remembers_messages_whose_uid_is_used_twice(world: World, autojump_clock: MockClock) -> None:
    """Hash UIDs of equal messages are equal (RFC 1939 §7): such messages are known by the whole of them."""
    world.add(mail(1), Message.of(mail(2), "same"), Message.of(mail(2), "same"))
    assert (await world.poll(preserve=True, new_only=True)).messages == 3
    for _ in range(3):
        assert (await world.poll(preserve=True, new_only=True)).messages == 0
    assert len(world.arrived()) == 3
