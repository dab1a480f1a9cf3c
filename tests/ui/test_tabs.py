"""The tabs messages, log and history in the dashboard: what they list, their keys, and the sheets they open."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, clients, closed, play, result
from tests.support.waiting import PATIENCE
from tests.ui.nasty import NASTY, TOO_DEEP
from tui_popretr.errors import ExitCode
from tui_popretr.facts import HistoryRead, Level, MessageDelivered, MessageSkipped, Noted, PastSession, SessionId
from tui_popretr.ui.model import mailfile
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.screens.sheet import TextDialog
from tui_popretr.ui.widgets.history import HistoryTab
from tui_popretr.ui.widgets.log import LogTab
from tui_popretr.ui.widgets.messages import MessagesTab
from tui_popretr.ui.widgets.tables import Table

NOW = FakeClock().now()
TABS: dict[str, type[MessagesTab | LogTab | HistoryTab]] = {"2": MessagesTab, "3": LogTab, "4": HistoryTab}


def delivered(client: str = "work", number: int = 1, *, path: str | None = "/mail/new/1.host") -> MessageDelivered:
    return MessageDelivered(
        SessionId(client, 3), NOW, number, "uid1", 2048, "Mailbox=user1", path, "<id@example>", "someone@example.org"
    )


def skipped(number: int, reason: str, *, failure: bool, uid: str | None = None) -> MessageSkipped:
    return MessageSkipped(SessionId("work", 3), number, uid, 40_000_000, reason, failure)


def noted(level: Level, text: str, client: str | None = None) -> Noted:
    return Noted(NOW, level, client, text)


class Seen(Played):
    """The dashboard with a tab that is shown and focused."""

    def lines(self, tab: type[Table[object]] | type[MessagesTab | LogTab | HistoryTab]) -> list[str]:
        table = self.app.query_one(tab)
        return [line for y in range(table.size.height) if (line := table.render_line(y).text.rstrip())]

    @property
    def sheet(self) -> str:
        assert isinstance(self.app.screen, TextDialog)
        return str(self.app.screen.query_one(Static).content)


def see(
    test: Callable[[Seen], Awaitable[None]], tab: str, *, size: tuple[int, int] = (100, 40), defects: bool = False
) -> None:
    """Run a test on a dashboard with two clients that shows and has focused a tab."""

    async def scene(shown: Played) -> None:
        seen = Seen(shown.pilot, shown.source)
        await seen.press("tab", tab)
        assert isinstance(seen.app.focused, TABS[tab])
        await test(seen)

    play(scene, clients("work", "home"), size=size, defects=defects)


@pytest.mark.parametrize(
    ("tab", "said"),
    [("2", "No mail yet, and no session is planned."), ("3", "The log is empty."), ("4", "No session has ended yet.")],
)
def test_an_empty_tab_says_so(tab: str, said: str) -> None:
    async def test(seen: Seen) -> None:
        assert any(said in line for line in seen.lines(TABS[tab]))
        await seen.press("enter")
        assert not isinstance(seen.app.screen, TextDialog)

    see(test, tab)


# --- messages -------------------------------------------------------------------------------------------------------


def test_messages_have_a_destination_or_the_reason_for_staying() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(
            replace(delivered(), name="Ann Other", subject="Grüße"),
            skipped(2, "larger than maxsize", failure=False),
            skipped(3, "-ERR corrupt", failure=True, uid="u\x1b3"),
            replace(delivered("home"), at=NOW - timedelta(days=1), sender=None),
        )
        titles, first, rule, trouble, last = seen.lines(MessagesTab)
        assert titles.split() == ["Time", "Client", "From", "Subject", "Size", "Where"]
        assert first.split() == ["07:27:59", "work", "Ann", "Other", "Grüße", "2", "kB", "user1"]
        assert re.search(r"- left there +larger than maxsize .* message 2$", rule)
        assert re.search(r"✗ failed +-ERR corrupt .* message 3 \(UID u", trouble)
        assert re.match(r"›22 Nov 07:27 home +\(no subject\)", last)

    see(test, "2", size=(139, 29))


def test_80_columns_have_client_and_place_in_full() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(
            replace(delivered("wrongpass"), destination="Maildir=/srv/mail/example/box1"),
            closed("wrongpass", result(NOW, messages=12)),
        )
        assert re.search(r" wrongpass someone@example… .* example/box1$", seen.lines(MessagesTab)[1])
        await seen.press("4")
        assert " wrongpass " in seen.lines(HistoryTab)[1]

    see(test, "2", size=(80, 24))


def test_the_filter_finds_messages_by_their_subject() -> None:
    async def test(seen: Seen) -> None:
        mails = [replace(delivered(), number=number, subject=f"about {number:b}") for number in (4, 5, 6, 7)]
        await seen.tell(*mails)
        await seen.press("slash", *"about !11", "enter")
        assert [row[1].number for row in seen.app.query_one(MessagesTab).rows] == [4, 5]
        await seen.tell(replace(delivered(), number=8, subject="about 1000"), replace(delivered(), subject=None))
        assert [row[1].number for row in seen.app.query_one(MessagesTab).rows] == [4, 5, 8]
        await seen.press("slash", *" nothing", "enter")
        assert "No row matches. Esc removes the filter." in seen.text
        await seen.press("escape")
        assert len(seen.app.query_one(MessagesTab).rows) == 6

    see(test, "2")


def test_the_tab_catches_up_when_it_is_shown() -> None:
    async def test(seen: Seen) -> None:
        await seen.press("3")
        await seen.tell(delivered())
        await seen.press("2")
        assert "someone@exa" in seen.lines(MessagesTab)[1]

    see(test, "2")


def test_enter_reads_a_message(tmp_path: Path) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: =?utf-8?q?caf=C3=A9?=\r\nX-Other: 1\r\n\r\n[b]\x1b[31mhello\r\n  indented\r\n")

    async def test(seen: Seen) -> None:
        await seen.tell(delivered(path=str(path)))
        await seen.press("enter")
        assert isinstance(seen.app.screen, MessageScreen)
        await seen.app.workers.wait_for_complete()
        await seen.pilot.pause()
        lines = seen.sheet.splitlines()
        assert lines[0].split() == ["Subject", "café"]
        assert "[b]\\x1b[31mhello" in lines
        assert "  indented" in lines
        assert path.name in seen.sheet
        assert "X-Other" not in seen.sheet
        await seen.press("h")
        assert "X-Other" in seen.sheet
        await seen.press("escape")
        assert isinstance(seen.app.focused, MessagesTab)

    see(test, "2")


@pytest.mark.parametrize(
    ("path", "said"), [("/no/such/new/file", "the file is not there any more"), (None, "It was handed on")]
)
def test_a_message_without_its_file(path: str | None, said: str) -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(delivered(path=path))
        await seen.press("enter")
        await seen.app.workers.wait_for_complete()
        await seen.pilot.pause()
        assert said in seen.sheet
        assert "Mailbox=user1" in seen.sheet

    see(test, "2")


async def read(seen: Seen, path: Path) -> None:
    """Show a message, and wait until it is read."""
    await seen.tell(delivered(path=str(path)))
    await seen.press("enter")
    await seen.app.workers.wait_for_complete()
    await seen.pilot.pause()


@pytest.mark.parametrize("name", NASTY)
def test_a_message_that_cannot_be_shown_is_explained(tmp_path: Path, name: str) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: nasty\r\n" + NASTY[name])

    async def test(seen: Seen) -> None:
        await read(seen, path)
        assert seen.sheet.splitlines()[0].split() == ["Subject", "nasty"]
        if name in TOO_DEEP:
            assert "this message cannot be shown: it is nested too deeply" in seen.sheet
        await seen.press("h", "G", "escape")
        assert isinstance(seen.app.focused, MessagesTab)

    see(test, "2")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (RecursionError("of the test"), "it is nested too deeply"),
        (MemoryError(), "there is not enough memory"),
        (OSError(errno.EIO, "Input/output error"), "input/output error"),
        (LookupError("of the test"), "internal error (LookupError)"),
        (RuntimeError("of the test"), "internal error (RuntimeError)"),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    ("module", "function", "defects"),
    [("mailfile", "_lines", False), ("mailfile", "excerpt", False), ("mailfile", "read", True)],
)
def test_whatever_fails_while_a_message_is_shown_ends_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    function: str,
    defects: bool,
    problem: Exception,
    words: str,
) -> None:
    """What the message brings about is on its sheet; what comes as a surprise is in the log, too."""
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: well\r\n\r\ntext\r\n")

    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(mailfile, function, fail)

    async def test(seen: Seen) -> None:
        await read(seen, path)
        assert f"this message cannot be shown: {words}" in seen.sheet
        assert ("well" in seen.sheet) == (function == "_lines")
        await seen.press("escape", "3")
        log = "\n".join(seen.lines(LogTab))
        assert ("internal error while showing a message" in log) == defects

    see(test, "2", size=(200, 50), defects=defects)


def test_a_sheet_that_is_closed_while_its_message_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, read_it = threading.Event(), mailfile.read

    def slowly(path: str) -> mailfile.Excerpt:
        assert closed.wait(PATIENCE)
        return read_it(path)

    monkeypatch.setattr(mailfile, "read", slowly)

    async def test(seen: Seen) -> None:
        await seen.tell(delivered(path=str(tmp_path / "gone")))
        await seen.press("enter", "escape")
        closed.set()
        await seen.pilot.pause()
        assert isinstance(seen.app.focused, MessagesTab)

    see(test, "2")


def test_enter_on_a_message_that_was_left_tells_why() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(skipped(3, "-ERR a long reason " * 8, failure=True))
        await seen.press("enter")
        assert "failed, still on the server" in seen.sheet
        assert seen.sheet.count("-ERR") == 8

    see(test, "2", size=(45, 24))


# --- log ------------------------------------------------------------------------------------------------------------


def test_the_log_tells_levels_in_words_and_is_cut_down_by_a_key() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(
            noted(Level.DEBUG, "one"),
            noted(Level.INFO, "two", "work"),
            noted(Level.WARNING, "three"),
            noted(Level.ERROR, "four [bold]"),
        )
        words = [line.lstrip("›").split() for line in seen.lines(LogTab)[1:]]
        assert [each[1:] for each in words] == [
            ["·", "debug", "one"],
            ["i", "info", "work", "two"],
            ["!", "warning", "three"],
            ["✗", "error", "four", "[bold]"],
        ]
        await seen.press("v", "v")
        titles, *rows = seen.lines(LogTab)
        assert "warning and worse" in titles
        assert len(rows) == 2
        await seen.tell(noted(Level.INFO, "not now"))
        assert len(seen.lines(LogTab)) == 3
        await seen.press("v")
        assert "errors only" in seen.lines(LogTab)[0]
        assert len(seen.lines(LogTab)) == 2
        await seen.press("v")
        assert len(seen.lines(LogTab)) == 6

    see(test, "3")


def test_a_level_without_lines_says_so() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(noted(Level.DEBUG, "one"))
        await seen.press("v")
        assert any("Nothing of level info or worse" in line for line in seen.lines(LogTab))

    see(test, "3")


def test_enter_shows_a_line_of_the_log_in_full() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(noted(Level.ERROR, "word " * 40 + "end", "work"))
        assert seen.lines(LogTab)[1].endswith("…")
        await seen.press("enter")
        assert seen.sheet.endswith("end")
        assert seen.sheet.count("word") == 40

    see(test, "3", size=(45, 15))


# --- history --------------------------------------------------------------------------------------------------------


def test_sessions_with_their_result_in_words() -> None:
    async def test(seen: Seen) -> None:
        yesterday = NOW - timedelta(days=1)
        past = PastSession("home", yesterday, yesterday + timedelta(seconds=75), ExitCode.OK, 3, 4000, "")
        await seen.tell(
            HistoryRead((past,), 0, 0),
            closed("work", result(NOW, code=ExitCode.LOGIN, error="the server rejected the login (no)")),
        )
        titles, first, second = seen.lines(HistoryTab)
        assert titles.split() == ["Started", "Client", "Took", "Mails", "Size", "Result"]
        assert first.split("  ")[0] == " 22 Nov 07:27 home"
        assert "1 min 15 s" in first
        assert "✓ 3 messages, 4 kB" in first
        assert "✗ login rejected: check the p" in second

    see(test, "4")


def test_the_history_of_the_selected_client_alone() -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(closed("work", result(NOW, messages=1)), closed("home", result(NOW, messages=2)))
        assert len(seen.lines(HistoryTab)) == 3
        await seen.press("c")
        titles, row = seen.lines(HistoryTab)
        assert "only work" in titles
        assert "1 message," in row
        await seen.press("tab", "down")
        assert "2 messages," in seen.lines(HistoryTab)[1]
        await seen.press("tab", "c")
        assert len(seen.lines(HistoryTab)) == 3

    see(test, "4")


def test_enter_shows_how_a_session_ended_in_full() -> None:
    async def test(seen: Seen) -> None:
        error = "the server rejected the login (USER/PASS: -ERR [AUTH] go away)"
        ended = result(NOW, code=ExitCode.LOGIN, error=error, advice="check username and password")
        await seen.tell(closed("work", replace(ended, skipped=2, failed=1)))
        await seen.press("enter")
        assert "[AUTH] go away" in seen.sheet
        assert "→ check username and password" in seen.sheet

    see(test, "4")


def test_a_result_is_not_said_twice() -> None:
    async def test(seen: Seen) -> None:
        ended = result(NOW, code=ExitCode.TEMPORARY, error="1 message could not be retrieved: no", advice="later")
        await seen.tell(closed("work", replace(ended, failed=1)))
        await seen.press("enter")
        assert seen.sheet.count("could not be retrieved") == 1
        assert "→ later" in seen.sheet

    see(test, "4")


# --- all ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", sorted(TABS))
def test_no_line_is_wider_than_its_tab(tab: str) -> None:
    async def test(seen: Seen) -> None:
        await seen.tell(
            delivered("日本語クライアント"),
            noted(Level.ERROR, "\u05d0" * 300),
            closed("work", result(NOW, code=ExitCode.PROTOCOL, error="👩‍👩‍👧 " * 50)),
        )
        table = seen.app.query_one(TABS[tab])
        for width in (45, 80, 120, 200):
            await seen.pilot.resize_terminal(width, 24)
            await seen.pilot.pause()
            columns = table.scrollable_content_region.width
            assert columns <= width
            assert {table.render_line(y).cell_length for y in range(table.size.height)} == {columns}

    see(test, tab)
