"""What waits on the server: listed, previewed, retrieved, deleted and skipped at the user's request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.popserver import Message, QuitFault
from tests.support.running import Fleet
from tests.support.worlds import mail
from tui_popretr.answers import Done, Preview, Statistics, WaitingMail, WaitingReason
from tui_popretr.commands import (
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    MessageKey,
    PollClient,
    PreviewMessage,
    ReadStatistics,
    SkipMessages,
    StopSession,
)
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import MessageDelivered, Noted, SessionStarted
from tui_popretr.journal.records import MessageState
from tui_popretr.mail.identity import HEADER_LIMIT
from tui_popretr.session import visit as visit_module
from tui_popretr.session.headers import REFUSALS
from tui_popretr.session.visit import UNCERTAIN

EACH_WAY = pytest.mark.parametrize("pipelining", [True, False])


@asynccontextmanager
async def first_session(
    fleet: Fleet, *, mails: int = 3, preserve: bool = True, **changes: Any
) -> AsyncIterator[Engine]:
    """A running engine whose client has had its first session; the next one is a week later."""
    changes.setdefault("new_only", True)
    client = fleet.client(mails=mails, frequency=7 * 24 * 3600.0, preserve=preserve, **changes)
    async with fleet.running(client) as engine:
        await fleet.wait_for(lambda: bool(fleet.ends()))
        yield engine


async def listed(engine: Engine) -> WaitingMail:
    answer = await engine.ask(ListWaiting("a"))
    assert isinstance(answer, WaitingMail)
    return answer


def keys(mail: WaitingMail, *numbers: int) -> tuple[MessageKey, ...]:
    found = {each.number: MessageKey(each.number, each.uid, each.size, each.digest) for each in mail.messages}
    return tuple(found[number] for number in numbers)


async def done(engine: Engine, query: DeleteMessages | SkipMessages | FetchMessages) -> tuple[list[str], int]:
    """What the action says of each message after its name, and how many were left."""
    answer = await engine.ask(query)
    assert isinstance(answer, Done)
    return [re.split(r"\):? ", text, maxsplit=1)[-1] for text in answer.texts], answer.failed


def on_server(fleet: Fleet) -> list[str]:
    return [message.uid for message in fleet.drop().messages]


def subject(text: str) -> bytes:
    return f"From: Ann <a@b>\r\nSubject: {text}\r\nDate: today\r\n\r\nbody\r\n".encode()


# --- the list ---------------------------------------------------------------------------------------------------------


@EACH_WAY
@trio_test
async def test_what_is_on_the_server_and_why(fleet: Fleet, autojump_clock: MockClock, pipelining: bool) -> None:
    async with first_session(fleet, max_size=5000) as engine:
        fleet.become(pipelining=pipelining)
        greetings = subject("=?utf-8?q?gr=C3=BC=C3=9Fe?=")
        fleet.drop().add(greetings)
        fleet.drop().add(mail("large", b"x" * 6000 + b"\r\n"))
        with_skipped = await listed(engine)
        await done(engine, SkipMessages("a", keys(with_skipped, 2)))
        answer = await listed(engine)
        assert [(each.number, each.uid, each.reason) for each in answer.messages] == [
            (5, "uid-5", WaitingReason.TOO_LARGE),
            (4, "uid-4", WaitingReason.NEW),
            (3, "uid-3", WaitingReason.PRESERVED),
            (2, "uid-2", WaitingReason.SKIPPED),
            (1, "uid-1", WaitingReason.PRESERVED),
        ]
        new = answer.messages[1]
        assert (new.sender, new.name, new.subject, new.date, new.size) == (
            "a@b",
            "Ann",
            "grüße",
            "today",
            len(greetings),
        )
        assert answer.count == 5
        assert answer.remark == ""
        assert fleet.said()[-1] == "QUIT"
        assert len(fleet.starts()) == 1, "a visit is no session of the schedule"
        assert fleet.said().count("RETR") == 3


@trio_test
async def test_only_the_latest_headers_are_asked_for(
    fleet: Fleet, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit_module, "MOST", 2)
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        assert [each.number for each in answer.messages] == [3, 2]
        assert answer.count == 3
        assert answer.remark == "the latest 2 of 3 are shown"
        assert fleet.said().count("TOP") == 2


@trio_test
async def test_a_list_without_top_and_uidl(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        fleet.become(top=False, uidl=False)
        answer = await listed(engine)
        assert [(each.number, each.uid, each.subject, each.digest) for each in answer.messages] == [
            (number, None, "", "") for number in (3, 2, 1)
        ]
        assert answer.remark.startswith("the server refuses TOP")
        assert fleet.said().count("TOP") == REFUSALS
        no_uid = "the server gives no usable UIDs, without which it cannot be known again"
        assert await done(engine, SkipMessages("a", keys(answer, 1))) == ([no_uid], 1)
        assert (await done(engine, DeleteMessages("a", keys(answer, 1))))[1] == 1
        assert len(on_server(fleet)) == 3


@trio_test
async def test_an_empty_maildrop(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=0) as engine:
        answer = await listed(engine)
        assert (answer.count, answer.messages, answer.remark) == (0, (), "")


@trio_test
async def test_a_visit_waits_for_the_session_of_its_client(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(mails=3, frequency=1000.0)
    fleet.faults().delay = 5.0
    async with fleet.running(client) as engine:
        await fleet.wait_for(lambda: bool(fleet.starts()))
        answer = await listed(engine)
        assert fleet.ends() != []
        assert answer.count == 0


@trio_test
async def test_a_visit_that_fails_says_why(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        fleet.unreachable.add("a")
        with pytest.raises(ValueError, match="refused the connection"):
            await listed(engine)
        with pytest.raises(ValueError, match="there is no client 'b'"):
            await engine.ask(ListWaiting("b"))


@pytest.mark.parametrize("at", ["GREETING", "UIDL", "TOP", "DELE", "QUIT"])
@trio_test
async def test_a_shutdown_ends_a_visit(fleet: Fleet, autojump_clock: MockClock, at: str) -> None:
    async with first_session(fleet) as engine:
        named = keys(await listed(engine), 1, 2)
        fleet.faults().stall.add(at)
        answers: list[object] = []
        engine.ask_soon(DeleteMessages("a", named), answers.append)
        await trio.sleep(1.0)
    assert len(on_server(fleet)) == 3
    (answer,) = answers
    assert isinstance(answer, ValueError)
    uncertain = f"; {UNCERTAIN}" if at == "QUIT" else ""
    assert str(answer) == f"the program is ending{uncertain}"
    assert fleet.ended is not None


@trio_test
async def test_the_user_stops_a_visit(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        fleet.faults().stall.add("UIDL")
        answers: list[object] = []
        engine.ask_soon(ListWaiting("a"), answers.append)
        engine.ask_soon(ListWaiting("a"), answers.append)
        await trio.sleep(1.0)
        assert await fleet.perform(StopSession("a")) == "the session of a ends"
        assert list(map(str, answers)) == ["it was stopped"] * 2
        assert await fleet.perform(StopSession("a")) == "a has no session"
        fleet.repair()
        assert (await listed(engine)).count == 3


# --- preview ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_preview(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        long = b"".join(b"line %d\r\n" % number for number in range(100))
        fleet.drop().add(mail("long", long))
        answer = await listed(engine)
        preview = await engine.ask(PreviewMessage("a", keys(answer, 4)[0]))
        assert isinstance(preview, Preview)
        assert preview.cut
        assert preview.text.endswith("line 38\r\nline 39\r\n")
        whole = await engine.ask(PreviewMessage("a", keys(answer, 1)[0]))
        assert isinstance(whole, Preview)
        assert not whole.cut
        assert whole.text == mail("a0").decode()
        eight_bit = "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGrüße\r\n".encode("latin-1")
        fleet.drop().add(eight_bit)
        fleet.drop().add(b"Subject: " + b"x" * 100_000 + b"\r\n\r\nbody\r\n")
        answer = await listed(engine)
        latin = await engine.ask(PreviewMessage("a", keys(answer, 5)[0]))
        assert isinstance(latin, Preview)
        assert latin.text.encode("utf-8", "surrogateescape") == eight_bit
        endless = await engine.ask(PreviewMessage("a", keys(answer, 6)[0]))
        assert isinstance(endless, Preview)
        assert endless.cut
        assert len(endless.text) == HEADER_LIMIT
        changed = replace(keys(answer, 1)[0], digest="00")
        with pytest.raises(ValueError, match="another message is there now"):
            await engine.ask(PreviewMessage("a", changed))
        with pytest.raises(ValueError, match="no longer on the server"):
            await engine.ask(PreviewMessage("a", MessageKey(1, "another", 1)))
        fleet.become(top=False)
        with pytest.raises(ValueError, match="the server refuses TOP: a message can only be seen by retrieving it"):
            await engine.ask(PreviewMessage("a", keys(answer, 1)[0]))


# --- delete -----------------------------------------------------------------------------------------------------------


@EACH_WAY
@trio_test
async def test_only_what_was_named_is_deleted(fleet: Fleet, autojump_clock: MockClock, pipelining: bool) -> None:
    async with first_session(fleet, mails=6) as engine:
        fleet.become(pipelining=pipelining)
        answer = await listed(engine)
        assert await done(engine, DeleteMessages("a", keys(answer, 2, 5))) == (["was deleted on the server"] * 2, 0)
        assert on_server(fleet) == ["uid-1", "uid-3", "uid-4", "uid-6"]
        again, failed = await done(engine, DeleteMessages("a", keys(answer, 2, 3)))
        assert (again, failed) == (["it is no longer on the server", "was deleted on the server"], 1)
        assert on_server(fleet) == ["uid-1", "uid-4", "uid-6"]
        logged = [note.text for note in fleet.of(Noted) if "deleted on the server" in note.text]
        name = f"message 2 (UID uid-2, {answer.messages[4].size} B)"
        assert logged[0] == f'{name}, "a1", was deleted on the server by you'


@trio_test
async def test_another_message_under_the_uid_stays(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        drop = fleet.drop()
        other = mail("other")
        drop.messages[1] = Message(len(other), lambda: iter([other]), "uid-2")
        texts, failed = await done(engine, DeleteMessages("a", keys(answer, 2)))
        assert failed == 1
        assert texts == ["another message is there now: its header is not the one that was listed"]
        without = tuple(replace(each, digest="") for each in keys(answer, 1))
        assert await done(engine, DeleteMessages("a", without)) == (
            ["its header is not known, and without it nothing is deleted"],
            1,
        )
        fleet.become(top=False)
        assert await done(engine, DeleteMessages("a", keys(answer, 1))) == (
            ["the server refuses TOP, and without it nothing is deleted"],
            1,
        )
        assert len(on_server(fleet)) == 3
        assert "DELE" not in fleet.said()


@pytest.mark.parametrize("broken", ["UIDL", "TOP", "DELE"])
@trio_test
async def test_a_connection_that_breaks_deletes_nothing(fleet: Fleet, autojump_clock: MockClock, broken: str) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        fleet.faults().hang_up.add(broken)
        with pytest.raises(ValueError, match="closed the connection"):
            await engine.ask(DeleteMessages("a", keys(answer, 1, 3)))
        assert len(on_server(fleet)) == 3


@pytest.mark.parametrize("fault", [QuitFault.REFUSED, QuitFault.CUT_BEFORE_UPDATE, QuitFault.CUT_AFTER_UPDATE])
@trio_test
async def test_without_an_answer_to_quit_it_is_uncertain(
    fleet: Fleet, autojump_clock: MockClock, fault: QuitFault
) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        fleet.faults().quit = fault
        with pytest.raises(ValueError, match="list the mail again, which shows whether it was deleted"):
            await engine.ask(DeleteMessages("a", keys(answer, 1)))
        assert set(on_server(fleet)) >= {"uid-2", "uid-3"}


@trio_test
async def test_a_dele_that_is_refused(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        fleet.faults().answers["DELE"] = b"-ERR locked\r\n"
        assert await done(engine, DeleteMessages("a", keys(answer, 1))) == (["the server refuses: locked"], 1)


# --- skip and retrieve ------------------------------------------------------------------------------------------------


@trio_test
async def test_a_skipped_message_is_neither_retrieved_nor_deleted(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=0, preserve=False, new_only=False) as engine:
        fleet.drop().add(mail("one"))
        fleet.drop().add(mail("two"))
        answer = await listed(engine)
        assert await done(engine, SkipMessages("a", keys(answer, 1))) == (["is skipped from now on"], 0)
        await poll(fleet)
        assert fleet.arrived() == ["two"]
        assert on_server(fleet) == ["uid-1"]
        assert await done(engine, FetchMessages("a", keys(answer, 1))) == (["is retrieved now"], 0)
        logged = [note.text for note in fleet.of(Noted) if note.text.startswith("message 1")]
        assert logged == [
            f"message 1 (UID uid-1, {answer.messages[1].size} B) was skipped by you",
            f"message 1 (UID uid-1, {answer.messages[1].size} B) is retrieved now, at your request",
        ]
        await fleet.wait_for(lambda: len(fleet.ends()) == 3)
        assert fleet.arrived() == ["one", "two"]
        assert on_server(fleet) == []


async def poll(fleet: Fleet) -> None:
    ended = len(fleet.ends())
    await fleet.perform(PollClient("a"))
    await fleet.wait_for(lambda: len(fleet.ends()) > ended)


@trio_test
async def test_a_deleted_message_is_no_longer_skipped(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        await done(engine, SkipMessages("a", keys(answer, 1, 2)))
        await done(engine, DeleteMessages("a", keys(answer, 1)))
    with closing(fleet.journal()) as journal:
        skipped = [each.uid for each in journal.records(1) if each.state is MessageState.SKIPPED]
    assert skipped == ["uid-2"]


@trio_test
async def test_retrieving_whatever_the_rules_say(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, max_size=1000) as engine:
        fleet.drop().add(mail("large", b"x" * 70_000 + b"\r\n"))
        fleet.drop().add(mail("large too", b"x" * 70_000 + b"\r\n"))
        before = fleet.arrived()
        answer = await listed(engine)
        await done(engine, FetchMessages("a", keys(answer, 4, 1)))
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        assert fleet.results()[-1].messages == 2
        assert sorted(fleet.arrived()) == sorted([*before, "a0", "large"])
        assert len(on_server(fleet)) == 5, "preserve still counts"
        assert {each.uid for each in fleet.of(MessageDelivered)[-2:]} == {"uid-1", "uid-4"}


@trio_test
async def test_retrieving_what_has_changed_or_gone(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        other = mail("other")
        fleet.drop().messages[1] = Message(len(other), lambda: iter([other]), "uid-2")
        del fleet.drop().messages[2]
        await done(engine, FetchMessages("a", keys(answer, 2, 3)))
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        result = fleet.results()[-1]
        assert (result.code, result.messages) == (ExitCode.OK, 0)
        warned = [note.text for note in fleet.of(Noted) if "is not retrieved" in note.text]
        assert [text.rpartition(": ")[2] for text in warned] == [
            "its header is not the one that was listed",
            "it is no longer on the server",
        ]


@trio_test
async def test_a_retrieval_that_breaks_goes_on_with_the_rest(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=4, preserve=False, max_size=10) as engine:
        answer = await listed(engine)
        assert {each.reason for each in answer.messages} == {WaitingReason.TOO_LARGE}
        fleet.become(pipelining=False)
        fleet.faults().cut["uid-2"] = 10
        await done(engine, FetchMessages("a", keys(answer, 1, 2, 3)))
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        assert fleet.arrived() == ["a0", "a2"], "each once"
        assert on_server(fleet) == ["uid-2", "uid-4"]
        assert (await listed(engine)).messages[1].reason is WaitingReason.TOO_LARGE


@trio_test
async def test_the_schedule_goes_on_after_it(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(mails=1, frequency=1000.0, preserve=True, new_only=True)
    async with fleet.running(client) as engine:
        await fleet.wait_for(lambda: bool(fleet.ends()))
        answer = await listed(engine)
        await done(engine, FetchMessages("a", keys(answer, 1)))
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        await fleet.wait_for(lambda: len(fleet.starts()) == 3)
        first, _, third = fleet.starts()
        assert third - first == pytest.approx(1000.0, abs=5.0)
        assert len(fleet.of(SessionStarted)) == 3


# --- statistics -------------------------------------------------------------------------------------------------------


@trio_test
async def test_statistics_of_what_has_just_happened(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=3) as engine:
        answer = await engine.ask(ReadStatistics("a"))
        everything = await engine.ask(ReadStatistics())
        assert isinstance(answer, Statistics)
        assert isinstance(everything, Statistics)
        assert answer == replace(everything, client="a")
        (hour,), (day,) = answer.hours, answer.days
        assert (hour.sessions, hour.failures, hour.messages) == (1, 0, 3)
        assert hour.begin <= fleet.clock.now()
        assert (day.sessions, day.messages, day.octets) == (1, 3, hour.octets)
