"""Delivery into a Gmail account: one message at a time, over one connection for all messages of a session.

A message is one request (users.messages.import). Its end is the last line of the multipart body: without it the server
does not have as many octets as the request announces.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from tui_popretr import faultpoints
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import GmailDestination
from tui_popretr.delivery.errors import starting_threads
from tui_popretr.delivery.gmail.api import (
    PROFILE_PATH,
    NotUnderstood,
    found_ids,
    identifier_of,
    import_path,
    is_message,
    is_searchable,
    message_path,
    multipart,
    search_path,
)
from tui_popretr.delivery.gmail.client import TIMEOUT, GmailClient
from tui_popretr.delivery.gmail.labels import label_ids, list_labels, missing
from tui_popretr.delivery.gmail.marks import Mark
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import (
    Absent,
    Answer,
    Arrived,
    AskOtherTokens,
    AskTokens,
    BeforeEnd,
    Following,
    Say,
    Unknown,
    nothing_follows,
)
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.threads import check_spool, next_piece
from tui_popretr.errors import DeliveryFailed, GmailAnswerUnclear, GmailInDoubt, GmailTemporaryFailure
from tui_popretr.facts import Direction
from tui_popretr.faultpoints import Step
from tui_popretr.mail.line_ends import CrlfConverter
from tui_popretr.net.exchange import Body, SendPiece
from tui_popretr.net.http import Dial, dial_tcp
from tui_popretr.text import visible
from tui_popretr.wording import duration, plural

if TYPE_CHECKING:
    from tui_popretr.net.tls import TlsContexts

#: Seconds that close() waits for a call that is ending.
_CLOSE_TIMEOUT: Final = 1.0


class GmailSink:
    """The SearchableSink of a Gmail account, for one session. After close() no connection is opened."""

    eol = Eol.CRLF

    def __init__(
        self,
        destination: GmailDestination,
        *,
        spool: str,
        tokens: AskTokens,
        other_tokens: AskOtherTokens,
        said: Say = lambda *_: None,
        contexts: TlsContexts | None = None,
        timeout: float = TIMEOUT,
        now: Callable[[], float] = time.time,
        dial: Dial = dial_tcp,
    ) -> None:
        """`spool`: the folder for messages too large for memory; `now` returns epoch seconds.

        `tokens` is called for each request, `other_tokens` after Google has refused a token.
        """
        account = destination.account.casefold()
        self.key = f"gmail:{account}"
        self.lane = f"{self.key}#{os.urandom(8).hex()}"
        self._destination = destination
        self._spool = spool
        self._now = now
        self._client = GmailClient(
            destination,
            tokens,
            other_tokens,
            said,
            contexts=contexts,
            timeout=timeout,
            dial=dial,
        )
        self._turn = trio.Lock()  # one call at a time
        self._labels: Sequence[str] | None = None
        self._marks: dict[int, str] = {}  # by the id of the record
        self._unanswered: DeliveryFailed | None = None
        self._closed = False

    def open(self, record_id: int) -> OutgoingMessage:
        return OutgoingMessage(
            record_id, f"Account={self._destination.account}", Spool(self._spool), converter=CrlfConverter()
        )

    async def prepare(self, octets: int) -> None:
        """Check the token, whose it is, and the labels, before a message is retrieved.

        Raises the error of find(): while the search fails, nothing is imported.
        """
        async with self._own_turn():
            await check_spool(self._spool, octets)
            if self._unanswered is not None:
                raise self._unanswered
            await self._find_labels()

    async def send(
        self,
        message: OutgoingMessage,
        before_end: BeforeEnd,
        following: Following = nothing_follows,  # noqa: ARG002 - each message is a request of its own
    ) -> str:
        async with self._own_turn():
            labels = await self._find_labels()
            mark = self._marks.pop(message.record_id, None)
            with starting_threads(GmailTemporaryFailure, "cannot send to Gmail"):
                try:
                    identifier = await self._import(message, labels, before_end)
                except (GmailInDoubt, trio.Cancelled) as problem:
                    if mark is not None:
                        self._client.memory.cuts[mark] = self._now()
                    elif isinstance(problem, GmailInDoubt):
                        problem.advice = "Gmail cannot be asked for it: it is sent again, and may then be there twice"
                    raise
            if message.message_id is not None:
                self._client.memory.add(message.message_id, identifier)
        return f"; Gmail={identifier}"

    async def close(self) -> None:
        self._closed = True
        with trio.move_on_after(_CLOSE_TIMEOUT, shield=True):  # a call that is still running closes the connection
            async with self._turn:
                self._client.close()

    async def look(self) -> Sequence[tuple[str, str]]:
        """Return whose account it is, and what there is of its labels; with `verify`, what it has."""
        client, destination = self._client, self._destination
        async with self._own_turn():
            known = await list_labels(client)
            found = [("Gmail", destination.account)]
            if destination.labels:
                new = missing(destination.labels, known)
                made = f"; made at the first message: {', '.join(new)}" if new else ""
                there = ", ".join(each for each in destination.labels if each not in new) or "none"
                found.append(("labels", f"{there}{made}"))
            if destination.verify:
                profile = await client.get(PROFILE_PATH, "read the profile of the account")
                if isinstance(total := profile.get("messagesTotal"), int):
                    found[0] = ("Gmail", f"{destination.account}, {plural(total, 'message')}")
            return found

    # --- messages in doubt --------------------------------------------------------------------------------------------

    async def mark(self, messages: Sequence[OutgoingMessage]) -> Sequence[str | None]:
        return [self._mark(message) for message in messages]

    async def find(self, marks: Sequence[str]) -> Sequence[Answer]:
        """Ask for messages in doubt. The search lags behind, so Gmail is asked SEARCH_DELAY after a cut."""
        async with self._own_turn():
            self._unanswered = None
            claimed: set[str] = set()
            try:
                return [await self._find(text, claimed) for text in marks]
            except DeliveryFailed as problem:
                self._unanswered = problem
                raise

    def _mark(self, message: OutgoingMessage) -> str | None:
        message_id = message.message_id
        if not self._destination.verify or message_id is None or not is_searchable(message_id):
            return None
        others = self._client.memory.imported(message_id)
        mark = str(Mark(message_id, message.content.octets, int(self._now()), others))
        self._marks[message.record_id] = mark
        return mark

    async def _find(self, text: str, claimed: set[str]) -> Answer:
        mark = Mark.read(text)
        if mark is None:
            return Absent("what is recorded of it cannot be read")
        if not self._destination.verify:
            return Absent("<verify> is off")
        if wait := mark.wait(self._now(), self._client.memory.cuts.get(text, 0.0)):
            return Unknown(
                GmailTemporaryFailure(
                    f"Gmail's search may not have the message yet; it is asked in {duration(max(1.0, wait))}"
                )
            )
        identifier = await self._search(mark, claimed)
        self._client.memory.cuts.pop(text, None)
        if identifier is None:
            return Absent()
        claimed.add(identifier)
        self._client.memory.add(mark.message_id, identifier)
        return Arrived(f"; Gmail={identifier}")

    async def _search(self, mark: Mark, claimed: set[str]) -> str | None:
        """Return the id in Gmail of a message in doubt, None if Gmail does not have it. Raises DeliveryFailed."""
        what, client = "search for a message that may have arrived", self._client
        others = {*claimed, *mark.others, *client.memory.imported(mark.message_id)}
        try:
            for identifier in found_ids(await client.get(search_path(mark.message_id), what)):
                if identifier in others:
                    continue
                if is_message(await client.get(message_path(identifier), what), mark.message_id, mark.octets):
                    return identifier
        except NotUnderstood as problem:
            raise client.unclear(problem, what) from None
        return None

    # --- inside -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _own_turn(self) -> AsyncIterator[None]:
        """One call at a time; none after close()."""
        async with self._turn:
            self._check_open()
            try:
                yield
            finally:
                if self._closed:
                    self._client.close()

    async def _find_labels(self) -> Sequence[str]:
        if self._labels is None:
            self._labels = await label_ids(self._client, self._destination)
        return self._labels

    async def _import(self, message: OutgoingMessage, labels: Sequence[str], before_end: BeforeEnd) -> str:
        """Import a message; return its id in Gmail."""
        client, content = self._client, message.content
        form = multipart(labels, secrets.token_hex(24))
        octets = len(form.before) + content.octets + len(form.after)
        durable = False

        async def write(send: SendPiece) -> None:
            nonlocal durable
            held, pieces = form.before, content.pieces()
            while piece := (await next_piece(pieces) if content.in_file else next(pieces, b"")):
                await send(held + piece)
                held = b""
            if not durable:  # else the connection was lost before the end, or the token was renewed
                await before_end()
                durable = True
            self._check_open()
            await send(held + form.after)
            faultpoints.reached(Step.IMPORT_SENT)

        fields = await client.send_message(import_path(self._destination), form.content_type, Body(octets, write))
        faultpoints.reached(Step.IMPORT_ANSWERED)
        try:
            identifier = identifier_of(fields)
        except NotUnderstood as problem:
            raise GmailAnswerUnclear(f"Gmail may have imported a message: {problem}") from None
        given = fields.get("labelIds")
        names = " ".join(map(str, given)) if isinstance(given, list) else ""
        client.say(Direction.EVENT, f"imported as {identifier}{f': {visible(names, 200)}' if names else ''}")
        return identifier

    def _check_open(self) -> None:
        if self._closed:
            raise GmailTemporaryFailure("nothing more is sent to Gmail, because the session is ending")
