"""The engine as one object: it runs the clients, performs commands and publishes facts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

import trio

from tui_popretr import __version__
from tui_popretr.answers import Answer
from tui_popretr.bus import Bus, Subscriber
from tui_popretr.clock import Clock, SystemClock
from tui_popretr.commands import (
    Command,
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    PauseAll,
    PauseClient,
    PollAll,
    PollClient,
    PreviewMessage,
    Query,
    ReadStatistics,
    Reload,
    ResumeAll,
    ResumeClient,
    Shutdown,
    SkipMessages,
    StopAll,
    StopSession,
)
from tui_popretr.commit.blocking import BlockingWorkers
from tui_popretr.commit.committer import Committer
from tui_popretr.commit.lookup import recovery_text
from tui_popretr.commit.recovery import Recovery
from tui_popretr.config.account import Server
from tui_popretr.config.describe import client_info, disabled_info
from tui_popretr.config.model import LogSettings, Settings
from tui_popretr.config.units import duration
from tui_popretr.engine.client import ClientRunner, Services
from tui_popretr.engine.expiry import ExpiryWatch
from tui_popretr.engine.history import History
from tui_popretr.engine.logfiles import LogFiles
from tui_popretr.engine.powercuts import unsafe_folders
from tui_popretr.engine.schedule import BoottimeTimer, first_due
from tui_popretr.engine.slots import SessionSlots
from tui_popretr.engine.standings import Standings
from tui_popretr.errors import (
    ConfigurationError,
    ConnectionCut,
    ExitCode,
    JournalError,
    PopretrError,
    out_of_threads,
    worst,
)
from tui_popretr.facts import (
    ClientsChanged,
    ConfigurationRejected,
    ConfigurationReloaded,
    Level,
    Noted,
    PastSession,
    ReloadStarted,
    SessionResult,
    StandingsRead,
)
from tui_popretr.fs.folders import unsafe_at_power_cuts
from tui_popretr.journal.thread import JournalThread
from tui_popretr.net.connect import connect
from tui_popretr.net.resolver import Resolver
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsContexts
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.process.children import ChildProcesses
from tui_popretr.session.context import DeliveryServices, SessionContext
from tui_popretr.session.passwords import Passwords
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import Connector
from tui_popretr.wording import plural

#: Seconds after which a shutdown cancels the sessions that are still running.
LAST_DEADLINE = 9.3

Loader = Callable[[], Settings]


class Companion(Protocol):
    """A task beside the sessions, such as the control socket. It starts once the journal is open, and is cancelled."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


async def connect_tcp(server: Server, timeout: float) -> Stream:
    """The default Connector: TCP by Happy Eyeballs."""
    return await connect(server.look_up_name, server.port, timeout=timeout, shown=server.written)


