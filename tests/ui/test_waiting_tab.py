"""The tab On server: listing, marks, preview, and actions that are asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, play
from tui_popretr.answers import Done, Preview, WaitingMail, WaitingMessage, WaitingReason
from tui_popretr.commands import (
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    MessageKey,
    PreviewMessage,
    Query,
    SkipMessages,
)
from tui_popretr.ui.screens.confirm import ConfirmScreen
from tui_popretr.ui.screens.preview import PreviewScreen
from tui_popretr.ui.widgets.waiting import ServerTab

NOW = FakeClock().now()


def message(number: int, subject: str, size: int = 900, reason: WaitingReason = WaitingReason.NEW) -> WaitingMessage:
    return WaitingMessage(
        number,
        f"u{number}",
        size,
        reason,
        reason.value,
        "a@example.net",
        "Alice",
        subject,
        "Sun, 22 Nov 2026 10:11:12 +0000",
        "ab12",
    )


MAIL = WaitingMail(
    "isp",
    NOW,
    3,
    25_001_800,
    (message(3, "third"), message(2, "the big one", 25_000_000, WaitingReason.TOO_LARGE), message(1, "")),
)
KEYS = {each.number: MessageKey(each.number, each.uid, each.size, each.digest) for each in MAIL.messages}


def source_of(mail: WaitingMail = MAIL) -> ScriptedSource:
    source = ScriptedSource()
    source.tell(clients("isp", "work"))
    source.answers[ListWaiting] = mail
    return source


def test_l_lists_what_waits_newest_first() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5")
        assert "Tab, then L, lists what waits on the server of isp" in shown.text
        await shown.press("tab")
        assert " L lists what waits on the server of isp" in shown.text
        await shown.press("L")
        assert shown.source.asked == [ListWaiting("isp")]
        numbers = [row.strip("›").split()[0] for row in shown.rows if "Alice" in row]
        assert numbers == ["3", "2", "1"]
        assert "too large" in shown.row("the big")
        assert "22 Nov 11:11" in shown.row("the big")
        assert "(no subject)" in shown.text

    play(scene, source=source_of())


def test_a_date_that_is_none_is_shown_as_written() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L")
        assert "next Tuesday" in shown.text
        assert "1 Jan 9999" in shown.text

    odd = ("next Tuesday", "Fri, 1 Jan 9999 00:00:00 -1200", "")
    messages = tuple(replace(each, date=date) for each, date in zip(MAIL.messages, odd, strict=True))
    play(scene, source=source_of(replace(MAIL, messages=messages)), size=(139, 29))


def test_nothing_is_asked_of_a_server_without_l() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "enter", "F", "D", "S", "space")
        assert shown.source.asked == []

    play(scene, source=source_of())


def test_a_list_that_fails_says_why() -> None:
    source = source_of()
    source.answers[ListWaiting] = ValueError("the server rejected the login")

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L")
        assert "cannot be listed: the server rejected the login. L tries again." in shown.text

    play(scene, source=source)


@pytest.mark.parametrize("size", [(80, 24), (139, 29)])
def test_a_failed_list_is_said_and_keeps_the_old_one_with_its_time(size: tuple[int, int]) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L")
        shown.source.answers[ListWaiting] = ValueError("the daemon has ended")
        await shown.press("L")
        assert shown.notices == ["the daemon has ended"]
        assert "the list of 07:27 · the daemon has ended" in shown.text
        assert "third" in shown.text

    play(scene, source=source_of(), size=size)


@pytest.mark.parametrize(
    ("key", "query"),
    [("enter", PreviewMessage), ("F", FetchMessages), ("D", DeleteMessages), ("S", SkipMessages)],
)
def test_what_cannot_be_done_is_said_before_it_is_asked(key: str, query: type[Query]) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", key)
        assert shown.notices == ["read-only"]
        assert len(shown.app.screen_stack) == 1
        assert shown.source.asked == [ListWaiting("isp")]

    source = source_of()
    source.refusals[query] = "read-only"
    play(scene, source=source)


@pytest.mark.parametrize("detaches", [False, True])
def test_the_most_important_keys_are_at_the_bottom(detaches: bool) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L")
        assert shown.rows[-1].startswith(" L List  F Fetch  D Delete  S Skip  ⏎ Preview  space Mark "), shown.rows[-1]

    play(scene, source=source_of(), size=(80, 24), detaches=detaches)


def test_o_shows_the_largest_first() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "o")
        assert "the big one" in next(row for row in shown.rows if row.startswith("›") and "Alice" in row)
        assert "largest first" in shown.text
        await shown.press("o", "D")
        assert "Message 3 of isp" in shown.text

    play(scene, source=source_of())


def test_each_client_has_its_own_list() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "escape", "j")
        assert "third" not in shown.text
        assert "L, lists what waits on the server of work" in shown.text
        await shown.press("k")
        assert "third" in shown.text

    play(scene, source=source_of())


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_the_list_counts_messages_and_marks(size: tuple[int, int]) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "space", "space")
        assert "2 marked · latest 3 of 700 messages, 25 MB, at 07:27 · no TOP" in shown.text

    play(scene, source=source_of(replace(MAIL, count=700, remark="no TOP")), size=size)


def test_the_filter_finds_subjects() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "slash", *"big", "enter")
        assert "the big one" in shown.text
        assert "third" not in shown.text

    play(scene, source=source_of())


def test_hostile_headers_are_neutralised_wherever_they_are() -> None:
    hostile = "\x1b[31mred\u202e[bold]日本語[/] e\u0301" * 3

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L")
        assert "\\x1b[31mred\\u202e[bold]" in shown.text
        await shown.press("D")
        assert "Message 3 of isp" in shown.text
        assert "\\x1b[31mred\\u202e[bold]" in shown.text
        await shown.press("n", "enter")
        assert isinstance(shown.app.screen, PreviewScreen)
        assert not {"\x1b", "\u202e"} & set(shown.text)

    odd = replace(MAIL.messages[0], sender=hostile, name=hostile, subject=hostile, date=hostile, text=hostile)
    play(scene, source=source_of(replace(MAIL, messages=(odd,), remark=hostile)), size=(139, 29))


# --- actions ----------------------------------------------------------------------------------------------------------


def test_enter_previews_and_is_neutralised() -> None:
    source = source_of()
    text = "Subject: the big one\r\n\r\nfirst \x1b[31mline\r\n"
    source.answers[PreviewMessage] = Preview("isp", 2, text, True)

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "j", "enter")
        assert isinstance(shown.app.screen, PreviewScreen)
        assert shown.source.asked[-1] == PreviewMessage("isp", KEYS[2])
        while "first" not in shown.text:
            await shown.pilot.pause(0.01)
        assert "first \\x1b[31mline" in shown.text
        await shown.press("escape")
        assert not isinstance(shown.app.screen, PreviewScreen)

    play(scene, source=source)


@pytest.mark.parametrize(("key", "query"), [("F", FetchMessages), ("S", SkipMessages)])
def test_actions_are_for_the_row_or_the_marked(key: str, query: type[FetchMessages | SkipMessages]) -> None:
    source = source_of()
    source.answers[query] = Done(("done",))

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", key)
        assert shown.source.asked[1:] == [query("isp", (KEYS[3],)), ListWaiting("isp")]
        await shown.press("g", "j", "space", "space", key)
        assert shown.source.asked[-2:] == [query("isp", (KEYS[2], KEYS[1])), ListWaiting("isp")]

    play(scene, source=source)


def test_an_action_on_several_messages_is_reported_in_a_sentence() -> None:
    source = source_of()
    source.answers[SkipMessages] = Done(("message 3 is skipped from now on", "message 2 is skipped from now on"))

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "space", "space", "S")
        assert shown.notices[-1] == "2 messages are skipped from now on"

    play(scene, source=source)


def test_marked_rows_that_the_filter_hides_are_left() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "space", "space", "slash", *"big", "enter", "F")
        assert shown.source.asked[-2:] == [FetchMessages("isp", (KEYS[2],)), ListWaiting("isp")]

    source = source_of()
    source.answers[FetchMessages] = Done(("done",))
    play(scene, source=source)


@pytest.mark.parametrize("key", ["n", "escape", "q", "enter", "x", "D"])
def test_only_y_deletes(key: str) -> None:
    source = source_of()
    source.answers[DeleteMessages] = Done(("message 2 is deleted",))

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "j", "D")
        assert isinstance(shown.app.screen, ConfirmScreen)
        assert "Message 2 of isp" in shown.text
        assert "the big one" in shown.text
        await shown.press(key)
        assert not deletions(shown)
        if isinstance(shown.app.screen, ConfirmScreen):
            await shown.press("n")
        await shown.press("D", "y")
        assert deletions(shown) == [DeleteMessages("isp", (KEYS[2],))]
        assert "message 2 is deleted" in shown.notices

    play(scene, source=source)


def deletions(shown: Played) -> list[Query]:
    return [query for query in shown.source.asked if isinstance(query, DeleteMessages)]


def test_a_new_list_does_not_change_what_is_confirmed() -> None:
    source = source_of()
    source.answers[DeleteMessages] = Done(("deleted",))

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "j", "D")
        shown.source.answers[ListWaiting] = replace(MAIL, messages=(message(9, "another"), *MAIL.messages))
        shown.app.screen_stack[0].query_one(ServerTab).list_again("isp")
        await shown.press("x")
        await shown.press("y")
        assert deletions(shown) == [DeleteMessages("isp", (KEYS[2],))]

    play(scene, source=source)


def test_the_cursor_stays_with_its_message_in_a_new_list() -> None:
    source = source_of()
    source.answers[SkipMessages] = Done(("message 2 is skipped",))

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "j")
        shown.source.answers[ListWaiting] = replace(MAIL, messages=(message(9, "another"), *MAIL.messages))
        await shown.press("S")
        assert "another" in shown.text
        await shown.press("D", "y")
        assert deletions(shown) == [DeleteMessages("isp", (KEYS[2],))]

    play(scene, source=source)


def test_messages_left_as_they_are_are_listed_with_the_reason() -> None:
    source = source_of()
    source.answers[DeleteMessages] = Done(("message 3 is deleted", "message 2 has changed: it is left"), 1)

    async def scene(shown: Played) -> None:
        await shown.press("5", "tab", "L", "space", "space", "D")
        assert "2 messages of isp" in shown.text
        await shown.press("y")
        assert "1 of 2 were left as they are." in shown.text
        assert "message 2 has changed: it is left" in shown.text

    play(scene, source=source)
