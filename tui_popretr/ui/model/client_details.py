"""The details of a client: state, last error, past sessions, connection, settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult, TlsDetails, TokenDetails
from tui_popretr.status import ClientState, ClientView
from tui_popretr.text import visible
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.parts import Heading, Line, Pair, Part

_BAR = 20
#: The number of past sessions that are listed.
_LISTED = 8
#: The characters of a fingerprint in one line: 16 octets.
_HALF = 48


def details(client: ClientView, now: float, wall: datetime) -> Iterator[Part]:
    """Yield the details of a client; `now` is in seconds of boottime, `wall` is the local time."""
    yield from _present(client, now, wall)
    yield from _error(client)
    yield from _past(client, wall)
    yield from _connection(client, wall)
    yield Heading("Settings")
    for name, value in client.info.settings:
        yield Pair(name, visible(value))


def _present(client: ClientView, now: float, wall: datetime) -> Iterator[Part]:
    text = f"{client.state.glyph} {client.state.word}"
    if client.session is not None and client.state.running:
        since = f" for {wording.duration(now - client.session_began)}" if client.session_began is not None else ""
        text += f"{since} (session {client.session})"
    yield Pair("state", text, "bold red" if client.state is ClientState.FAILED else "bold")
    if client.due is not None:
        yield Pair("next run", _due(client.due - now))
    if client.state is ClientState.RETRIEVING and client.to_retrieve:
        fraction = client.fraction
        if fraction is not None:
            yield Pair("progress", formatting.bar(fraction, _BAR).rstrip(), "cyan")
        yield Pair("" if fraction is not None else "progress", _progress(client, now))
        yield Pair("received", f"{wording.size(client.received_octets)} of {wording.size(client.to_retrieve_octets)}")
    yield Pair("last result", formatting.outcome(client.last, wall) or "none yet")
    if isinstance(client.last, SessionResult) and client.last.kept:
        what = wording.plural(client.last.kept, "message")
        yield Pair("kept", f"{what} delivered, but cut short by the server: the originals stay on it", "yellow")
    yield Pair("since start", f"{wording.plural(client.messages, 'message')}, {wording.size(client.octets)}")


def _due(seconds: float) -> str:
    return f"in {formatting.countdown(seconds)}" if seconds > 0 else "now"


def _progress(client: ClientView, now: float) -> str:
    return formatting.progress(client.received, client.to_retrieve, client.fraction, client.rate(now))


def _error(client: ClientView) -> Iterator[Part]:
    last = client.last
    if last is None or last.code is ExitCode.OK:
        return
    yield Heading("Last error")
    yield Line(visible(last.error or wording.session_failure(last), 4096), "red")
    advice = last.advice if isinstance(last, SessionResult) else ""
    if advice:
        yield Line(f"→ {visible(advice, 4096)}", "bold")


def _past(client: ClientView, wall: datetime) -> Iterator[Part]:
    if not client.past:
        return
    yield Heading("Past sessions")
    failed = sum(session.code is not ExitCode.OK for session in client.past)
    yield Line(formatting.sparkline(client.past, len(client.past)), "cyan")
    mails = sum(session.messages for session in client.past)
    summary = (
        wording.plural(len(client.past), "session"),
        wording.plural(mails, "message"),
        f"{failed} failed" if failed else "",
    )
    yield Line(formatting.join(summary), "dim")
    for session in reversed(client.past[-_LISTED:]):
        ok = session.code is ExitCode.OK
        took = wording.duration((session.ended - session.started).total_seconds())
        text = f"{'✓' if ok else '✗'} {visible(wording.session_summary(session))}, in {took}"
        yield Pair(formatting.moment(session.started, wall), text, "" if ok else "red")


def _connection(client: ClientView, wall: datetime) -> Iterator[Part]:
    yield Heading("Connection")
    if not client.remote:
        yield Line("There has been none yet.", "dim")
        return
    yield Pair("address", visible(client.remote))
    yield Pair("login by", client.mechanism or "not yet")
    if client.token is not None:
        yield from _token(client.token, wall)
    if client.tls is None:
        yield Pair("TLS", "! none: everything goes in clear", "yellow")
    else:
        yield from _tls(client.tls, wall)
    if client.capabilities:
        yield Pair("capabilities", ", ".join(map(visible, client.capabilities)))


def _token(token: TokenDetails, wall: datetime) -> Iterator[Part]:
    yield Pair("access token", f"{visible(token.account)} at {visible(token.provider)}")
    yield Pair("token valid", wording.token_validity(token, wall))
    yield Pair("token allows", visible(" ".join(token.scopes)) or "not known")


def _tls(tls: TlsDetails, wall: datetime) -> Iterator[Part]:
    yield Pair("TLS", formatting.join((tls.version, tls.cipher)))
    pinned = " (pinned by its fingerprint)" if tls.pinned else ""
    yield Pair("certificate", f"{visible(tls.subject) or 'not known'}{pinned}")
    if tls.names:
        yield Pair("names", ", ".join(map(visible, tls.names)))
    if tls.issuer:
        yield Pair("issued by", visible(tls.issuer))
    if tls.expires is not None:
        warn = tls.expires_soon(wall)
        when = wording.certificate_date(tls.expires, wall)
        label = "EXPIRED" if tls.expires < wall else "expires"
        yield Pair(label, f"! {when}" if warn else when, "bold red" if warn else "")
    if tls.fingerprint:
        digits = wording.fingerprint(tls.fingerprint)
        yield Pair("SHA-256", digits[:_HALF])
        yield Pair("", digits[_HALF:])
