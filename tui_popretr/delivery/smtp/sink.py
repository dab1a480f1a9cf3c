"""Delivery to a mail server: one connection for all messages of a session, one message at a time."""

from __future__ import annotations

import os
from typing import Final

import trio

from tui_popretr.config.choices import Eol
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.errors import starting_threads
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import AskOther, AskPassword, BeforeEnd, Following, Say, no_password, nothing_follows
from tui_popretr.delivery.smtp.connection import QUIT_TIMEOUT, SmtpConnection
from tui_popretr.delivery.smtp.opening import Opening, server_name
from tui_popretr.delivery.smtp.pipelining import Pipelining
from tui_popretr.delivery.smtp.report import receipt_or_error
from tui_popretr.delivery.smtp.rounds import Envelope, Rounds
from tui_popretr.delivery.smtp.transaction import SmtpTransaction, check_size
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.threads import check_spool
from tui_popretr.errors import DeliveryFailed, SmtpProtocolError, SmtpTemporaryFailure
from tui_popretr.net.tls import TlsContexts
from tui_popretr.smtp import Noop, Reply, Rset, State

#: Ports of one server that lead to the same mailboxes (RFC 5321, RFC 6409, RFC 8314).
_MAIL_PORTS: Final = frozenset((25, 465, 587))


