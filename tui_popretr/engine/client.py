"""The task of one client: wait until due, wait for a slot, run a session, repeat. An error stays in this client."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import trio

from tui_popretr.answers import Done
from tui_popretr.commands import MessageKey
from tui_popretr.config.model import ClientSettings
from tui_popretr.engine.schedule import BoottimeTimer, interval
from tui_popretr.engine.slots import SessionSlot, SessionSlots
from tui_popretr.errors import ExitCode, PopretrError
from tui_popretr.facts import (
    ClientFinished,
    ClientPaused,
    ClientQueued,
    ClientScheduled,
    Level,
    Noted,
    SessionId,
    SessionResult,
)
from tui_popretr.logs.lines import message_name
from tui_popretr.session.context import SessionContext
from tui_popretr.session.headers import find
from tui_popretr.session.plan import Listed
from tui_popretr.session.session import Session
from tui_popretr.session.visit import UNCERTAIN, UNFINISHED, Visit, make_visit, outcome
from tui_popretr.wording import error_with_advice

T = TypeVar("T")

#: Seconds after which a client runs again after an internal error.
RETRY_AFTER_DEFECT = 60.0
#: After this number of refusals in a row that are temporary only by their text, each counts as a rejected login: the
#: text may have been misread.
MAX_TEXT_REFUSALS = 3


@dataclass(slots=True)
class Services:
    """What the engine provides for its clients. A reload replaces `context`; a running session keeps the old one."""

    context: SessionContext
    slots: SessionSlots
    timer: BoottimeTimer
    closed: Callable[[ClientRunner, SessionResult], None]


class ClientRunner:
    """Runs one client on its schedule until stopped."""

    def __init__(self, settings: ClientSettings, services: Services, due: float) -> None:
        self.settings = settings
        self.due = due
        self.paused = False
        self.finished = False
        self.session: Session | None = None
        self._services = services
        self._sessions_started = 0  # for ID-RUN
        self._runs = 0  # runs that count towards `runs`
        self._rejections = 0
        # Sessions in a row whose login was refused with a text that means a temporary failure.
        self._text_rejections = 0
        self._polled = False
        self._stopping = False
        self._login_delay = 0
        self._sleep = trio.CancelScope()  # until due
        self._queue = trio.CancelScope()  # until there is a slot
        self._wanted: tuple[MessageKey, ...] = ()  # retrieved by the next session, and nothing else
        self._fetching: tuple[MessageKey, ...] = ()  # retrieved by the running session, and nothing else
        self._visits: set[trio.CancelScope] = set()

    # --- commands -----------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Run now. This ends the back-off after rejected logins."""
        self._polled = True
        self._rejections = self._text_rejections = 0
        self._sleep.cancel()

    async def fetch(self, messages: Sequence[MessageKey]) -> Done:
        """Run a session now that retrieves just these messages. The schedule does not change. Raises ValueError."""
        visit = self._make_visit(self.settings, 0)
        try:
            unfinished = await visit.unfinished()
        except PopretrError as problem:
            raise ValueError(str(problem)) from problem
        refusals = {each: UNFINISHED for each in messages if each.uid in unfinished}
        known = {key.wanted for key in (*self._fetching, *self._wanted)}  # another dashboard may have asked just now
        new = tuple(key for key in messages if key not in refusals and key.wanted not in known)
        for key in new:
            name = message_name(key.number, key.uid, key.size)
            self._note(Level.INFO, f"{name} is retrieved now, at your request")
        self._wanted += new
        if self.session is not None:
            self.session.remember()
        if self._wanted:
            self._sleep.cancel()
        return outcome(messages, refusals, "is retrieved now")

    async def visit(self, work: Callable[[Visit], Awaitable[T]]) -> T:
        """Do this in a visit to the maildrop, when it is the client's turn. Raises ValueError with the reason."""
        settings = self.settings  # a reload may change them: then this is still for the account that was meant
        slot = self._services.slots.request(settings.server)
        scope = trio.CancelScope()
        visit: Visit | None = None
        self._visits.add(scope)
        try:
            with scope:
                if self._stopping:
                    scope.cancel()
                await slot.granted.wait()
                self._sessions_started += 1
                visit = self._make_visit(settings, self._sessions_started)
                try:
                    return await work(visit)
                finally:
                    visit.close()
        except PopretrError as problem:
            raise ValueError(error_with_advice(str(problem), problem.advice)) from problem
        finally:
            self._visits.discard(scope)
            slot.release()
        reason = "the program is ending" if self._stopping else "it was stopped"
        raise ValueError(f"{reason}; {UNCERTAIN}" if visit is not None and visit.uncertain else reason)

    def _make_visit(self, settings: ClientSettings, run: int) -> Visit:
        context = self._services.context
        setup, services = context.setup(SessionId(settings.id, run), settings), context.services
        return make_visit(setup, services.journal, services.capa_histories, services.pipelining_history)

    def pause(self) -> None:
        """Start no further run until resume() or poll()."""
        self.paused = True
        self._wake()

    def resume(self) -> None:
        """Continue with the schedule; if the client became due meanwhile it runs now."""
        self.paused = False
        self._wake()

    def stop_session(self) -> bool:
        """Stop the running session gracefully, and give visits up; return whether there was one."""
        if self.session is not None:
            self.session.stop()
        for visit in self._visits:
            visit.cancel()
        return self.session is not None or bool(self._visits)

    def abandon_session(self, problem: PopretrError) -> None:
        """Close the running session's connection at once."""
        if self.session is not None:
            self.session.abandon(problem)

    def stop(self) -> None:
        """Start no further run, and stop the running session gracefully."""
        self._stopping = True
        self.stop_session()
        self._wake()

    def retire(self) -> None:
        """Start no further run; a running session continues to its end."""
        self._stopping = True
        self._wake()

    def change(self, settings: ClientSettings, due: float) -> None:
        """Use new settings from the next session on, which is due at `due`."""
        self.settings = settings
        self.due = due
        self.finished = False
        self._runs = self._rejections = self._text_rejections = self._login_delay = 0
        self._wake()

    # --- the task -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run sessions until stop() or retire()."""
        while not self._stopping:
            try:
                await self._run_sessions()
            except Exception as defect:  # noqa: BLE001 - a bug in one client must not end the others
                self._note(Level.ERROR, "internal error: " + "".join(traceback.format_exception(defect)))
                self._polled, self._wanted = False, ()
                self.due = self._services.context.clock.boottime() + RETRY_AFTER_DEFECT

    async def _run_sessions(self) -> None:
        while await self._wait_until_due():
            settings = self.settings
            slot = self._services.slots.request(settings.server)
            try:
                if await self._wait_for_slot(slot):
                    await self._session(settings)
            finally:
                slot.release()

    async def _wait_for_slot(self, slot: SessionSlot) -> bool:
        """Wait for the slot; return False if something changed meanwhile."""
        if slot.granted.is_set():
            return True
        self._services.context.bus.publish(ClientQueued(self.settings.id))
        self._queue = trio.CancelScope()
        with self._queue:
            await slot.granted.wait()
        return not self._queue.cancel_called  # the slot may have been granted as well

    async def _session(self, settings: ClientSettings) -> None:
        self._sessions_started += 1
        self._fetching, self._wanted = self._wanted, ()
        wanted = self._fetching
        if not wanted:  # else a poll is still to come
            self._polled = False
        self.session = session = Session(settings, self._sessions_started, self._services.context, wanted)
        try:
            result = await session.run()
        finally:
            self.session, self._fetching = None, ()
        self._forget_wanted(session.delivered_now)
        if wanted:
            self._services.closed(self, result)
        else:
            self._schedule_next(settings, session, result)

    def _forget_wanted(self, delivered: Collection[Listed]) -> None:
        """Forget what the user wanted while a session was running that has delivered it: it would come twice."""
        found = find(delivered, self._wanted)
        self._wanted = tuple(key for key in self._wanted if key not in found)

    def _schedule_next(self, settings: ClientSettings, session: Session, result: SessionResult) -> None:
        """Set the next due time after a session, with a back-off after rejected logins, or end the runs."""
        if session.login_delay is not None:
            self._login_delay = session.login_delay
        if settings is self.settings:  # otherwise change() has set the due time
            self._runs += 1
            self._text_rejections = self._text_rejections + 1 if session.refused_by_text else 0
            rejected = result.code is ExitCode.LOGIN and not session.login_missing
            if rejected or self._text_rejections >= MAX_TEXT_REFUSALS:
                self._rejections += 1
            elif session.logged_in:
                self._rejections = 0
            wait = interval(settings, rejections=self._rejections, login_delay=self._login_delay)
            self.due = self._services.context.clock.boottime() + wait
            self.finished = 0 < settings.runs <= self._runs
        self._services.closed(self, result)

    async def _wait_until_due(self) -> bool:
        """Wait until the client has to run; return False when it is stopped."""
        publish = self._services.context.bus.publish
        while not self._stopping:
            if self._polled or self._wanted:
                return True
            self._sleep = trio.CancelScope()
            with self._sleep:
                if self.paused:
                    publish(ClientPaused(self.settings.id))
                    await trio.sleep_forever()
                elif self.finished:
                    publish(ClientFinished(self.settings.id))
                    await trio.sleep_forever()
                else:
                    publish(ClientScheduled(self.settings.id, self.due))
                    await self._services.timer.wait_until(self.due)
                    return True
        return False

    def _wake(self) -> None:
        """End the current wait, so that its condition is evaluated again."""
        self._sleep.cancel()
        self._queue.cancel()

    def _note(self, level: Level, text: str) -> None:
        context = self._services.context
        context.bus.publish(Noted(context.clock.now(), level, self.settings.id, text))
