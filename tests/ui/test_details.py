"""A client's details: complete, live, and legible in the smallest terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.cells import cell_len
from textual.containers import VerticalScroll
from textual.widgets import Static

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, clients, info, play, result, retrieving
from tui_popretr.commands import Command, PauseClient, PollClient, StopSession
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, RetrievalProgressed, SessionId, TlsDetails, TokenDetails
from tui_popretr.status import ClientState, ClientView
from tui_popretr.ui.model.client_details import details
from tui_popretr.ui.model.parts import Heading, Line, Pair, typeset
from tui_popretr.ui.screens.details import ClientDetails

NOW = FakeClock().now()
TLS = TlsDetails(
    "TLSv1.3",
    "TLS_AES_256_GCM_SHA384",
    "pop.example.net",
    "Example CA",
    ("pop.example.net", "*.example.net"),
    NOW + timedelta(days=60),
    "ab" * 32,
)
CLIENT = ClientView(
    info("work"), due=1272.0, remote="192.0.2.7:995", mechanism="SCRAM-SHA-256", tls=TLS, capabilities=("TOP", "UIDL")
)


def told(client: ClientView, columns: int = 99) -> str:
    """Return the details as text; boottime is 1000."""
    return typeset(details(client, 1000.0, NOW), columns).plain


def line(client: ClientView, name: str) -> str:
    """Return the value of a name."""
    return next(each.removeprefix(name).strip() for each in told(client).splitlines() if each.startswith(f"{name} "))


# --- what is said ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "· waiting"),
        ("next run", "in 4:32"),
        ("last result", "none yet"),
        ("address", "192.0.2.7:995"),
        ("login by", "SCRAM-SHA-256"),
        ("TLS", "TLSv1.3 · TLS_AES_256_GCM_SHA384"),
        ("certificate", "pop.example.net"),
        ("names", "pop.example.net, *.example.net"),
        ("issued by", "Example CA"),
        ("expires", "in 60 days, on 2027-01-22"),
        ("capabilities", "TOP, UIDL"),
        ("password", "****"),
        ("freq", "5m"),
    ],
)
def test_a_waiting_client(name: str, value: str) -> None:
    assert line(CLIENT, name) == value


def test_a_certificate_that_ends_soon_is_marked() -> None:
    soon = replace(CLIENT, tls=replace(TLS, expires=NOW + timedelta(days=13)))
    assert line(soon, "expires") == "! in 13 days, on 2026-12-06"
    gone = replace(CLIENT, tls=replace(TLS, expires=NOW - timedelta(days=2, hours=1)))
    assert line(gone, "EXPIRED") == "! 2 days ago, on 2026-11-21"


def test_a_fingerprint_is_as_openssl_prints_it() -> None:
    (first, second) = (each.split()[-1] for each in told(CLIENT).splitlines() if "AB:AB" in each)
    assert (first, second) == ("AB:" * 16, ":".join(["AB"] * 16))


def test_a_pinned_certificate_is_told_to_be_one() -> None:
    assert line(replace(CLIENT, tls=replace(TLS, pinned=True)), "certificate") == (
        "pop.example.net (pinned by its fingerprint)"
    )


def test_a_connection_in_clear_is_marked() -> None:
    assert line(replace(CLIENT, tls=None), "TLS") == "! none: everything goes in clear"


def test_a_client_that_never_ran() -> None:
    fresh = ClientView(info("work"))
    assert "There has been none yet." in told(fresh)
    assert "Past sessions" not in told(fresh)
    assert "Last error" not in told(fresh)


def test_a_running_session() -> None:
    running = replace(
        CLIENT,
        state=ClientState.RETRIEVING,
        due=None,
        session=SessionId("work", 3),
        session_began=988.0,
        retrieving_since=990.0,
        to_retrieve=340,
        to_retrieve_octets=34_000_000,
        received=12,
        received_octets=12_000_000,
    )
    assert line(running, "state") == "↓ retrieving for 12 s (session work-3)"
    assert "12/340 · 35 % · 1.2 MB/s" in told(running)
    assert line(running, "received") == "12 MB of 34 MB"
    assert "next run" not in told(running)


def test_the_last_error_comes_with_what_to_do() -> None:
    failed = result(NOW, code=ExitCode.LOGIN, error="the server rejected the login (no)", advice="check the password")
    text = told(replace(CLIENT, state=ClientState.FAILED, last=failed, past=(failed,)))
    assert "Last error\nthe server rejected the login (no)\n→ check the password\n" in text
    past = PastSession("work", NOW, NOW, ExitCode.TEMPORARY, 0, 0, "the server closed the connection")
    assert "Last error\nthe server closed the connection\n\n" in told(replace(CLIENT, last=past))
    assert "Last error" not in told(replace(CLIENT, last=result(NOW)))


def test_kept_messages_are_explained() -> None:
    text = told(replace(CLIENT, last=result(NOW, messages=1, kept=2)))
    assert "2 messages delivered, but cut short by the server: the originals stay on it" in text
    assert "cut short" not in told(replace(CLIENT, last=result(NOW, messages=1)))


def test_past_sessions_newest_first() -> None:
    past = tuple(result(NOW - timedelta(minutes=20 - number), messages=number) for number in range(20))
    failed = result(NOW, code=ExitCode.TEMPORARY, error="cut")
    lines = told(replace(CLIENT, past=(*past, failed))).splitlines()
    start = lines.index("Past sessions")
    assert lines[start + 1].endswith("█✗")
    assert len(lines[start + 1]) == 21
    assert lines[start + 2] == "21 sessions · 190 messages · 1 failed"
    assert lines[start + 3].split(maxsplit=1)[1] == "✗ cut, in 3.0 s"
    assert "✓ 19 messages" in lines[start + 4]


def test_every_width_is_kept_and_nothing_is_lost() -> None:
    long = replace(
        CLIENT, info=replace(info("work"), settings=(("omitreceivedheader", "Y"), ("fingerprint", "CD:" * 40)))
    )
    for columns in (16, 40, 75, 99):
        text = told(long, columns)
        assert max(cell_len(each) for each in text.splitlines()) <= columns
        assert "".join(text.split()).count("CD:") == 40
        assert "omitreceivedheader  " in text or columns == 16


def test_text_of_strangers_is_no_markup() -> None:
    parts = (Heading("[red]"), Pair("[b]", "[/b] [link=x]"), Line("[reverse]x\u202e"))
    assert typeset(parts, 30).plain == "[red]\n[b]  [/b] [link=x]\n[reverse]x\\u202e"


# --- on the screen --------------------------------------------------------------------------------------------------


def see(test: Callable[[Played], Awaitable[None]], *, size: tuple[int, int] = (80, 24)) -> None:
    """Run a test on the open details of a client that retrieves."""

    async def scene(shown: Played) -> None:
        await shown.press("enter")
        assert isinstance(shown.app.screen, ClientDetails)
        await test(shown)

    session = retrieving("work", NOW, received=12, of=340, octets=1_000_000, of_octets=34_000_000)
    play(scene, clients("work", "home"), *session, size=size)


def text(shown: Played) -> str:
    """Return all that the sheet holds."""
    return str(shown.app.screen.query_one(Static).content)


def test_it_is_live() -> None:
    async def test(shown: Played) -> None:
        assert "12/340" in text(shown)
        await shown.tell(RetrievalProgressed(SessionId("work", 1), 99, 9_000_000))
        assert "99/340" in text(shown)
        await shown.wait(30)
        assert "retrieving for 30 s" in text(shown)

    see(test)


@pytest.mark.parametrize(
    ("key", "command"), [("r", PollClient("work")), ("p", PauseClient("work")), ("x", StopSession("work"))]
)
def test_keys_act_on_the_client(key: str, command: Command) -> None:
    async def test(shown: Played) -> None:
        await shown.press(key)
        assert shown.source.performed == [command]
        assert isinstance(shown.app.screen, ClientDetails)

    see(test)


@pytest.mark.parametrize("key", ["escape", "q"])
def test_it_closes(key: str) -> None:
    async def test(shown: Played) -> None:
        await shown.press(key)
        assert not isinstance(shown.app.screen, ClientDetails)
        assert shown.app.focused is not None

    see(test)


def test_it_closes_when_the_client_is_no_longer_configured() -> None:
    async def test(shown: Played) -> None:
        await shown.tell(clients("home"))
        assert not isinstance(shown.app.screen, ClientDetails)

    see(test)


def test_it_scrolls_by_keys_in_the_smallest_terminal() -> None:
    async def test(shown: Played) -> None:
        box = shown.app.screen.query_one(VerticalScroll)
        assert box.region.size == (45, 15)
        assert all(cell_len(each) <= 40 for each in text(shown).splitlines())
        await shown.press("j", "down", "k")
        assert box.scroll_y == 1
        await shown.press("G")
        assert box.scroll_y == box.max_scroll_y > 1
        await shown.press("pageup", "pagedown", "space", "g")
        assert box.scroll_y == 0

    see(test, size=(45, 15))


@pytest.mark.parametrize(
    ("expires", "text"),
    [
        (NOW + timedelta(minutes=10), f"until {NOW + timedelta(minutes=10):%H:%M}"),
        (NOW + timedelta(days=2), f"until {NOW + timedelta(days=2):%Y-%m-%d %H:%M}"),
        (NOW - timedelta(minutes=10), f"until {NOW - timedelta(minutes=10):%H:%M}, and has expired"),
        (None, "the provider does not say until when"),
    ],
)
def test_an_access_token(expires: datetime | None, text: str) -> None:
    token = TokenDetails("Google", "me@example.test\x1b", expires, ("https://mail.google.com/", "email"))
    client = replace(CLIENT, token=token)
    assert line(client, "access token") == "me@example.test\\x1b at Google"
    assert line(client, "token valid") == text
    assert line(client, "token allows") == "https://mail.google.com/ email"
    assert "access token" not in told(CLIENT)
