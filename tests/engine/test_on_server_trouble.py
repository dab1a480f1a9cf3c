"""Actions on the server's messages, disturbed: by sessions, by a reload, by other dashboards, by the server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.engine.test_on_server import done, first_session, keys, listed, on_server, poll, subject
from tests.support.popserver import Message, QuitFault
from tests.support.running import Fleet
from tests.support.worlds import mail
from tui_popretr.commands import (
    DeleteMessages,
    FetchMessages,
    MessageKey,
    PauseClient,
    PollClient,
    Reload,
    SkipMessages,
)
from tui_popretr.engine.service import Engine
from tui_popretr.journal.records import MessageState

Texts = tuple[list[str], int]


async def together(engine: Engine, *queries: DeleteMessages | SkipMessages | FetchMessages) -> list[Texts]:
    """Perform actions at the same time."""
    answers: list[Texts] = []

    async def perform(query: DeleteMessages | SkipMessages | FetchMessages) -> None:
        answers.append(await done(engine, query))

    async with trio.open_nursery() as nursery:
        for query in queries:
            nursery.start_soon(perform, query)
    return answers


# --- at the same time -------------------------------------------------------------------------------------------------


@trio_test
async def test_two_dashboards_delete_the_same_message(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=4) as engine:
        query = DeleteMessages("a", keys(await listed(engine), 2))
        answers = await together(engine, query, query)
        assert answers == [(["was deleted on the server"], 0), (["it is no longer on the server"], 1)]
        assert on_server(fleet) == ["uid-1", "uid-3", "uid-4"]


@trio_test
async def test_a_message_that_is_fetched_twice_comes_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=2, max_size=10) as engine:
        query = FetchMessages("a", keys(await listed(engine), 2))
        fleet.faults().delay = 5.0
        assert await together(engine, query, query) == [(["is retrieved now"], 0)] * 2
        await fleet.wait_for(lambda: fleet.said().count("RETR") == 1)
        assert await done(engine, query) == (["is retrieved now"], 0)
        await fleet.wait_for(lambda: len(fleet.ends()) == len(fleet.starts()) == 2)
        await trio.sleep(100.0)
        assert fleet.arrived() == ["a1"]


@trio_test
async def test_a_message_that_is_named_in_two_ways_comes_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=2, max_size=10) as engine:
        named = tuple(MessageKey(2, "uid-2", size) for size in range(3))
        await done(engine, FetchMessages("a", named))
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        assert fleet.arrived() == ["a1"]


@trio_test
async def test_what_the_session_retrieves_meanwhile_comes_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=1) as engine:
        fleet.drop().add(mail("new"))
        named = keys(await listed(engine), 1, 2)
        fleet.faults().delay = 5.0
        await fleet.perform(PollClient("a"))
        await fleet.wait_for(lambda: len(fleet.starts()) == 2)
        assert await done(engine, FetchMessages("a", named)) == (["is retrieved now"] * 2, 0)
        await fleet.wait_for(lambda: len(fleet.ends()) == 3)
        assert sorted(fleet.arrived()) == ["a0", "a0", "new"]


@trio_test
async def test_an_action_waits_for_the_running_session(fleet: Fleet, autojump_clock: MockClock) -> None:
    """What was skipped meanwhile is not deleted: the answer comes when the session has ended."""
    async with first_session(fleet, mails=0, preserve=False, new_only=False) as engine:
        fleet.drop().add(mail("one"))
        named = keys(await listed(engine), 1)
        fleet.faults().delay = 5.0
        await fleet.perform(PollClient("a"))
        await fleet.wait_for(lambda: len(fleet.starts()) == 2)
        for query in (SkipMessages("a", named), DeleteMessages("a", named)):
            await done(engine, query)
            assert len(fleet.ends()) == 2


@trio_test
async def test_a_poll_is_not_lost_in_a_retrieval_of_the_user(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=2, max_size=2000) as engine:
        fleet.drop().add(mail("large", b"x" * 3000 + b"\r\n"))
        fleet.drop().add(mail("new"))
        named = keys(await listed(engine), 3)
        await done(engine, FetchMessages("a", named))
        engine.perform(PollClient("a"))
        await fleet.wait_for(lambda: "large" in fleet.arrived() and "new" in fleet.arrived(), timeout=1000.0)


@trio_test
async def test_a_reload_during_an_action(fleet: Fleet, autojump_clock: MockClock) -> None:
    """The action was for the account as it was then."""
    client = fleet.client(mails=3, frequency=1e6, preserve=True, new_only=True)
    other = fleet.client("b", mails=3, frequency=1e6, preserve=True, new_only=True)
    async with fleet.running(client) as engine:
        await fleet.wait_for(lambda: bool(fleet.ends()))
        named = keys(await listed(engine), 2)
        fleet.faults().delay = 5.0
        await fleet.perform(PollClient("a"))
        await fleet.wait_for(lambda: len(fleet.starts()) == 2)
        answers: list[object] = []
        engine.ask_soon(DeleteMessages("a", named), answers.append)
        fleet.reloaded = fleet.settings(replace(other, id="a"))
        await fleet.perform(Reload())
        await fleet.wait_for(lambda: bool(answers))
        assert on_server(fleet) == ["uid-1", "uid-3"]
        assert len(fleet.drop("b").messages) == 3


# --- the journal afterwards -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["delivered", "seen", "skipped"])
@trio_test
async def test_new_mail_under_the_uid_of_a_deleted_message(
    fleet: Fleet, autojump_clock: MockClock, before: str
) -> None:
    """RFC 1939 §7: a server may reuse the UID of a message that is gone."""
    async with first_session(fleet, mails=2) as engine:
        named = keys(await listed(engine), 2)
        if before == "skipped":
            await done(engine, SkipMessages("a", named))
        elif before == "seen":
            await engine._journal.run(lambda journal: journal._connection.execute("DELETE FROM message"))
            await engine._journal.run(lambda journal: journal.mark_seen(1, ["uid-2"]))
        assert await done(engine, DeleteMessages("a", named)) == (["was deleted on the server"], 0)
        other = mail("other")
        fleet.drop().messages.append(Message(len(other), lambda: iter([other]), "uid-2"))
        await poll(fleet)
        assert "other" in fleet.arrived()


@trio_test
async def test_a_run_that_was_cut_goes_on_after_a_retrieval_of_the_user(
    fleet: Fleet, autojump_clock: MockClock
) -> None:
    """preserve without newonly: only the QUIT of a whole run makes the next one retrieve everything again."""
    client = fleet.client(mails=2, frequency=1e6, preserve=True, new_only=False)
    fleet.faults().quit = QuitFault.CUT_BEFORE_UPDATE
    async with fleet.running(client) as engine:
        await fleet.wait_for(lambda: bool(fleet.ends()))
        fleet.repair()
        await done(engine, FetchMessages("a", keys(await listed(engine), 2)))
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        await poll(fleet)
        assert fleet.arrived() == ["a0", "a1", "a1"]
        await poll(fleet)
        assert fleet.arrived() == ["a0", "a0", "a1", "a1", "a1"]


UNFINISHED = "its delivery is not finished; the next session finishes it"


@pytest.mark.parametrize("mark", ["NULL", "'imap 1'"], ids=["a file", "at a server"])
@pytest.mark.parametrize("action", [DeleteMessages, SkipMessages, FetchMessages])
@trio_test
async def test_a_delivery_that_is_not_finished(
    fleet: Fleet,
    autojump_clock: MockClock,
    action: type[DeleteMessages | SkipMessages | FetchMessages],
    mark: str,
) -> None:
    async with first_session(fleet, mails=2) as engine:
        await change(engine, f"state = 1, mark = {mark}")
        answer = await listed(engine)
        assert [each.reason.value for each in answer.messages] == ["delivering", "preserve"]
        assert await done(engine, action("a", keys(answer, 2))) == ([UNFINISHED], 1)
        await trio.sleep(10.0)
        assert (fleet.arrived(), on_server(fleet)) == (["a0", "a1"], ["uid-1", "uid-2"])
        assert await states(engine) == [MessageState.DELIVERED, MessageState.DELIVERING]


@trio_test
async def test_a_delivery_in_doubt_counts_more_than_a_deleted_one(fleet: Fleet, autojump_clock: MockClock) -> None:
    """The server has kept it, and the user retrieves it again, to a destination that cannot be asked now."""
    async with first_session(fleet, mails=1, preserve=False) as engine:
        fleet.drop().messages.append(Message.of(mail("a0"), "uid-1"))
        columns = "maildrop, uid, octets, digest, whole, message_id, date, time"
        sql = f"INSERT INTO message ({columns}, state, mark) SELECT {columns}, 1, 'imap 1' FROM message"
        await engine._journal.run(lambda journal: journal._connection.execute(sql))
        assert await states(engine) == [MessageState.DELETED, MessageState.DELIVERING]
        await poll(fleet)
        assert on_server(fleet) == ["uid-1"]


@pytest.mark.parametrize("values", ["state = 4, doubt = 2", "owed = 1", "state = 3"], ids=["kept", "owed", "deleted"])
@pytest.mark.parametrize("action", [DeleteMessages, SkipMessages, FetchMessages])
@trio_test
async def test_an_action_on_what_was_delivered(
    fleet: Fleet,
    autojump_clock: MockClock,
    action: type[DeleteMessages | SkipMessages | FetchMessages],
    values: str,
) -> None:
    async with first_session(fleet, mails=2, delete_after=30 * 24 * 3600) as engine:
        await change(engine, values)
        named = keys(await listed(engine), 2)
        assert (await done(engine, action("a", named)))[1] == 0
        await trio.sleep(10.0)
        fetched = ["a1"] if action is FetchMessages else []
        assert fleet.arrived() == ["a0", "a1", *fetched]
        assert on_server(fleet) == (["uid-1"] if action is DeleteMessages else ["uid-1", "uid-2"])
        expected = {
            DeleteMessages: [] if "state = 4" in values else [MessageState.DELETED],
            SkipMessages: [MessageState.SKIPPED],
            FetchMessages: [MessageState.DELIVERED],
        }[action]
        assert await states(engine) == [MessageState.DELIVERED, *expected]
        for _ in range(8):  # no later session does more, once deleteafter has passed, either
            fleet.clock.skip(7 * 24 * 3600)
            await poll(fleet)
        assert fleet.arrived() == ["a0", "a1", *fetched]
        assert ("uid-2" in on_server(fleet)) == (action is SkipMessages)


async def change(engine: Engine, values: str) -> None:
    """Change the record of the second message."""
    sql = f"UPDATE message SET {values} WHERE uid = 'uid-2'"
    await engine._journal.run(lambda journal: journal._connection.execute(sql))


async def states(engine: Engine) -> list[MessageState]:
    return await engine._journal.run(lambda journal: [each.state for each in journal.records(1)])


# --- the server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", ["UIDL", "TOP", "DELE", "QUIT"])
@trio_test
async def test_a_server_that_hangs_deletes_nothing(fleet: Fleet, autojump_clock: MockClock, silent: str) -> None:
    async with first_session(fleet) as engine:
        answer = await listed(engine)
        fleet.faults().stall.add(silent)
        with pytest.raises(ValueError, match="no progress for"):
            await engine.ask(DeleteMessages("a", keys(answer, 1, 3)))
        fleet.faults().stall.clear()
        assert len(on_server(fleet)) == 3
        assert await done(engine, DeleteMessages("a", keys(answer, 1))) == (["was deleted on the server"], 0)


@trio_test
async def test_two_messages_with_one_uid(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=2) as engine:
        unique = keys(await listed(engine), 2)
        fleet.drop().messages.append(Message.of(mail("twin"), "uid-2"))
        assert (await done(engine, DeleteMessages("a", unique)))[1] == 1, "which of the two was meant?"
        assert len(on_server(fleet)) == 3
        answer = await listed(engine)
        assert [each.uid for each in answer.messages] == [None, None, "uid-1"]
        assert await done(engine, DeleteMessages("a", keys(answer, 3))) == (["was deleted on the server"], 0)
        assert on_server(fleet) == ["uid-1", "uid-2"]


@trio_test
async def test_without_uids_other_numbers_delete_nothing(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=3, new_only=False) as engine:
        fleet.become(uidl=False)
        named = keys(await listed(engine), 2)
        del fleet.drop().messages[0]  # by another program: what was 2 is 1
        texts, failed = await done(engine, DeleteMessages("a", named))
        assert (failed, on_server(fleet)) == (1, ["uid-2", "uid-3"]), texts
        assert await done(engine, DeleteMessages("a", keys(await listed(engine), 1))) == (
            ["was deleted on the server"],
            0,
        )
        assert on_server(fleet) == ["uid-3"]


@trio_test
async def test_top_that_shows_another_message_deletes_nothing(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=3) as engine:
        named = keys(await listed(engine), 1, 2)
        fleet.faults().answers["TOP"] = b"+OK\r\n" + mail("a2").partition(b"\r\n\r\n")[0] + b"\r\n\r\n.\r\n"
        assert (await done(engine, DeleteMessages("a", named)))[1] == 2
        assert len(on_server(fleet)) == 3


@trio_test
async def test_a_client_that_is_paused_or_gone(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with first_session(fleet, mails=3, max_size=10) as engine:
        named = keys(await listed(engine), 1, 2, 3)
        await fleet.perform(PauseClient("a"))
        assert (await done(engine, DeleteMessages("a", named[:1])))[1] == 0
        assert (await done(engine, FetchMessages("a", named[1:2])))[1] == 0
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        assert fleet.arrived() == ["a1"]
        fleet.reloaded = replace(fleet.settings(fleet.client("b")), disabled=("a",))
        await fleet.perform(Reload())
        with pytest.raises(ValueError, match="client 'a' is disabled in the configuration"):
            await engine.ask(DeleteMessages("a", named))
        fleet.reloaded = fleet.settings(fleet.client("b"))
        await fleet.perform(Reload())
        for query in (DeleteMessages("a", named), FetchMessages("a", named), SkipMessages("a", named)):
            with pytest.raises(ValueError, match="there is no client 'a'"):
                await engine.ask(query)
        assert on_server(fleet) == ["uid-2", "uid-3"]


@pytest.mark.parametrize("octets", [3_000_000, 6_000_000])
@trio_test
async def test_a_header_of_megabytes_hides_no_other(fleet: Fleet, autojump_clock: MockClock, octets: int) -> None:
    async with first_session(fleet, mails=1) as engine:
        fleet.drop().add(b"Subject: huge\r\n" + b"X: " + b"x" * octets + b"\r\n" + subject("later"))
        answer = await listed(engine)
        assert [each.subject for each in answer.messages] == ["huge", "a0"]


@pytest.mark.parametrize("action", [DeleteMessages, SkipMessages, FetchMessages])
@trio_test
async def test_hostile_keys_change_nothing(
    fleet: Fleet, autojump_clock: MockClock, action: type[DeleteMessages | SkipMessages | FetchMessages]
) -> None:
    async with first_session(fleet, mails=2) as engine:
        for key in (
            MessageKey(10**400, "x", 10**400, "00"),
            MessageKey(-1, "\ud800", -1, "\ud800"),
            MessageKey(0, "\x00", 0, ""),
            MessageKey(1, None, 2**70, "x" * 100_000),
        ):
            with suppress(ValueError):
                await engine.ask(action("a", (key,)))
        await poll(fleet)
        assert len(on_server(fleet)) == 2
        assert fleet.arrived() == ["a0", "a1"]
