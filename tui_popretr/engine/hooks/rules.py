"""Which hooks run: pure functions of what happened, the settings, and when hooks ran before.

Terminology:

- *event*: failed, recovered, delivered, login, certificate, stale or kept (HookEvent).
- *lasting event*: one that can still be true after the next session: failed, login, certificate, stale. Its hook runs
  once, then again when `every` has passed. A success in between does not shorten that time: an account that fails now
  and then would run its hook at each failure.
- *time*: when a hook last ran for a client, in epoch seconds. Times are in the journal, also between runs of --once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tui_popretr.config.choices import COUNTED_EVENTS, LASTING_EVENTS, HookEvent
from tui_popretr.config.model import HookSettings
from tui_popretr.config.units import span
from tui_popretr.engine.expiry import expiry_text
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult, Standing, TlsDetails
from tui_popretr.wording import mail_volume, plural

#: By client and HookSettings.key.
Times = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class ClosedSession:
    """A session that has ended, with the client's standing before and after it."""

    before: Standing
    after: Standing
    result: SessionResult
    kept: int = 0  # messages that arrived cut short in this session
    tls: TlsDetails | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event of a client. `text` may hold what a server said; `failures` are in a row, with recovered before it."""

    event: HookEvent
    client: str
    text: str
    messages: int = 0  # delivered by the session
    failures: int = 0
    code: ExitCode = ExitCode.OK


@dataclass(slots=True)
class Decision:
    """The hooks to run, and the times that change."""

    runs: list[tuple[HookSettings, Occurrence]] = field(default_factory=list)
    times: dict[tuple[str, str], int] = field(default_factory=dict)


def after_session(hooks: Iterable[HookSettings], session: ClosedSession, times: Times, now: datetime) -> Decision:
    """Return the hooks that a closed session starts, and the times that change."""
    client = session.after.client
    occurrences = {each.event: each for each in _occurrences(session, now)}
    decision = Decision()
    for hook in _of(hooks, client):
        if hook.on is HookEvent.STALE:
            occurrence = _stale(hook, session.after, session.result.code, now)
        else:
            occurrence = occurrences.get(hook.on)
        if occurrence is not None and occurrence.failures >= (hook.after if hook.on in COUNTED_EVENTS else 0):
            _run(decision, hook, occurrence, times, now)
    return decision


def stale_now(hooks: Iterable[HookSettings], standings: Iterable[Standing], times: Times, now: datetime) -> Decision:
    """Return the hooks on stale that start between sessions. every="0" runs a hook again only after a session."""
    decision = Decision()
    hooks = [hook for hook in hooks if hook.on is HookEvent.STALE]
    for standing in standings if hooks else ():
        for hook in _of(hooks, standing.client):
            occurrence = _stale(hook, standing, ExitCode.OK, now)
            if occurrence is not None and (hook.every or (standing.client, hook.key) not in times):
                _run(decision, hook, occurrence, times, now)
    return decision


def _of(hooks: Iterable[HookSettings], client: str) -> list[HookSettings]:
    return [hook for hook in hooks if not hook.clients or client in hook.clients]


def _occurrences(session: ClosedSession, now: datetime) -> Iterable[Occurrence]:
    result, client = session.result, session.after.client
    failures = session.after.failures_in_a_row

    def occurrence(event: HookEvent, text: str, failures: int = failures) -> Occurrence:
        return Occurrence(event, client, text, result.messages, failures, result.code)

    if not result.ok:
        often = f" {failures} times in a row" if failures > 1 else ""
        yield occurrence(HookEvent.FAILED, f"{client} failed{often}: {result.error}")
    if result.code is ExitCode.LOGIN:
        yield occurrence(HookEvent.LOGIN, f"{client}: {result.error}")
    if result.ok and not result.stopped and (before := session.before.failures_in_a_row):
        yield occurrence(HookEvent.RECOVERED, f"{client} works again after {plural(before, 'failed session')}", before)
    if result.messages:
        yield occurrence(HookEvent.DELIVERED, f"{client}: {mail_volume(result.messages, result.octets)} delivered")
    if session.tls is not None and session.tls.expires_soon(now):
        yield occurrence(HookEvent.CERTIFICATE, f"{client}: {expiry_text(session.tls, now)}")
    if session.kept:
        what = plural(session.kept, "message")
        yield occurrence(HookEvent.KEPT, f"{client}: {what} arrived cut short, delivered and kept on the server")


def _stale(hook: HookSettings, standing: Standing, code: ExitCode, now: datetime) -> Occurrence | None:
    """Return the event of a client that has had no mail for the time of a hook."""
    last = standing.last_message or standing.since
    age = 0.0 if last is None else (now - last).total_seconds()
    if last is None or age < hook.after:
        return None
    long = span(age // 86400 * 86400) if age >= 86400 else span(age // 60 * 60)
    text = f"{standing.client}: no mail for {long}"
    return Occurrence(HookEvent.STALE, standing.client, text, 0, standing.failures_in_a_row, code)


def _run(decision: Decision, hook: HookSettings, occurrence: Occurrence, times: Times, now: datetime) -> None:
    if hook.on not in LASTING_EVENTS:
        decision.runs.append((hook, occurrence))
        return
    seconds = int(now.timestamp())
    last = times.get((occurrence.client, hook.key))
    if last is None or last > seconds or seconds - last >= hook.every:  # in the future: the clock was set back
        decision.runs.append((hook, occurrence))
        decision.times[occurrence.client, hook.key] = seconds
