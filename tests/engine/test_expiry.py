"""A certificate that expires soon is reported once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.clock import FakeClock, local
from tui_popretr.bus import Bus
from tui_popretr.engine.expiry import ExpiryWatch
from tui_popretr.facts import Fact, Level, Noted, SessionConnected, SessionId, TlsDetails, TlsStarted

NOW = local(2026, 11, 23, 12)
TLS = TlsDetails("TLSv1.3", "AES", "pop.test", "CA", ("pop.test",), NOW + timedelta(days=9, hours=1), "ab" * 32)


class Watched:
    """A bus with the watch on it, and what it notes."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.bus = Bus()
        self.watch = ExpiryWatch(self.bus, self.clock)
        self._notes: list[Noted] = []
        self.bus.subscribe(self.watch)
        self.bus.subscribe(self._listen)

    def _listen(self, fact: Fact) -> None:
        if isinstance(fact, Noted):
            self._notes.append(fact)

    def connect(self, tls: TlsDetails | None, client: str = "a", *, latent: bool = False) -> list[str]:
        """Have a session with this certificate; return what was noted."""
        session, self._notes = SessionId(client, 1), []
        if latent:
            self.bus.publish(SessionConnected(session, NOW, "l:1", "r:1", None))
            assert tls is not None
            self.bus.publish(TlsStarted(session, tls))
        else:
            self.bus.publish(SessionConnected(session, NOW, "l:1", "r:1", tls))
        assert all((note.level, note.client) == (Level.WARNING, client) for note in self._notes)
        return [note.text for note in self._notes]


SOON = "the certificate of pop.test expires in 9 days, on 2026-12-02; tell the server's operator"


@pytest.mark.parametrize("latent", [False, True])
def test_each_certificate_is_reported_once(latent: bool) -> None:
    watched = Watched()
    assert watched.connect(TLS, latent=latent) == [SOON]
    assert watched.connect(TLS, latent=latent) == []
    watched.clock.advance(86_400)
    assert watched.connect(TLS, latent=latent) == []


def test_all_clients_of_a_server_share_one_warning() -> None:
    watched = Watched()
    assert watched.connect(TLS, "a") == [SOON]
    assert watched.connect(TLS, "b") == []


def test_another_certificate_is_reported_again() -> None:
    watched = Watched()
    assert watched.connect(TLS) == [SOON]
    assert watched.connect(replace(TLS, expires=NOW + timedelta(days=90), fingerprint="cd" * 32)) == []
    assert watched.connect(replace(TLS, fingerprint="ef" * 32)) == [SOON]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=14), None),
        (timedelta(days=13, hours=23), "expires in 13 days, on 2026-12-07; tell the server's operator"),
        (timedelta(days=1), "expires in 1 day, on 2026-11-24; tell the server's operator"),
        (timedelta(hours=3), "expires in less than a day, on 2026-11-23; tell the server's operator"),
    ],
)
def test_how_much_time_is_left(left: timedelta, said: str | None) -> None:
    told = Watched().connect(replace(TLS, expires=NOW + left))
    assert told == ([f"the certificate of pop.test {said}"] if said else [])


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=2), "expires in 2 days, on 2026-11-25; the next one will need another fingerprint"),
        (timedelta(days=-2), "expired 2 days ago, on 2026-11-21; its next one will need another fingerprint"),
    ],
)
def test_of_a_pinned_one_something_else_is_said(left: timedelta, said: str) -> None:
    assert Watched().connect(replace(TLS, expires=NOW + left, pinned=True)) == [f"the certificate of pop.test {said}"]


@pytest.mark.parametrize("tls", [None, replace(TLS, expires=None)])
def test_where_there_is_nothing_to_know_nothing_is_said(tls: TlsDetails | None) -> None:
    assert Watched().connect(tls) == []


def test_a_certificate_without_a_subject() -> None:
    assert Watched().connect(replace(TLS, subject="")) == [SOON]
    (text,) = Watched().connect(replace(TLS, subject="", names=()))
    assert text.startswith("the certificate of the server expires")


def test_ever_new_certificates_do_not_fill_the_memory() -> None:
    watched = Watched()
    for number in range(100):
        assert watched.connect(replace(TLS, fingerprint=f"{number:064x}")) == [SOON]
    assert len(watched.watch._warned) == 1
