"""The client list: its columns, live countdowns and progress, sorting, filter and selection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from rich.cells import cell_len

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, closed, info, play, result, retrieving
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientFinished,
    ClientPaused,
    ClientQueued,
    ClientScheduled,
    Fact,
    MessageDelivered,
    SessionAdvanced,
    SessionId,
    SessionStarted,
    Stage,
)
from tui_popretr.ui.model.client_columns import ClientColumn, Wanted, client_columns
from tui_popretr.ui.model.columns import GUTTER

NOW = FakeClock().now()
START = FakeClock().boottime()


def delivered(client: str, octets: int) -> MessageDelivered:
    return MessageDelivered(SessionId(client, 1), NOW, 1, "u1", octets, "Mailbox=user1", None, None, None)


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", range(1, 320))
def test_columns_stand_side_by_side_within_the_width(width: int) -> None:
    placed = client_columns(width, Wanted(30, 40, 30))
    x = GUTTER
    for each in placed:
        assert each.x >= x
        assert each.width >= 1
        x = each.x + each.width
    assert x <= max(width, GUTTER + 1)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (44, "STATE ID WHEN"),
        (79, "STATE ID WHEN LAST MESSAGES OCTETS"),
        (119, "STATE ID WHEN LAST MESSAGES OCTETS PAST SERVER"),
        (199, "STATE ID WHEN LAST MESSAGES OCTETS PAST SERVER RECIP"),
    ],
)
def test_more_room_shows_more_columns(width: int, expected: str) -> None:
    placed = client_columns(width, Wanted(12, 24, 10))
    assert " ".join(ClientColumn(each.index).name for each in placed) == expected
    assert placed[-1].x + placed[-1].width <= width
    assert next(each.width for each in placed if each.index == ClientColumn.STATE) >= len("↓ retrieving")


# --- cells ------------------------------------------------------------------------------------------------------------


def test_each_state_has_its_word_and_glyph() -> None:
    session = {each: SessionId(each, 1) for each in ("connecting", "login", "listing", "retrieving", "closing")}
    script: list[Fact] = [
        clients(*session, "waiting", "queued", "paused", "failed", "done", info("off", enabled=False))
    ]
    script += [SessionStarted(each, NOW) for each in session.values()]
    script += [SessionAdvanced(session[stage.value], stage) for stage in Stage]
    script += [ClientScheduled("waiting", START + 60), ClientQueued("queued"), ClientPaused("paused")]
    script += [closed("failed", result(NOW, code=ExitCode.LOGIN, error="no")), ClientScheduled("failed", START + 60)]
    script += [closed("done", result(NOW)), ClientFinished("done")]

    async def scene(shown: Played) -> None:
        states = [row[1:13].strip() for row in shown.rows[2:13]]
        assert states == [
            "→ connecting",
            "» login",
            "≡ listing",
            "↓ retrieving",
            "← closing",
            "· waiting",
            "… queued",
            "‖ paused",
            "✗ failed",
            "✓ done",
            "- disabled",
        ]

    play(scene, *script, size=(99, 40))


def test_the_countdown_runs_and_ends_in_due() -> None:
    async def scene(shown: Played) -> None:
        assert "4:32" in shown.row("isp")
        await shown.wait(1)
        assert "4:31" in shown.row("isp")
        await shown.wait(271)
        assert " due " in shown.row("isp")
        await shown.tell(ClientScheduled("isp", START + 272 + 300))
        assert "5:00" in shown.row("isp")

    play(scene, clients("isp"), ClientScheduled("isp", START + 272))


def test_a_countdown_redraws_its_own_cells_only() -> None:
    async def scene(shown: Played) -> None:
        drawn: list[tuple[int, int, int, int]] = []
        list_ = shown.app.query_one("#clients")
        refresh = list_.refresh

        def refreshed(*regions: tuple[int, int, int, int], **more: bool) -> object:
            drawn.extend(regions or [(0, 0, 0, 0)])
            return refresh(*regions, **more)  # type: ignore[arg-type]

        list_.refresh = refreshed  # type: ignore[method-assign, assignment]
        await shown.wait(1)
        assert [(y, height) for _, y, _, height in drawn] == [(1, 1), (3, 1)]
        assert all(width <= 12 for _, _, width, _ in drawn)

    play(scene, clients("a", "b", "c"), ClientScheduled("a", START + 50), ClientScheduled("c", START + 70))


def test_progress_has_bar_count_share_and_rate() -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(2)
        row = shown.row("isp")
        assert "12/340 · 25 % · 1.2 MB/s" in row
        assert "███·········" in row

    source = ScriptedSource()
    source.tell(clients("isp"))
    source.tell(*retrieving("isp", NOW, received=12, of=340, octets=2_400_000, of_octets=9_600_000))
    play(scene, source=source)


@pytest.mark.parametrize(("width", "text"), [(45, "12/340 · 25 %"), (80, "12/340 · 25 % · 1.2 MB/s")])
def test_progress_fits_narrow_terminals(width: int, text: str) -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(2)
        assert text in shown.row("isp")
        assert all(cell_len(row) <= width for row in shown.rows)

    script = retrieving("isp", NOW, received=12, of=340, octets=2_400_000, of_octets=9_600_000)
    play(scene, clients("isp"), *script, size=(width, 24))


def test_the_last_result_is_told_in_words() -> None:
    async def scene(shown: Played) -> None:
        assert "2 min ago, 12 messages, 340 kB" in shown.row("good")
        assert "login rejected: check the password" in shown.row("bad")
        assert "✗" in shown.row("token")
        assert "log in again: tui-popretr login" in shown.row("token")

    ended = "log in again (tui-popretr login c.xml --client token): Google no longer renews the token (invalid_grant)"
    rejected = "the server rejected the login (USERPASS: no)"
    play(
        scene,
        clients("good", "bad", "token"),
        closed("token", result(NOW, code=ExitCode.LOGIN, error=ended)),
        closed("good", result(NOW - timedelta(minutes=2), messages=12, octets=340_000)),
        closed("bad", result(NOW, code=ExitCode.LOGIN, error=rejected)),
        size=(120, 24),
    )


def test_text_from_outside_cannot_shift_the_columns() -> None:
    strange = "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 é́́ \u05d0\u05d1 👨‍👩‍👧"

    async def scene(shown: Played) -> None:
        assert "4:32" in shown.row("isp")
        rows = shown.rows[2:4]
        assert cell_len(rows[0].partition("4:32")[0]) == cell_len(rows[1].partition("4:33")[0])

    play(
        scene,
        clients("isp", info("x", server=strange, recip=strange)),
        closed("x", result(NOW, code=ExitCode.PROTOCOL, error=strange * 5)),
        ClientScheduled("isp", START + 272),
        ClientScheduled("x", START + 273),
        size=(139, 30),
    )


# --- order and filter -------------------------------------------------------------------------------------------------

FLEET: tuple[Fact, ...] = (
    clients("zoe", "Ann", "bob", info("off", enabled=False)),
    ClientScheduled("zoe", START + 90),
    ClientScheduled("Ann", START + 60),
    delivered("bob", 10),
    *retrieving("bob", NOW, received=0, of=1, octets=0, of_octets=10),
)


def test_s_goes_through_the_orders() -> None:
    async def scene(shown: Played) -> None:
        orders: dict[str, Sequence[str]] = {}
        for _ in range(5):
            await shown.press("s")
            orders[shown.notices[-1]] = shown.app._list.rows
        assert orders == {
            "sorted by state": ("bob", "zoe", "Ann", "off"),
            "sorted by due": ("bob", "Ann", "zoe", "off"),
            "sorted by name": ("Ann", "bob", "off", "zoe"),
            "sorted by messages": ("bob", "zoe", "Ann", "off"),
            "as in the configuration": ("zoe", "Ann", "bob", "off"),
        }

    play(scene, *FLEET)


def test_the_selection_stays_with_its_client_when_sorted() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("s", "s", "home", "down")
        assert shown.app.selected == "Ann"
        await shown.tell(ClientScheduled("Ann", START + 400))
        await shown.wait(1)
        assert shown.app._list.rows == ("bob", "zoe", "Ann", "off")
        assert shown.app.selected == "Ann"
        assert shown.row("›").split()[2] == "Ann"

    play(scene, *FLEET)


def test_the_filter_counts_matches_and_esc_takes_it_away() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("end", "slash", *"ann")
        assert shown.app._list.rows == ("Ann",)
        assert shown.app.selected == "Ann"
        assert "1 of 4" in shown.text
        await shown.press("enter")
        assert shown.app._list.has_focus
        assert "1 of 4" in shown.text
        await shown.press("escape")
        assert [*shown.app._list.rows] == ["zoe", "Ann", "bob", "off"]
        assert shown.app.selected == "Ann"
        assert "1 of 4" not in shown.text

    play(scene, *FLEET)


@pytest.mark.parametrize("words", ["retrieving", "pop.b", "bob user1"])
def test_the_filter_looks_at_all_that_tells_clients_apart(words: str) -> None:
    async def scene(shown: Played) -> None:
        shown.app._list.set_filter(words)
        assert shown.app._list.rows == ("bob",)

    bob = info("bob", server="pop.b.test:110")
    play(scene, clients("zoe", bob), *retrieving("bob", NOW, received=0, of=1, octets=0, of_octets=10))


def test_nothing_matches() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("slash", *"absent")
        assert shown.app._list.rows == ()
        assert shown.app.selected is None
        assert "0 of 4" in shown.text
        await shown.press("enter", "r", "p", "x", "enter", "down")
        assert shown.source.performed == []

    play(scene, *FLEET)


# --- moving -----------------------------------------------------------------------------------------------------------


def test_a_reload_keeps_the_selection_where_its_client_stays() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("down", "down")
        assert shown.app.selected == "bob"
        await shown.tell(clients("new", "bob", "zoe"))
        assert shown.row("›").split()[2] == "bob"
        await shown.tell(clients("new", "zoe"))
        assert shown.app.selected == "zoe"  # the one that stands there now

    play(scene, *FLEET)


def test_keys_move_the_selection_and_keep_it_in_view() -> None:
    ids = [f"c{number:04}" for number in range(5000)]

    async def scene(shown: Played) -> None:
        selected: list[str | None] = []
        for key in ("j", "down", "k", "up", "up", "G", "g", "end", "pageup", "home", "pagedown"):
            await shown.press(key)
            selected.append(shown.app.selected)
            assert shown.row("›").split()[2] == selected[-1]
        page = int((selected[-1] or "c0")[1:])
        assert page > 1
        last = f"c{4999 - page:04}"
        assert selected == [
            *("c0001", "c0002", "c0001", "c0000", "c0000", "c4999", "c0000", "c4999"),
            *(last, "c0000", f"c{page:04}"),
        ]

    play(scene, clients(*ids))


def test_only_visible_rows_are_drawn() -> None:
    async def scene(shown: Played) -> None:
        shown.app._list._drawn.clear()
        shown.app._list.refresh()
        await shown.pilot.pause()
        assert 0 < len(shown.app._list._drawn) < 40

    play(scene, clients(*(f"c{number:04}" for number in range(5000))))


def test_a_click_selects_and_a_click_on_a_title_sorts() -> None:
    async def scene(shown: Played) -> None:
        await shown.pilot.click("#clients", offset=(20, 3))
        assert shown.app.selected == "bob"
        await shown.pilot.click("#clients", offset=(16, 0))
        assert shown.app._list.rows == ("Ann", "bob", "off", "zoe")
        await shown.pilot.click("#clients", offset=(16, 0))
        assert shown.app._list.rows == ("zoe", "Ann", "bob", "off")

    play(scene, *FLEET)