class SmtpSink:
    """The RemoteSink of a mail server, for one session.

    The key has the server and the recip, not the addresses of an alias with that name: an address that is added to the
    alias gets only new mail. The key has port 25 for 465 and 587, so that a move to TLS does not change it.

    After close() no connection is opened.
    """

    eol = Eol.CRLF

    def __init__(
        self,
        destination: SmtpDestination,
        *,
        recip: str,
        spool: str,
        client: str = "localhost",
        password: AskPassword = no_password,
        said: Say = lambda *_: None,
        contexts: TlsContexts | None = None,
        other_password: AskOther | None = None,
    ) -> None:
        """`spool` is the folder for messages too large for memory; `client` is the name of our host, for EHLO.

        `password` is called at most once, or for each connection with an access token; `other_password` after the
        server has refused a token.
        """
        port = 25 if destination.port in _MAIL_PORTS else destination.port
        where = destination.socket_path or f"{destination.host.lower()}:{port}"
        self.key = f"smtp:{where}/{recip.lower()}"
        self.lane = f"{self.key}#{os.urandom(8).hex()}"
        self._name = server_name(destination)
        self._destination = destination
        self._spool = spool
        self._opening = Opening(destination, client, said, password, contexts, other_password)
        self._turn = trio.Lock()  # one call at a time
        self._pipelining = Pipelining(where)
        self._connection: SmtpConnection | None = None
        #: The next message, begun with the end of the one before.
        self._begun: SmtpTransaction | None = None
        self._closed = False

    def open(self, record_id: int) -> OutgoingMessage:
        destination = self._destination
        return OutgoingMessage(
            record_id,
            f"SMTP=[{', '.join(destination.recipients)}]",
            Spool(self._spool),
            drop_delivered=destination.drop_delivered,
        )

    async def prepare(self, octets: int) -> None:
        """Connect and log in, so that no message is retrieved that cannot be sent."""
        async with self._turn:
            try:
                await check_spool(self._spool, octets)
                if self._connection is not None and not await self._is_alive(self._connection):
                    self._drop()
                connection = self._connection or await self._connect()
                check_size(self._name, connection.machine.extensions, octets)
            finally:
                self._tidy()

    async def send(
        self, message: OutgoingMessage, before_end: BeforeEnd, following: Following = nothing_follows
    ) -> str:
        envelope = self._envelope(message)
        await self._take_turn()
        try:
            if envelope.recipients:
                return await self._transfer(envelope, before_end, following)
            await before_end()
            return ""
        finally:
            self._tidy()
            self._turn.release()

    async def close(self) -> None:
        self._closed = True
        with trio.move_on_after(QUIT_TIMEOUT, shield=True):  # a call that is still running closes the connection itself
            async with self._turn:
                connection, self._connection, self._begun = self._connection, None, None
                if connection is not None:
                    await connection.quit()

    async def _take_turn(self) -> None:
        try:
            self._turn.acquire_nowait()  # nearly always, without a pass of the event loop
        except trio.WouldBlock:
            await self._turn.acquire()

    # --- the connection -----------------------------------------------------------------------------------------------

    async def _is_alive(self, connection: SmtpConnection) -> bool:
        if self._begun is not None:  # if it is not, send() notices it, and uses another connection
            return True
        try:
            return not _has_spoken(connection) and connection.usable and (await connection.ask(Noop())).ok
        except DeliveryFailed:
            return False

    async def _connect(self) -> SmtpConnection:
        if self._closed:
            raise SmtpTemporaryFailure(f"nothing more is sent to {self._name}, because the session is ending")
        with starting_threads(SmtpTemporaryFailure, f"cannot send to {self._name}"):
            self._connection = connection = await self._opening.open()
        return connection

    def _drop(self) -> None:
        connection, self._connection, self._begun = self._connection, None, None
        if connection is not None:
            connection.close()

    def _tidy(self) -> None:
        """Close a connection that cannot be used for another message, such as one in the middle of a message."""
        connection = self._connection
        if connection is not None:
            usable = connection.usable if self._begun is None else connection.working
            if self._closed or not usable:
                self._drop()

    # --- messages -----------------------------------------------------------------------------------------------------

    def _envelope(self, message: OutgoingMessage) -> Envelope:
        recipients = tuple(each for each in self._destination.recipients if each.lower() not in message.have_it)
        return Envelope(self._destination.sender, recipients, message.content, message.eight_bit)

    async def _transfer(self, envelope: Envelope, before_end: BeforeEnd, following: Following) -> str:
        """Send a message; return the receipt. Recipients without an answer get it in further transactions."""
        transaction = await self._offer(envelope)
        await before_end()
        if self._closed:
            raise self._ending()
        rounds = Rounds(envelope)
        try:
            rest = await self._end(transaction, rounds, following)
            try:
                while rest is not None:
                    self._tidy()
                    rest = await self._end(await self._offer(rest), rounds, following)
            except DeliveryFailed as failure:
                rounds.outcome.failure = failure
        except trio.Cancelled:
            if not rounds.outcome.accepted:
                raise
            if rounds.outcome.problem is None:
                rounds.outcome.failure = self._ending()
        return receipt_or_error(self._name, envelope, rounds)

    async def _end(self, transaction: SmtpTransaction, rounds: Rounds, following: Following) -> Envelope | None:
        """Send the end, and begin the next message; return what the next transaction of this message sends."""
        begun = self._begin_early(transaction, rounds, following)
        try:
            result = await transaction.end(begun.early if begun is not None else ())
        except trio.Cancelled:
            if transaction.ended:
                transaction.give_up(self._ending())
                rounds.next(transaction.result())
            raise
        if begun is None or result.outcome.problem is None:
            self._begun = begun
        else:
            self._pipelining.reduce_to_end_alone(transaction.connection)
        return rounds.next(result)

    def _begin_early(
        self, transaction: SmtpTransaction, rounds: Rounds, following: Following
    ) -> SmtpTransaction | None:
        """Return the next message's transaction, if it may be begun with the end of this one."""
        if self._pipelining.end_alone or not (transaction.open and transaction.pipelining):
            return None
        message = following() if rounds.is_last(transaction.result()) else None
        envelope = None if message is None else self._envelope(message)
        if envelope is None or not envelope.recipients:
            return None
        begun = self._transaction(transaction.connection, envelope)
        try:
            begun.begin_early()
        except DeliveryFailed:  # send() will raise it
            return None
        return begun

    def _ending(self) -> DeliveryFailed:
        return SmtpTemporaryFailure(f"the delivery to {self._name} was broken off, because the session is ending")

    async def _offer(self, envelope: Envelope) -> SmtpTransaction:
        """Send a message without its end, unless all recipients are refused. Raises DeliveryFailed."""
        while True:
            transaction: SmtpTransaction | None = None
            try:
                transaction, answer = await self._begin(envelope)
                await transaction.send_data(answer)
                if not self._needs_another(transaction, None):
                    break
            except DeliveryFailed as problem:
                if not self._needs_another(transaction, problem):
                    raise
            finally:
                if transaction is None or not transaction.open:
                    self._tidy()
            self._drop()
        if transaction.open:
            self._pipelining.remember()
        return transaction

    def _needs_another(self, transaction: SmtpTransaction | None, problem: DeliveryFailed | None) -> bool:
        """Whether to try a new connection; at most once for each of the reasons."""
        connection = self._connection
        if connection is None:
            return False
        refused = transaction is not None and transaction.refused
        if transaction is not None and transaction.early and not refused and _is_confused(connection, problem):
            self._pipelining.reduce_to_end_alone(connection)
            return True
        if connection.pipeline_stalled and not self._pipelining.one_by_one:
            if not connection.served:  # else it has worked, and the idle connection was lost without a sign
                self._pipelining.reduce_to_one_by_one(connection)
            if problem is not None and not refused:
                return True
        if transaction is None or not (transaction.deferred and transaction.connection_used):
            return False
        return connection.served > 0 or connection.gone

    async def _begin(self, envelope: Envelope) -> tuple[SmtpTransaction, Reply]:
        """Send MAIL over the open connection, or over a new one if the server has closed it meanwhile."""
        connection, begun = self._connection, self._begun
        self._begun = None
        if connection is not None:
            transaction: SmtpTransaction | None = None
            try:
                if begun is not None:
                    transaction = begun if begun.envelope == envelope else None
                elif not _has_spoken(connection) and await self._is_reset(connection):
                    transaction = self._transaction(connection, envelope)
                if transaction is not None:
                    answer = await transaction.begin()
                    if not answer.leaving:
                        return transaction, answer
            except DeliveryFailed as problem:
                if begun is not None and _is_confused(connection, problem):
                    self._pipelining.reduce_to_end_alone(connection)
                elif not connection.lost:
                    raise
            self._drop()
        transaction = self._transaction(await self._connect(), envelope)
        return transaction, await transaction.begin()

    async def _is_reset(self, connection: SmtpConnection) -> bool:
        return connection.machine.state is State.READY or (await connection.ask(Rset())).ok

    def _transaction(self, connection: SmtpConnection, envelope: Envelope) -> SmtpTransaction:
        return SmtpTransaction(connection, envelope, pipelining=not self._pipelining.one_by_one)


def _has_spoken(connection: SmtpConnection) -> bool:
    """Whether an idle server has sent something, or has closed the connection."""
    try:
        return connection.has_spoken()
    except DeliveryFailed:
        return True


def _is_confused(connection: SmtpConnection, problem: DeliveryFailed | None) -> bool:
    """Whether the server may have failed because of commands that were sent with the end of a message."""
    return connection.pipeline_stalled or isinstance(problem, SmtpProtocolError)
