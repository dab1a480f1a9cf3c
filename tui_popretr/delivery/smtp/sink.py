"""Delivery to a mail server: one connection for all messages of a session, one message at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from tui_popretr.config.choices import Eol
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.sink import SPILL
from tui_popretr.delivery.smtp.connection import AskPassword, Extensions, establish, new_wire, server_name
from tui_popretr.delivery.smtp.deadlines import Deadlines
from tui_popretr.delivery.smtp.draft import SmtpDraft
from tui_popretr.delivery.smtp.report import receipt_or_error
from tui_popretr.delivery.smtp.rounds import Envelope, Result, Rounds
from tui_popretr.delivery.smtp.transaction import SmtpTransaction, check_size
from tui_popretr.delivery.smtp.wire import Said, SmtpConnection
from tui_popretr.errors import (
    DeliveryFailed,
    SmtpTemporaryFailure,
)
from tui_popretr.facts import Direction
from tui_popretr.secret import Secret
from tui_popretr.smtp.reply import Reply

#: Ports of one server that lead to the same mailboxes (RFC 5321, RFC 6409, RFC 8314).
_MAIL_PORTS: Final = frozenset((25, 465, 587))

#: Servers, by address, that offer PIPELINING and do not answer commands that are sent together. For this process.
_one_by_one: set[str] = set()


class SmtpSink:
    """The Sink of a mail server, for one session.

    The key has the server and the recip, not the addresses of an alias with that name: an address that is added to the
    alias gets only new mail. The key has port 25 for 465 and 587, so that a move to TLS does not change it.

    After interrupt() every call fails until make_ready(). After close() no connection is opened.
    """

    remote = True
    eol = Eol.CRLF

    def __init__(
        self,
        destination: SmtpDestination,
        *,
        recip: str,
        spool: str,
        client: str = "localhost",
        password: AskPassword = lambda: Secret(""),
        said: Said = lambda *_: None,
        deadlines: Deadlines | None = None,
    ) -> None:
        """`spool` is the folder for messages too large for memory; `client` is the name of our host, for EHLO.

        `deadlines`: the default is made from the destination's timeout.

        `password` and `said` (see wire.Said) are called in the thread of make_ready(), offer() and publish();
        `password` at most once.
        """
        port = 25 if destination.port in _MAIL_PORTS else destination.port
        where = destination.socket_path or f"{destination.host.lower()}:{port}"
        self.key = f"smtp:{where}/{recip.lower()}"
        self.lane = f"{self.key}#{os.urandom(8).hex()}"
        self._name = server_name(destination)
        self._destination = destination
        self._spool = spool
        self._client = client
        self._ask_password = password
        self._password: Secret | None = None
        self._said = said
        self._deadlines = deadlines or Deadlines.within(destination.timeout)
        self._turn = threading.RLock()  # one call at a time
        self._extensions = Extensions()
        self._where = where
        self._one_by_one = where in _one_by_one
        self._needs_reset = False
        self._guard = threading.Lock()  # of the attributes below, which interrupt() and close() use
        self._wire: SmtpConnection | None = None
        self._interrupted = False
        self._closed = False

    def open(self, record_id: int, when: datetime) -> SmtpDraft:  # noqa: ARG002 - no file name is needed
        destination = self._destination
        return SmtpDraft(
            record_id,
            destination.sender,
            destination.recipients,
            self._spool,
            self,
            drop_delivered=destination.drop_delivered,
        )

    def make_ready(self, octets: int) -> None:
        """Connect and log in, so that no message is retrieved that cannot be sent."""
        with self._turn:
            with self._guard:
                self._interrupted = False
            if octets > SPILL:
                Folders(self._spool, (), None).make_ready(octets)
            if self._wire is not None and not self._is_alive(self._wire):
                self._drop()
            if self._wire is None:
                self._connect()
            check_size(self._name, self._extensions, octets)

    def clean_orphans(self, known: Collection[str]) -> list[str]:  # noqa: ARG002 - spool files have no name
        return []

    def interrupt(self) -> None:
        with self._guard:
            self._interrupted = True
            if self._wire is not None:
                self._wire.interrupt()

    def close(self) -> None:
        with self._guard:
            self._closed = True
        if self._turn.acquire(timeout=self._deadlines.quit):
            try:
                if self._wire is not None:
                    self._wire.send_quit()
                self._drop()
            finally:
                self._turn.release()
        else:
            self.interrupt()

    # --- the connection -----------------------------------------------------------------------------------------------

    def _is_alive(self, wire: SmtpConnection) -> bool:
        try:
            return not wire.over and not wire.has_spoken() and wire.ask("NOOP").ok
        except DeliveryFailed:
            return False

    def _connect(self) -> SmtpConnection:
        wire = new_wire(self._destination, self._client, self._said, self._deadlines)
        with self._guard:
            if self._interrupted or self._closed:
                raise SmtpTemporaryFailure(f"nothing more is sent to {self._name}, because the session is ending")
            self._wire = wire
        try:
            self._extensions = establish(wire, self._destination, self._get_password)
        except BaseException:
            self._drop()
            raise
        self._needs_reset = False
        return wire

    def _drop(self) -> None:
        with self._guard:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _get_password(self) -> Secret:
        if self._password is None:
            self._password = self._ask_password()
        return self._password

    # --- messages -----------------------------------------------------------------------------------------------------

    def transfer(self, envelope: Envelope) -> str:
        """Send a message; return the receipt. Raises DeliveryFailed, PartlyAccepted."""
        with self._turn:
            return self.complete(self.offer(envelope))

    def offer(self, envelope: Envelope) -> SmtpTransaction:
        """Send a message without its end, unless all recipients are refused. Raises DeliveryFailed.

        The connection then belongs to the transaction: any other use before complete() or take_back() closes it.
        """
        with self._turn:
            while True:
                transaction: SmtpTransaction | None = None
                try:
                    transaction, answer = self._begin(envelope)
                    transaction.send_data(answer)
                    if not self._needs_another(transaction, None):
                        break
                except DeliveryFailed as problem:
                    if not self._needs_another(transaction, problem):
                        raise
                finally:
                    self._after_step(transaction)
                self._drop()
            if self._one_by_one and transaction.open:  # one command at a time has worked
                _one_by_one.add(self._where)
            return transaction

    def complete(self, transaction: SmtpTransaction) -> str:
        """Send the end of an offered message; return the receipt. Raises DeliveryFailed, PartlyAccepted.

        Recipients without an answer get the message in further transactions.
        """
        rounds = Rounds(transaction.envelope)
        with self._turn:
            envelope = rounds.next(self._end(transaction))
            try:
                while envelope is not None:
                    envelope = rounds.next(self._end(self.offer(envelope)))
            except DeliveryFailed as failure:
                rounds.outcome.failure = failure
        return receipt_or_error(self._name, transaction.envelope, rounds)

    def _end(self, transaction: SmtpTransaction) -> Result:
        if transaction.open and transaction.wire is not self._wire:
            raise SmtpTemporaryFailure(
                f"the connection to {self._name} was closed before the message had been sent whole"
            )
        try:
            return transaction.end()
        finally:
            self._after_step(transaction)

    def _needs_another(self, transaction: SmtpTransaction | None, problem: DeliveryFailed | None) -> bool:
        """Whether to try a new connection; at most once for each of the two reasons."""
        wire = self._wire
        if wire is None:
            return False
        refused = transaction is not None and transaction.refused
        if wire.deaf and not self._one_by_one:
            self._one_by_one = True
            wire.say(Direction.EVENT, "PIPELINING does not work: one command at a time from now on")
            if problem is not None and not refused:
                return True
        worn = wire.served > 0 or (wire.gone and wire.refusals > 0)
        return transaction is not None and transaction.deferred and worn

    def take_back(self, transaction: SmtpTransaction) -> None:
        """Close the connection if the server waits for the end of the message: there is no RSET within DATA."""
        with self._turn:
            if transaction.open and transaction.wire is self._wire:
                self._drop()

    def _after_step(self, transaction: SmtpTransaction | None) -> None:
        """Take the state of the connection after a step."""
        self._needs_reset = transaction is None or not transaction.at_rest
        offered = transaction is not None and transaction.open and not self._closed
        if self._wire is not None and self._wire.over and not offered:
            self._drop()

    def _begin(self, envelope: Envelope) -> tuple[SmtpTransaction, Reply]:
        """Send MAIL over the open connection, or over a new one if the server has closed it meanwhile."""
        if self._wire is not None and self._wire.over:  # in the middle of a message that was not completed
            self._drop()
        if self._wire is not None:
            try:
                if not self._wire.has_spoken() and (not self._needs_reset or self._wire.ask("RSET").ok):
                    transaction = self._transaction(self._wire, envelope)
                    answer = transaction.begin()
                    if not answer.leaving:
                        return transaction, answer
            except SmtpTemporaryFailure:
                if not self._wire.lost:
                    raise
            self._drop()
        transaction = self._transaction(self._connect(), envelope)
        return transaction, transaction.begin()

    def _transaction(self, wire: SmtpConnection, envelope: Envelope) -> SmtpTransaction:
        extensions = replace(self._extensions, pipelining=self._extensions.pipelining and not self._one_by_one)
        return SmtpTransaction(wire, extensions, envelope, lmtp=self._destination.lmtp)
