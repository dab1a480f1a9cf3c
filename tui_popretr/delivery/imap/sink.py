"""Delivery to a folder of an IMAP server: one connection for all messages of a session, several messages at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import trio

from tui_popretr import faultpoints
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.errors import starting_threads
from tui_popretr.delivery.imap.appending import Appending, check_size
from tui_popretr.delivery.imap.connection import FolderState, ImapConnection
from tui_popretr.delivery.imap.marks import Mark, Position
from tui_popretr.delivery.imap.message import ImapMessage
from tui_popretr.delivery.imap.opening import Opening, server_name
from tui_popretr.delivery.imap.searching import find
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import (
    ALONE,
    Answer,
    AskOther,
    AskPassword,
    BeforeEnd,
    Following,
    Group,
    Say,
    no_password,
    nothing_follows,
)
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.threads import check_spool
from tui_popretr.errors import DeliveryFailed, ImapFolderMissing, ImapFolderUnusable, ImapTemporaryFailure, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.hosts import IMAP_PORT, IMAPS_PORT
from tui_popretr.net.tls import TlsContexts
from tui_popretr.text import visible
from tui_popretr.wording import plural

#: Messages that are sent together, at most.
GROUP: Final = Group(32, 4 * 1024 * 1024)
#: Seconds without a command after which the server is asked whether it still answers.
IDLE: Final = 20.0
#: Seconds for the end of the connection.
CLOSE_TIMEOUT: Final = 1.0


class ImapSink:
    """The GroupSink of a folder of an IMAP server, for one session.

    The key has port 143 for 993, so that a move to TLS does not change it.

    After close() no connection is opened.
    """

    eol = Eol.CRLF

    def __init__(
        self,
        destination: ImapDestination,
        *,
        spool: str,
        password: AskPassword = no_password,
        said: Say = lambda *_: None,
        contexts: TlsContexts | None = None,
        other_password: AskOther | None = None,
        own_received: bool = True,
    ) -> None:
        """`spool` is the folder for messages too large for memory; `own_received`: messages begin with our Received."""
        folder = destination.folder
        port = IMAP_PORT if destination.port == IMAPS_PORT else destination.port
        account = f"{destination.host.lower()}:{port}/{destination.username or ''}"
        self.key = f"imap:{account}/{'INBOX' if folder.upper() == 'INBOX' else folder}"
        self.lane = f"{self.key}#{os.urandom(8).hex()}"
        self._name = server_name(destination)
        self._destination = destination
        self._spool = spool
        self._own_received = own_received
        self._opening = Opening(destination, said, password, contexts, other_password)
        self._turn = trio.Lock()  # one call at a time
        self._connection: ImapConnection | None = None
        self._used = 0.0  # when the connection was used last
        self._position = Position()
        self._closed = False

    def open(self, record_id: int) -> OutgoingMessage:
        folder = visible(self._destination.folder, 4096).replace(";", "\\x3b")
        return ImapMessage(record_id, f"IMAP={folder}", Spool(self._spool), own_received=self._own_received)

    async def prepare(self, octets: int) -> None:
        """Connect, log in, and look at the folder, so that no message is retrieved that cannot be appended."""
        async with self._turn:
            await check_spool(self._spool, octets)
            try:
                self._position.forget()
                connection = await self._ready()
                check_size(self._name, connection.capabilities, octets)
            finally:
                self._tidy()

    @property
    def group(self) -> Group:
        if self._connection is None or not self._position.searchable:
            return ALONE
        capabilities = self._connection.capabilities
        return GROUP if capabilities.multiappend or capabilities.literal_limit != 0 else ALONE

    async def mark(self, messages: Sequence[OutgoingMessage]) -> Sequence[str | None]:
        async with self._turn:
            try:
                await self._ready()
            finally:
                self._tidy()
            marks = (self._mark(message) for message in messages)
            return [None if mark is None else mark.text() for mark in marks]

    async def send(
        self,
        message: OutgoingMessage,
        before_end: BeforeEnd,
        following: Following = nothing_follows,  # noqa: ARG002 - send_group() takes several
    ) -> str:
        (outcome,) = await self.send_group([message], before_end)
        if isinstance(outcome, PopretrError):
            raise outcome
        return outcome

    async def send_group(
        self, messages: Sequence[OutgoingMessage], before_end: BeforeEnd
    ) -> Sequence[str | PopretrError]:
        async with self._turn:
            validity = self._position.validity if self._position.known else None
            appending = Appending(self._destination, [_imap(message) for message in messages], before_end)
            try:
                with starting_threads(ImapTemporaryFailure, f"cannot send to {self._name}"):
                    await self._append(appending, validity)
            except DeliveryFailed as problem:
                appending.fail(problem)
            finally:
                self._position.appended(appending.places)
                self._tidy()
            return appending.outcomes()

    async def find(self, marks: Sequence[str]) -> Sequence[Answer]:
        async with self._turn:
            try:
                self._position.forget()
                connection = await self._connected()
                return await find(connection, self._destination, [_read(each) for each in marks])
            finally:
                self._tidy()

    async def look(self) -> Sequence[tuple[str, str]]:
        destination = self._destination
        async with self._turn:
            try:
                connection = await self._connected()
                state = await self._look_at_folder(connection)
                folder = visible(destination.folder, 256)
                separator = await connection.separator() if state is None else None
                rows = [
                    ("IMAP login", f"{self._name.removeprefix('the IMAP server ')} as {destination.username or ''}"),
                    (
                        "IMAP folder",
                        f"{folder} does not exist; it is made with the first message{_separated_by(separator)}"
                        if state is None
                        else f"{folder}, {plural(state.messages, 'message')}",
                    ),
                ]
                if destination.labels:
                    rows.append(("IMAP labels", " | ".join(destination.labels)))
                return [*rows, ("IMAP offers", connection.capabilities.shown)]
            finally:
                self._tidy()

    async def close(self) -> None:
        self._closed = True
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True):  # a call that is running closes the connection itself
            async with self._turn:
                connection, self._connection = self._connection, None
                if connection is not None:
                    await connection.logout()

    # --- the connection -----------------------------------------------------------------------------------------------

    async def _connected(self) -> ImapConnection:
        """Return the connection, or a new one if it is lost. Raises DeliveryFailed, PasswordUnavailable."""
        connection = self._connection
        recent = trio.current_time() - self._used < IDLE
        if connection is not None and connection.usable and (recent or await connection.is_alive()):
            return connection
        self._drop()
        if self._closed:
            raise ImapTemporaryFailure(f"nothing more is sent to {self._name}, because the session is ending")
        self._position.forget()
        self._connection = connection = await self._opening.open()
        self._used = trio.current_time()
        if self._destination.labels and not connection.capabilities.gmail:
            raise ImapFolderUnusable(
                f"{self._name} has no labels (X-GM-EXT-1)", advice="remove <labels>: only Gmail has them"
            )
        return connection

    async def _ready(self) -> ImapConnection:
        """Return the connection, when the position in the folder is known."""
        connection = await self._connected()
        if not self._position.known:
            self._position.set(await self._look_at_folder(connection))
        return connection

    async def _look_at_folder(self, connection: ImapConnection) -> FolderState | None:
        """Return the state of the folder; None if it does not exist, and is made when the first message is appended."""
        folder = self._destination.folder
        try:
            return await connection.status(folder)
        except ImapFolderUnusable as problem:
            # A server without response codes does not say whether the folder exists.
            if not isinstance(problem, ImapFolderMissing) and await connection.is_listed(folder):
                raise
            if not self._destination.create:
                raise
        return None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tidy(self) -> None:
        """Close a connection that cannot be used any more."""
        self._used = trio.current_time()
        if self._connection is not None and (self._closed or not self._connection.usable):
            self._drop()

    # --- messages -----------------------------------------------------------------------------------------------------

    def _mark(self, message: OutgoingMessage) -> Mark | None:
        return self._position.mark(self._destination.folder, message.content.octets, message.message_id)

    async def _append(self, appending: Appending, validity: int | None) -> None:
        """Append messages, over more than one connection if necessary. `validity`: UIDVALIDITY of their marks."""
        made = False
        for _ in range(appending.attempts):
            reused = self._connection is not None and self._connection.served > 0
            connection = await self._ready()
            if validity is not None and validity != self._position.validity:
                raise ImapTemporaryFailure(
                    f"the folder {appending.folder} of {self._name} was made again (UIDVALIDITY)"
                )
            try:
                await appending.run(connection)
            except DeliveryFailed:
                if not (reused and connection.lost and appending.untouched):
                    raise
                self._drop()  # the server had closed an idle connection
                continue
            if self._destination.create and not made and appending.lacks_folder(known=self._position.missing):
                made = True
                await self._make_folder()
            if not appending.is_due:
                break
        await appending.label(connection)

    async def _make_folder(self) -> None:
        connection = await self._connected()
        await connection.create(self._destination.folder)
        await connection.subscribe(self._destination.folder)
        faultpoints.reached(Step.FOLDER_MADE)


def _read(text: str) -> Mark | None:
    """Return a recorded mark; None if it is that of another version."""
    try:
        return Mark.read(text)
    except ValueError:
        return None


def _separated_by(separator: str | None) -> str:
    return f" (sub-folders are separated by {visible(separator)!r})" if separator else ""


def _imap(message: OutgoingMessage) -> ImapMessage:
    assert isinstance(message, ImapMessage)
    return message
