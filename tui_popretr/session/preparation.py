"""What a session does on a connection before the first RETR: login, listing, plan, check of the destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tui_popretr.bus import Bus
from tui_popretr.commands import MessageKey
from tui_popretr.config.model import ClientSettings
from tui_popretr.errors import DeliveryFailed, PasswordUnavailable, PopretrError
from tui_popretr.facts import SessionAdvanced, SessionId, Stage
from tui_popretr.logs.lines import message_name
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.breaks import ConnectionBrokeError, Reconnections
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.exploration import Exploration
from tui_popretr.session.headers import CHANGED, GONE, find, read_headers
from tui_popretr.session.maildrop import MaildropJournal
from tui_popretr.session.plan import Fetch, Listed, Plan, Policy, Verify
from tui_popretr.session.report import SessionReport
from tui_popretr.session.retrieval import Retrieval
from tui_popretr.session.storage import Storage


@dataclass(frozen=True, slots=True)
class Prepared:
    """A connection that is ready for retrieval.

    `separate_deletions`: deletions that need a connection of their own. `destination_error`: why nothing can be stored,
    so that the plan has only deletions.
    """

    retrieval: Retrieval
    policy: Policy
    separate_deletions: list[Verify]
    destination_error: PopretrError | None


class Preparation:
    """Prepares the connections of one session."""

    def __init__(
        self,
        session: SessionId,
        client: ClientSettings,
        bus: Bus,
        journal: MaildropJournal,
        report: SessionReport,
        reconnections: Reconnections,
        wanted: Sequence[MessageKey] = (),
    ) -> None:
        """`wanted`: retrieve just these messages, whatever the rules say."""
        self._session = session
        self._client = client
        self._bus = bus
        self._journal = journal
        self._report = report
        self._reconnections = reconnections
        self._wanted = wanted
        #: Whether a login succeeded.
        self.logged_in = False
        #: LOGIN-DELAY of the server in seconds (RFC 2449 §6.5); None: unknown.
        self.login_delay: int | None = None

    async def prepare(
        self, exploration: Exploration, storage: Storage, maildrop: int, only: Verify | None = None
    ) -> Prepared:
        """Log in, list, plan; with `only`, plan just this deletion. Raises ConnectionBrokeError and PopretrError."""
        try:
            return await self._prepare(exploration, storage, maildrop, only)
        except PopretrError as problem:
            if exploration.cause is None:
                raise
            raise ConnectionBrokeError(problem, exploration.cause) from problem

    async def _prepare(
        self, exploration: Exploration, storage: Storage, maildrop: int, only: Verify | None
    ) -> Prepared:
        connection, found = await exploration.log_in(), exploration.found
        self.logged_in = True
        if found.capabilities is not None:
            self._apply_capabilities(found.capabilities)
        reason = found.no_deletion_reason
        policy = Policy.of(self._client.retention, keep_all=bool(reason))
        if self._wanted:
            policy = replace(policy, max_size=None, max_messages=None)
        if reason:
            self._report.warn(f"nothing is deleted in this session: {reason}")
        self._bus.publish(SessionAdvanced(self._session, Stage.LISTING))
        listing = await exploration.list_maildrop()
        plan = await self._journal.plan(maildrop, listing, policy, self._reconnections.last)
        if only is not None:
            plan = plan.only(only)
        elif self._wanted:
            plan = plan.for_user(await self._find_wanted(connection, listing, exploration), self._report.delivered_now)
        destination_error = await self._check_destination(plan, storage)
        if only is None:
            self._report.planned(plan, listing, found.octets)
        remote_ip = connection.stream.remote_ip
        retrieval = Retrieval(
            connection,
            plan,
            storage.delivery(maildrop, self._journal, policy, remote_ip=remote_ip, utf8=found.utf8),
            self._report,
            pipelining=exploration.pipelined,
            deletions_last=self._reconnections.deletions_last,
        )
        return Prepared(retrieval, policy, plan.separate_deletions, destination_error)

    async def _find_wanted(
        self, connection: Pop3Connection, listing: Sequence[Listed], exploration: Exploration
    ) -> list[Listed]:
        """Return the messages that the user named, if they are still the same; warn of the others."""
        found = find(listing, self._wanted)
        known = [listed for key, listed in found.items() if key.digest]
        headers = await read_headers(connection, known, pipelining=exploration.pipelined)
        wanted: list[Listed] = []
        for key in self._wanted:
            listed = found.get(key)
            header = None if listed is None else headers.get(listed.number)  # None as well if TOP is refused
            if listed is None or (header is not None and header.digest != key.digest):
                name = message_name(key.number, key.uid, key.size)
                self._report.warn(f"{name} is not retrieved: {GONE if listed is None else CHANGED}")
            else:
                wanted.append(listed)
        return list(dict.fromkeys(wanted))

    def _apply_capabilities(self, capabilities: Capabilities) -> None:
        """Apply the limits that the server announces (RFC 2449 §6.5, §6.7)."""
        self.login_delay = capabilities.login_delay or 0
        if capabilities.expire == 0 and self._client.retention.preserve:
            self._report.warn("the server says EXPIRE 0: it deletes what was retrieved, in spite of preserve")

    async def _check_destination(self, plan: Plan, storage: Storage) -> PopretrError | None:
        """If it is clear in advance that nothing can be stored, leave only the deletions in the plan."""
        if not plan.fetches:
            return storage.unanswered
        octets = min(each.listed.size for each in plan.fetches)
        try:
            await storage.make_ready(octets)
        except (DeliveryFailed, PasswordUnavailable) as problem:
            too_large = isinstance(problem, DeliveryFailed) and problem.refused_for_good
            if too_large and storage.saves_rejected:
                plan.work = list(filter(None, (self._save_too_large(each, problem) for each in plan.work)))
                return None
            plan.work = [each for each in plan.work if not isinstance(each, Fetch)]
            return problem
        return None

    def _save_too_large(self, job: Fetch | Verify, problem: PopretrError) -> Fetch | Verify | None:
        """Return the job that saves a message that is too large for the destination; None if it is not saved yet."""
        if isinstance(job, Verify):
            return job
        saving = job.to_save(str(problem))
        if saving is None:
            self._report.failed(job.listed, problem, count=True, rejected=True)
        return saving
