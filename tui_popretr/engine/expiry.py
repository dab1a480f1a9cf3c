"""The warning that a server's certificate expires soon: once for each certificate, not in each session."""

from __future__ import annotations

from datetime import datetime

from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.facts import Fact, Level, Noted, SessionConnected, SessionId, TlsDetails, TlsStarted
from tui_popretr.wording import certificate_date


class ExpiryWatch:
    """A subscriber that checks the certificate of each session and logs a warning for those that expire soon."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        # Only the last one of each client, so that a server with changing certificates cannot fill the memory.
        self._warned: dict[str, TlsDetails] = {}

    def __call__(self, fact: Fact) -> None:
        match fact:
            case SessionConnected(session=session, tls=TlsDetails() as tls) | TlsStarted(session=session, tls=tls) if (
                tls.expires is not None
            ):
                self._check(session, tls)

    def _check(self, session: SessionId, tls: TlsDetails) -> None:
        now = self._clock.now()
        if not tls.expires_soon(now):
            return
        known = any(_same(tls, other) for other in self._warned.values())
        self._warned[session.client] = tls
        if not known:
            self._bus.publish(Noted(now, Level.WARNING, session.client, expiry_text(tls, now)))


def _same(one: TlsDetails, other: TlsDetails) -> bool:
    """Whether two sessions had the same certificate: several clients may use one server."""
    return (one.fingerprint, one.subject, one.expires) == (other.fingerprint, other.subject, other.expires)


def expiry_text(tls: TlsDetails, now: datetime) -> str:
    """Return a sentence about a certificate that expires soon, or has expired."""
    assert tls.expires is not None
    when = certificate_date(tls.expires, now)
    subject = f"the certificate of {tls.subject or (tls.names[0] if tls.names else 'the server')}"
    if tls.expires < now:  # only a pinned certificate is still accepted
        return f"{subject} expired {when}; its next one will need another fingerprint"
    then = "the next one will need another fingerprint" if tls.pinned else "tell the server's operator"
    return f"{subject} expires {when}; {then}"
