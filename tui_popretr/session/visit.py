"""A visit: a connection to a maildrop at the user's request, that looks at messages or deletes those that were named.

A visit retrieves nothing. It deletes a message only if UID and header are still those of the list that the user saw:
`TOP n 0` shows the header right before DELE, on the same connection. A server that refuses TOP deletes nothing. QUIT is
sent only after a DELE for each of them or a refusal; if the connection breaks before, the server deletes nothing
(RFC 1939 §6). The caller has the slot of the maildrop, so that no session of the client runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from tui_popretr.answers import Done, Preview, WaitingMail, WaitingMessage, WaitingReason
from tui_popretr.bus import Bus
from tui_popretr.commands import MessageKey
from tui_popretr.config.model import ClientSettings
from tui_popretr.delivery.sinks import sink_for
from tui_popretr.errors import CommandRefused, JournalError, PopretrError
from tui_popretr.facts import Dialogue, Fact, Level, Noted, SessionAdvanced
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop, MaildropClock, MessageFailure, Record
from tui_popretr.journal.thread import JournalThread
from tui_popretr.logs.lines import message_name
from tui_popretr.pop3 import Dele, Quit, Reply
from tui_popretr.session.capa import CapaHistories, CapaMemory
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.exploration import Exploration
from tui_popretr.session.headers import AT_ONCE, CHANGED, GONE, Header, find, read_headers
from tui_popretr.session.pipelining import Pipelining, PipeliningHistory
from tui_popretr.session.plan import Listed, Policy
from tui_popretr.session.setup import ConnectionSetup
from tui_popretr.session.waiting import waiting_reasons
from tui_popretr.text import visible

#: Messages whose headers are asked for, at most: the latest.
MOST = 500
#: Lines of a preview after the header.
PREVIEW_LINES = 40
#: Why an action leaves a message as it is.
UNFINISHED = "its delivery is not finished; the next session finishes it"
_WITHOUT_UID = "the server gives no usable UIDs, without which it cannot be known again"
#: Characters of the texts of a listed message.
_CHARACTERS = 160
#: Seconds for the answer to QUIT of a visit that deletes nothing.
_QUIT_TIMEOUT = 5.0
UNCERTAIN = "list the mail again, which shows whether it was deleted"


class Visit:
    """One visit. All methods raise PopretrError; close() closes the connection."""

    def __init__(
        self, client: ClientSettings, setup: ConnectionSetup, exploration: Exploration, journal: JournalThread
    ) -> None:
        self._client = client
        self._setup = setup
        self._clock = setup.clock
        self._exploration = exploration
        self._journal = journal
        #: Whether QUIT was sent after DELE, and is not answered: the server may have deleted.
        self.uncertain = False

    def close(self) -> None:
        """Close the connection at once."""
        self._exploration.close()

    # --- looking ------------------------------------------------------------------------------------------------------

    async def waiting(self) -> WaitingMail:
        """Return what is on the server, and why."""
        connection, listing = await self._open()
        latest = sorted(listing, key=lambda each: -each.number)[:MOST]
        headers = await self._headers(connection, latest)
        await self._exploration.leave(_QUIT_TIMEOUT)
        reasons = await self._reasons(latest)
        remarks = []
        if len(listing) > len(latest):
            remarks.append(f"the latest {len(latest):,} of {len(listing):,} are shown")
        if latest and not headers:
            remarks.append("the server refuses TOP: headers are not known, and nothing can be previewed or deleted")
        return WaitingMail(
            self._client.id,
            self._clock.now(),
            len(listing),
            self._exploration.found.octets,
            tuple(_message(each, headers.get(each.number), reasons[each.number]) for each in latest),
            "; ".join(remarks),
        )

    async def preview(self, key: MessageKey) -> Preview:
        """Return the beginning of a message, if it is still the one that was listed."""
        connection, listing = await self._open()
        listed = find(listing, [key]).get(key)
        if listed is None:
            raise CommandRefused(GONE, advice="list the mail again")
        header = (await self._headers(connection, [listed], PREVIEW_LINES)).get(listed.number)
        await self._exploration.leave(_QUIT_TIMEOUT)
        if header is None:
            raise CommandRefused("the server refuses TOP: a message can only be seen by retrieving it", advice="")
        if key.digest not in ("", header.digest):
            raise CommandRefused(CHANGED, advice="list the mail again")
        text = header.beginning.decode("utf-8", "surrogateescape")
        cut = len(header.beginning) < max(header.octets, listed.size)
        return Preview(self._client.id, listed.number, text, cut)

    async def _open(self) -> tuple[Pop3Connection, list[Listed]]:
        connection = await self._exploration.log_in()
        return connection, await self._exploration.list_maildrop()

    async def _headers(self, connection: Pop3Connection, listed: Iterable[Listed], lines: int = 0) -> dict[int, Header]:
        return await read_headers(connection, list(listed), lines, pipelining=self._exploration.pipelined)

    async def _reasons(self, listing: list[Listed]) -> dict[int, tuple[WaitingReason, str]]:
        def read(journal: Journal) -> tuple[MaildropClock, list[Record], dict[str, MessageFailure]]:
            maildrop = journal.find_maildrop(self._key)
            if maildrop is None:
                return MaildropClock(), [], {}
            uids = [each.uid for each in listing if each.uid is not None]
            return journal.maildrop_clock(maildrop), journal.records_of(maildrop, uids), journal.failures(maildrop)

        before, records, failures = await self._journal.run(read)
        now = self._clock.now().timestamp()
        clock = before.advanced(self._clock.boot(), self._clock.boottime(), now).seconds
        policy = replace(Policy.of(self._client.retention), max_messages=None)
        return waiting_reasons(listing, records, failures, policy, now, clock)

    @property
    def _key(self) -> Maildrop:
        server = self._client.server
        return Maildrop.of(server.host, server.port, server.account, sink_for(self._client, self._journal.id).key)

    # --- changing -----------------------------------------------------------------------------------------------------

    async def delete(self, keys: Sequence[MessageKey]) -> Done:
        """Delete these messages, each only if it is still the one that was listed."""
        connection, listing = await self._open()
        unfinished = await self.unfinished()
        outcomes: dict[MessageKey, str] = {}
        found = find(listing, keys)
        for key in keys:
            if key not in found:
                outcomes[key] = GONE
            elif key.uid in unfinished:
                outcomes[key] = UNFINISHED
            elif not key.digest:
                outcomes[key] = "its header is not known, and without it nothing is deleted"
        found = {key: listed for key, listed in found.items() if key not in outcomes}
        headers = await self._headers(connection, found.values())
        fitting: dict[MessageKey, Listed] = {}
        for key, listed in found.items():
            header = headers.get(listed.number)
            if header is None:
                outcomes[key] = "the server refuses TOP, and without it nothing is deleted"
            elif header.digest != key.digest:
                outcomes[key] = CHANGED
            else:
                fitting[key] = listed
        deleted = await self._mark(connection, fitting, outcomes)
        if deleted:
            await self._confirm(connection, deleted, headers)
        else:
            await self._exploration.leave(_QUIT_TIMEOUT)
        return outcome(keys, outcomes, "was deleted on the server")

    async def _mark(
        self, connection: Pop3Connection, fitting: dict[MessageKey, Listed], outcomes: dict[MessageKey, str]
    ) -> dict[MessageKey, Listed]:
        """Send DELE for each; return those that were accepted, and add the others to `outcomes`."""
        at_once = AT_ONCE if self._exploration.pipelined else 1
        waiting, accepted = list(fitting.items()), dict(fitting)
        for start in range(0, len(waiting), at_once):
            some = waiting[start : start + at_once]
            replies = await connection.call_all([Dele(listed.number) for _, listed in some])
            for (key, _), reply in zip(some, replies, strict=True):
                assert isinstance(reply, Reply)
                if not reply.ok:
                    outcomes[key] = f"the server refuses: {visible(reply.text, 200) or 'without a reason'}"
                    del accepted[key]
        return accepted

    async def _confirm(
        self, connection: Pop3Connection, deleted: dict[MessageKey, Listed], headers: Mapping[int, Header]
    ) -> None:
        """Send QUIT, at which the server deletes."""
        self.uncertain = True
        try:
            reply = await connection.call(Quit())
        except PopretrError as problem:
            problem.advice = UNCERTAIN
            raise
        self.uncertain = False
        assert isinstance(reply, Reply)
        if not reply.ok:
            text = visible(reply.text, 200) or "without a reason"
            raise CommandRefused(f"the server answered QUIT with an error: {text}", advice=UNCERTAIN)
        for listed in deleted.values():
            name = message_name(listed.number, listed.uid, listed.size)
            self._log(f"{name}{_headline(headers[listed.number])} was deleted on the server by you")
        uids = [each.uid for each in deleted.values() if each.uid is not None]
        now = int(self._clock.now().timestamp())
        with suppress(JournalError):  # the records are forgotten later
            await self._journal.run(lambda journal: journal.close_named(journal.maildrop(self._key), uids, now=now))

    async def skip(self, keys: Sequence[MessageKey]) -> Done:
        """Record that these messages are neither retrieved nor deleted. This needs no connection."""
        now = int(self._clock.now().timestamp())
        uids = [each.uid for each in keys if each.uid is not None]
        refused = await self._journal.run(lambda journal: journal.skip(journal.maildrop(self._key), uids, now=now))
        outcomes = {
            key: _WITHOUT_UID if key.uid is None else UNFINISHED
            for key in keys
            if key.uid is None or key.uid in refused
        }
        for key in keys:
            if key not in outcomes:
                self._log(f"{message_name(key.number, key.uid, key.size)} was skipped by you")
        return outcome(keys, outcomes, "is skipped from now on")

    async def unfinished(self) -> set[str | None]:
        """Return the UIDs of messages whose delivery is not finished."""

        def read(journal: Journal) -> set[str | None]:
            maildrop = journal.find_maildrop(self._key)
            return {record.uid for number, record in journal.delivering() if number == maildrop}

        return await self._journal.run(read) - {None}

    def _log(self, text: str) -> None:
        self._setup.bus.publish(Noted(self._clock.now(), Level.INFO, self._client.id, text))


def outcome(keys: Iterable[MessageKey], refusals: Mapping[MessageKey, str], success: str) -> Done:
    """Return what an action has done with each message."""
    texts = []
    for key in keys:
        name = message_name(key.number, key.uid, key.size)
        texts.append(f"{name}: {refusals[key]}" if key in refusals else f"{name} {success}")
    return Done(tuple(texts), len(refusals))


def _headline(header: Header) -> str:
    """Return what a log line says of a message besides its name: ` from ann@example.test, "Subject",`."""
    headline = header.hasher.headline
    sender = f" from {visible(headline.sender, _CHARACTERS)}" if headline.sender else ""
    return f'{sender}, "{visible(headline.subject, _CHARACTERS)}",' if headline.subject else sender


def _message(listed: Listed, header: Header | None, reason: tuple[WaitingReason, str]) -> WaitingMessage:
    if header is None:
        return WaitingMessage(listed.number, listed.uid, listed.size, *reason)
    identity, headline = header.hasher.header(), header.hasher.headline
    texts = (headline.sender, headline.name, headline.subject, identity.date)
    sender, name, subject, date = ((text or "")[:_CHARACTERS] for text in texts)
    return WaitingMessage(listed.number, listed.uid, listed.size, *reason, sender, name, subject, date, header.digest)


class _VisitBus(Bus):
    """Publishes what a visit shows, but not what would make it a session of the schedule."""

    def __init__(self, bus: Bus) -> None:
        super().__init__()
        self._bus = bus

    @property
    def wants_dialogue(self) -> bool:
        return self._bus.wants_dialogue

    def publish(self, fact: Fact) -> None:
        if not isinstance(fact, SessionAdvanced):
            self._bus.publish(fact)

    def publish_dialogue(self, dialogue: Dialogue) -> None:
        self._bus.publish_dialogue(dialogue)


def make_visit(
    setup: ConnectionSetup, journal: JournalThread, capa: CapaHistories, pipelining: PipeliningHistory
) -> Visit:
    """Return a visit of the maildrop of `setup`, which has its session id in the transcript."""
    client, clock = setup.client, setup.clock
    # A visit needs no UIDs, so it goes on where a session ends with an error.
    plain = replace(client, retention=replace(client.retention, new_only=False, delete_after=None))
    inner = replace(setup, client=plain, bus=_VisitBus(setup.bus))
    memory = CapaMemory(capa, journal, clock)
    exploration = Exploration(inner, memory, Pipelining(client.server, pipelining, journal, clock))
    return Visit(client, inner, exploration, journal)