class Engine:
    """Retrieves mail for all clients of a configuration.

    run() is called once, in trio; all other methods are called in the same thread. `reloader` reads the configuration
    again and raises ConfigurationError, with one problem a line; without it Reload is refused. With `until_done` run()
    ends when all clients have completed their runs. `remember` is the number of past sessions to publish at the start.
    """

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        *,
        clock: Clock | None = None,
        connector: Connector = connect_tcp,
        reloader: Loader | None = None,
        until_done: bool = True,
        trace_fallback: LogSettings | None = None,
        remember: int = 0,
    ) -> None:
        self.settings = settings
        self.bus = bus
        self.clock: Clock = clock or SystemClock()
        #: The last result of each client that has run.
        self.results: dict[str, SessionResult] = {}
        #: The users' commands that run; an immediate end kills them.
        self.children = ChildProcesses()
        #: What all connections share.
        passwords, contexts = Passwords(self.children), TlsContexts()
        tokens = AccessTokens(passwords.obtain, self.clock, partial(self.note, Level.WARNING), contexts=contexts)
        self.connections = ConnectionServices(contexts, passwords, tokens)
        self._connector = connector
        self._reloader = reloader
        self._until_done = until_done
        self._remember = remember
        #: Tasks to run beside the sessions; those of the list when run() is called, each started after the one before.
        self.companions: list[Companion] = []
        #: Called when all clients have completed their runs, before the companions are cancelled; not after Shutdown.
        self.finishers: list[Callable[[], Awaitable[object]]] = []
        self._preparing = trio.CancelScope()  # what comes before the first session
        self._finishing = trio.CancelScope()
        self._log_files = LogFiles(bus, self.clock, self._report_from_thread, trace_fallback)
        self._runners: dict[str, ClientRunner] = {}
        self._retired: list[ClientRunner] = []  # clients that a reload removed; a session may still be running
        #: What the journal knows of the clients; complete when the companions start.
        self.standings = Standings()
        self.bus.subscribe(self.standings)
        self._history = History(bus, self.clock, self.standings)
        self.bus.subscribe(self._history)
        #: Set when the engine begins to stop; the last sessions may still be running.
        self.stopping = trio.Event()
        self._stopped_by_command = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._reloading = False
        self._reload_again = False
        self._clients: trio.Nursery | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The worst exit code among the last sessions of all clients; OK after a Shutdown command."""
        if self._stopped_by_command:
            return ExitCode.OK
        return worst([result.code for result in self.results.values()])

    # --- running ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until shutdown, or until done. Raises JournalError if the journal cannot be used."""
        self._token = trio.lowlevel.current_trio_token()
        trio.socket.set_custom_hostname_resolver(Resolver())
        self._disks = BlockingWorkers(self.settings.timeout)
        journal = JournalThread(self.settings.journal)
        recovery = Recovery(journal, self._log_files.audit, lambda: int(self.clock.now().timestamp()), self._disks)
        try:
            # The logs are opened after the journal: if another process uses the journal, it also uses the logs.
            for recovered in await recovery.open(lambda: self._log_files.apply(self.settings)):
                self.note(Level.WARNING, recovery_text(recovered))
            self._log_start()
            await self._run_services(journal, recovery)
            if self._stopped_by_command:
                self.note(Level.INFO, "ended")
        except Exception as problem:
            self._note_defect(problem)
            raise
        finally:
            await self._history.save(journal)
            await journal.close()
            self._log_files.close()

    def _log_start(self) -> None:
        """Log the start: with delay_start, no other line follows for a while."""
        what = f"tui-popretr {__version__}: {plural(len(self.settings.clients), 'client')}"
        if self.settings.delay_start:
            self.note(Level.INFO, f"{what}, first sessions in {duration(self.settings.delay_start)}")
        else:
            self.note(Level.DEBUG, what)

    async def _run_services(self, journal: JournalThread, recovery: Recovery) -> None:
        logs = self._log_files
        committer = Committer(recovery, logs.audit, self.settings.timeout, lambda: logs.audited)
        timer = BoottimeTimer(self.clock, self._on_resume)
        self._services = Services(
            context=SessionContext(
                bus=self.bus,
                clock=self.clock,
                services=DeliveryServices(journal, recovery, committer, self._disks, self.children),
                connect=self._connector,
                paths=self.settings.paths,
                timeout=self.settings.timeout,
                withheld=self.settings.password_variables,
                connections=self.connections,
            ),
            slots=SessionSlots(self.settings.concurrency),
            timer=timer,
            closed=self._session_closed,
        )
        self.bus.subscribe(ExpiryWatch(self.bus, self.clock))
        async with trio.open_nursery() as helpers:
            helpers.start_soon(self._warn_of_power_cuts)
            helpers.start_soon(timer.run)
            helpers.start_soon(self._log_files.run)
            helpers.start_soon(self._history.write, journal)
            self._journal = journal
            with self._preparing:
                await self._read_standings(journal)
                for companion in self.companions:
                    await helpers.start(companion)
            async with trio.open_nursery() as committing:
                committing.start_soon(committer.run)
                self._make_runners()
                if self._remember:
                    helpers.start_soon(self._history.publish, journal, self._remember)
                await self._run_clients()
                await self._finish()
                committer.close()
                committing.cancel_scope.deadline = trio.current_time() + 0.3
            helpers.cancel_scope.cancel()

    async def _finish(self) -> None:
        """Wait for what the last sessions have begun, unless the user ends the program."""
        with self._finishing:
            for each in self.finishers:
                await each()

    async def _warn_of_power_cuts(self) -> None:
        # A hung file system blocks only this thread.
        limiter = trio.CapacityLimiter(1)
        try:
            places = await trio.to_thread.run_sync(
                unsafe_folders, self.settings, limiter=limiter, abandon_on_cancel=True
            )
        except RuntimeError as problem:
            if out_of_threads(problem) is None:
                raise
            return
        if places:
            self.note(Level.WARNING, unsafe_at_power_cuts(places))

    def _make_runners(self) -> None:
        start, count = self.clock.boottime(), len(self.settings.clients)
        for index, client in enumerate(self.settings.clients):
            delay, total = self.settings.delay_start, self.settings.concurrency.total
            due = first_due(index, count, client, start, delay, total)
            self._runners[client.id] = ClientRunner(client, self._services, due)
        self._publish_clients()
        self.bus.publish(StandingsRead(self.standings.of(self._runners)))

    async def _run_clients(self) -> None:
        async with trio.open_nursery() as clients:
            self._clients = clients
            for runner in self._runners.values():
                clients.start_soon(runner.run)
            self._check_done()
            await self.stopping.wait()
            clients.cancel_scope.deadline = trio.current_time() + LAST_DEADLINE
            for runner in self._all_runners():
                runner.stop()

    def _all_runners(self) -> list[ClientRunner]:
        return [*self._runners.values(), *self._retired]

    def _session_closed(self, runner: ClientRunner, result: SessionResult) -> None:
        self.results[runner.settings.id] = result
        self._history.session_closed(runner.settings.id, result)
        self._check_done()

    def _check_done(self) -> None:
        if self._until_done and all(runner.finished for runner in self._runners.values()):
            self.stopping.set()

    def _on_resume(self) -> None:
        """Close the connections that were open during a suspend, before overdue clients run."""
        self.note(Level.INFO, "the machine was suspended; overdue clients run now")
        for runner in self._all_runners():
            runner.abandon_session(ConnectionCut("the machine was suspended during the session"))

    # --- commands -----------------------------------------------------------------------------------------------------

    def perform(self, command: Command) -> str:
        """Perform a user's command; return a text on what happens. Raises ValueError if it is impossible."""
        runners = self._runners.values()
        match command:
            case PollClient(client):
                runner = self._runner_of(client)
                if runner.session is not None:
                    return f"{client} is running"
                runner.poll()
                return f"{client} runs now"
            case PollAll():
                for runner in runners:
                    if runner.session is None:
                        runner.poll()
                return "all clients run now"
            case PauseClient(client):
                self._runner_of(client).pause()
                return f"{client} is paused"
            case PauseAll():
                for runner in runners:
                    runner.pause()
                return "all clients are paused"
            case ResumeClient(client):
                self._runner_of(client).resume()
                return f"{client} continues"
            case ResumeAll():
                for runner in runners:
                    runner.resume()
                return "all clients continue"
            case StopSession(client):
                stopped = self._runner_of(client).stop_session()
                return f"the session of {client} ends" if stopped else f"{client} has no session"
            case StopAll():
                return f"{plural(sum([runner.stop_session() for runner in runners]), 'session')} stopped"
            case Reload():
                return self._start_reload()
            case Shutdown():
                self._stopped_by_command = True
                self._preparing.cancel()  # a hung disk must not delay the end
                self._finishing.cancel()
                self.stopping.set()
                return "ending"

    async def ask(self, query: Query) -> Answer:
        """Return the answer to a query. Raises ValueError with the reason if there is none."""
        if self._clients is None:
            raise ValueError("the program is starting; try again")
        try:
            return await self._answer(query)
        except ValueError:
            raise
        except Exception as defect:  # it must end neither the sessions nor the control socket
            raise ValueError(f"internal error: {type(defect).__name__}: {defect}") from defect

    async def _answer(self, query: Query) -> Answer:
        match query:
            case ReadStatistics(client):
                return await self._history.statistics(self._journal, client)
            case ListWaiting(client):
                return await self._runner_of(client).visit(lambda visit: visit.waiting())
            case PreviewMessage(client, message):
                return await self._runner_of(client).visit(lambda visit: visit.preview(message))
            case DeleteMessages(client, messages):
                return await self._runner_of(client).visit(lambda visit: visit.delete(messages))
            case SkipMessages(client, messages):
                return await self._runner_of(client).visit(lambda visit: visit.skip(messages))
            case FetchMessages(client, messages):
                return await self._runner_of(client).fetch(messages)

    def ask_soon(self, query: Query, answered: Callable[[Answer | ValueError], object]) -> None:
        """Begin ask(); `answered` is called with the answer, or the error, in the engine's thread."""

        async def answer() -> None:
            try:
                answered(await self.ask(query))
            except ValueError as problem:
                answered(problem)
            except trio.Cancelled:
                answered(ValueError("the program is ending"))
                raise

        if self._clients is None or self.stopping.is_set():
            answered(ValueError("the program is ending" if self._clients else "the program is starting; try again"))
        else:
            self._clients.start_soon(answer)

    def _runner_of(self, client: str) -> ClientRunner:
        try:
            return self._runners[client]
        except KeyError:
            if client in self.settings.disabled:
                raise ValueError(f"client '{client}' is disabled in the configuration") from None
            raise ValueError(f"there is no client '{client}'") from None

    def _start_reload(self) -> str:
        if self.stopping.is_set():
            raise ValueError("the program is ending")
        if self._reloader is None or self._clients is None:
            raise ValueError("reloading is not possible now; try again when the program has started")
        self._reload_again = self._reloading  # the file may have changed since it was read
        if not self._reloading:
            self._reloading = True
            self._clients.start_soon(self._reload, self._reloader, self._clients)
        return "the configuration is read again"

    async def _reload(self, reloader: Loader, clients: trio.Nursery) -> None:
        """Apply a new configuration, or keep the old one if there is any problem."""
        self.bus.publish(ReloadStarted())
        try:
            settings = await trio.to_thread.run_sync(reloader)
        except ConfigurationError as problem:
            self.bus.publish(ConfigurationRejected(tuple(str(problem).splitlines())))
        except Exception as defect:  # noqa: BLE001 - it must not end the sessions
            self.bus.publish(ConfigurationRejected((f"internal error: {type(defect).__name__}: {defect}",)))
        else:
            if not self.stopping.is_set():
                self._apply_settings(settings, clients)
        finally:
            self._reloading = False
        if self._reload_again and not self.stopping.is_set():
            self._start_reload()

    def _apply_settings(self, settings: Settings, clients: trio.Nursery) -> None:
        old, self.settings = self.settings, settings
        if settings.journal != old.journal:
            self.note(Level.WARNING, f"the journal stays {old.journal} until the program is started again")
        if settings.control_socket != old.control_socket:
            self.note(
                Level.WARNING, f"the control socket stays {old.control_socket} until the program is started again"
            )
        self.connections.contexts.clear()  # certificates may have been renewed
        self._log_files.apply(settings)
        self._services.slots.limits = settings.concurrency
        self._services.context = replace(
            self._services.context,
            paths=settings.paths,
            timeout=settings.timeout,
            withheld=settings.password_variables,
        )
        wanted = {client.id: client for client in settings.clients}
        known = {runner.settings.id: runner.settings for runner in self._runners.values()}
        removed = tuple(each for each in known if each not in wanted)
        added = tuple(each for each in wanted if each not in known)
        changed = tuple(each for each in wanted if each in known and wanted[each] != known[each])
        self._retired = [runner for runner in self._retired if runner.session is not None]
        for each in removed:
            runner = self._runners.pop(each)
            runner.retire()
            self._retired.append(runner)
        now = self.clock.boottime()
        for each in changed:
            self._runners[each].change(wanted[each], now)
        for each in added:
            self._runners[each] = runner = ClientRunner(wanted[each], self._services, now)
            clients.start_soon(runner.run)
        self._runners = {each: self._runners[each] for each in wanted}
        self._publish_clients()
        if standings := self.standings.of(added):
            self.bus.publish(StandingsRead(standings))
        self.bus.publish(ConfigurationReloaded(added, removed, changed))
        if self._runners:  # without clients, wait for the next reload
            self._check_done()

    def close_logs(self) -> None:
        """Flush and close the logs, if the program has to end without waiting for run()."""
        self._log_files.close()

    def _publish_clients(self) -> None:
        timeout = self.settings.timeout
        infos = [client_info(runner.settings, timeout) for runner in self._runners.values()]
        infos += [disabled_info(each) for each in self.settings.disabled]
        self.bus.publish(ClientsChanged(tuple(self._runners), tuple(infos)))

    # --- facts --------------------------------------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> None:
        """Subscribe to the engine's facts."""
        self.bus.subscribe(subscriber)

    def note(self, level: Level, text: str, client: str | None = None) -> None:
        """Write a line to the trace log, if it is about a client with its id."""
        self.bus.publish(Noted(self.clock.now(), level, client, text))

    def _note_defect(self, problem: BaseException) -> None:
        """Log the exception that ends the program, except a PopretrError. Its text may be private and is not logged."""
        while isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
        if not isinstance(problem, PopretrError):
            import traceback

            place = traceback.extract_tb(problem.__traceback__)[-1]
            where = f"{os.path.basename(place.filename)}, line {place.lineno}"
            self.note(Level.ERROR, f"internal error: {type(problem).__name__} in {where}; the program ends")

    def _report_from_thread(self, text: str) -> None:
        """Log an error of a log file, from any thread; never from within a write."""
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(partial(self.note, Level.ERROR, text))

    # --- history ------------------------------------------------------------------------------------------------------

    async def history(self, client: str, limit: int) -> list[PastSession]:
        """Return a client's latest sessions from the journal, oldest first. Raises ValueError if it cannot be read."""
        return await self._history.of_client(self._journal, client, limit)

    async def _read_standings(self, journal: JournalThread) -> None:
        with contextlib.suppress(JournalError):  # not essential; sessions report errors of the journal
            await journal.run(self.standings.load)
