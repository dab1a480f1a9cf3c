"""Opens a connection up to MAIL: connect, greeting, EHLO or LHLO, TLS, login."""

from __future__ import annotations

from typing import Final

import trio

from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.credentials import Credentials, TokenErrors, TokenRenewedError
from tui_popretr.delivery.remote import AskOther, AskPassword, Say
from tui_popretr.delivery.smtp.connection import SmtpConnection
from tui_popretr.delivery.smtp.trust import explain, policy_for
from tui_popretr.errors import (
    SmtpLoginFailed,
    SmtpProtocolError,
    SmtpServerNotTrusted,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
    TlsFailed,
)
from tui_popretr.facts import Direction
from tui_popretr.hosts import is_loopback
from tui_popretr.mail.domains import own_name
from tui_popretr.net.connect import CONNECT_TIMEOUT, NotConnected, open_stream, open_unix_stream
from tui_popretr.net.stream import SocketStream
from tui_popretr.net.tls import TlsContexts, TlsSession
from tui_popretr.sasl import Endpoint, MechanismUnusable, begin
from tui_popretr.secret import Secret
from tui_popretr.smtp import (
    MECHANISMS_IN_CLEAR,
    MECHANISMS_IN_PRIVATE,
    MECHANISMS_OF_TOKENS,
    Authentication,
    Ehlo,
    Helo,
    Lhlo,
    Reply,
    StartTls,
)
from tui_popretr.text import visible

_TOKEN_ERRORS: Final = TokenErrors(
    login=SmtpLoginFailed,
    unreachable=SmtpServerUnreachable,
    temporary=SmtpTemporaryFailure,
    protocol=SmtpProtocolError,
)
_REFUSED_ADVICE: Final = (
    "the access token is new, so another setting is wrong: is <username> in <smtp> the mailbox of the account, and does"
    " the scope allow sending? To log in again: {}"
)


def server_name(destination: SmtpDestination) -> str:
    """Return the server's name for texts."""
    return f"the {'LMTP' if destination.lmtp else 'SMTP'} server {destination.address}"


class Opening:
    """What a connection is opened with, for one session. `client` is the name of our host."""

    def __init__(
        self,
        destination: SmtpDestination,
        client: str,
        said: Say,
        ask_password: AskPassword,
        contexts: TlsContexts | None = None,
        other_password: AskOther | None = None,
    ) -> None:
        """`ask_password` is called at most once, or for each connection if it returns an access token.

        Without `contexts` no TLS context is shared with other sessions.
        """
        self._destination = destination
        self._client = client
        self._said = said
        self._contexts = contexts or TlsContexts()
        self._name = server_name(destination)
        self._credentials = Credentials(
            self._name, _TOKEN_ERRORS, ask_password, other_password, by_token=destination.oauth is not None
        )

    async def open(self) -> SmtpConnection:
        """Return a new connection, over which MAIL can be sent. Raises DeliveryFailed."""
        return await self._credentials.connected(self._open, self._said)

    async def _open(self) -> SmtpConnection:
        destination = self._destination
        stream = await self._connect()
        connection = SmtpConnection(stream, self._name, self._said, lmtp=destination.lmtp, timeout=destination.timeout)
        try:
            if destination.socket_path is None:
                connection.say(Direction.EVENT, [f"Connection to {stream.remote_ip} port {destination.port}"])
            await self._establish(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connect(self) -> SocketStream:
        destination = self._destination
        timeout = min(CONNECT_TIMEOUT, destination.timeout)
        try:
            if destination.socket_path is None:
                return await open_stream(destination.look_up_name, destination.port, timeout)
            protocol = "LMTP" if destination.lmtp else "SMTP"
            self._said(Direction.EVENT, [f"{protocol} Connecting to {visible(destination.socket_path)}"])
            return await open_unix_stream(destination.socket_path, timeout)
        except NotConnected as problem:
            raise SmtpServerUnreachable(f"cannot reach {self._name}: {problem.reason}") from problem

    async def _establish(self, connection: SmtpConnection) -> None:
        destination, name = self._destination, self._name
        if destination.implicit_tls:
            await self._start_tls(connection)
        greeting = await connection.reply()
        if not greeting.ok:
            what = f"{name} takes no mail{' now' if greeting.passing else ''}: {greeting}"
            raise SmtpTemporaryFailure(what) if greeting.passing else SmtpServerUnreachable(what)
        await self._hello(connection)
        if destination.starttls and not connection.under_tls:
            await self._ask_for_tls(connection)
            await self._start_tls(connection)
            connection.machine.tls_started()
            await self._hello(connection)
        if destination.username is not None:
            await self._log_in(connection, destination.username)
            connection.logged_in = True

    async def _hello(self, connection: SmtpConnection) -> None:
        us, lmtp = own_name(self._client, connection.stream.local_ip), self._destination.lmtp
        reply = await connection.ask(Lhlo(us) if lmtp else Ehlo(us))
        if reply.code >= 500 and not lmtp:  # RFC 5321 §3.2: an old server
            reply = await connection.ask(Helo(us))
        if reply.ok:
            return
        what = f"{self._name} did not accept our greeting: {reply}"
        if reply.passing:
            raise SmtpTemporaryFailure(what)
        if lmtp:
            raise SmtpProtocolError(what, advice="if it speaks SMTP, take <lmtp> out")
        raise SmtpProtocolError(what)

    # --- TLS ----------------------------------------------------------------------------------------------------------

    async def _ask_for_tls(self, connection: SmtpConnection) -> None:
        if not connection.machine.extensions.starttls:
            raise SmtpServerNotTrusted(
                f"{self._name} offers no STARTTLS, and <starttls> asks for it",
                advice="if it speaks TLS from the first byte, use its port 465",
            )
        reply = await connection.ask(StartTls())
        if reply.passing:  # 454, "TLS not available due to temporary reason" (RFC 3207 §4)
            raise SmtpTemporaryFailure(f"{self._name} offers no TLS for now: {reply}")
        if reply.code != 220:
            raise SmtpServerNotTrusted(f"{self._name} refused STARTTLS: {reply}")
        connection.check()  # no plaintext may follow

    async def _start_tls(self, connection: SmtpConnection) -> None:
        """Do the handshake."""
        policy = policy_for(here=self._is_here, latent=not self._destination.implicit_tls)
        session = TlsSession(policy, self._destination.host, self._destination.written, self._contexts)
        with trio.move_on_after(connection.answer_timeout) as scope:
            try:
                details = await connection.stream.start_tls(session)
            except TlsFailed as problem:
                raise explain(self._name, problem) from problem
        if scope.cancelled_caught:
            raise SmtpTemporaryFailure(
                f"the TLS handshake with {self._name} took longer than {connection.answer_timeout:g} s"
            )
        connection.under_tls = True
        connection.say(Direction.EVENT, [f"TLS ({details.version}, {details.cipher or 'unknown cipher'})"])

    @property
    def _is_here(self) -> bool:
        return self._destination.socket_path is not None or is_loopback(self._destination.host)

    # --- login --------------------------------------------------------------------------------------------------------

    async def _log_in(self, connection: SmtpConnection, username: str) -> None:
        """Log in with the best mechanism (RFC 4954). No second one is tried: each may count as a failed login.

        An access token that the server refuses is renewed once, and tried again.
        """
        mechanism = self._mechanism(connection)
        password = await self._credentials.get()
        reply, problem = await self._authenticate(connection, mechanism, username, password)
        if self._refuses_token(reply) and (other := await self._credentials.other(password)) is not None:
            try:
                reply, problem = await self._authenticate(connection, mechanism, username, other)
            except SmtpTemporaryFailure:
                if connection.lost:
                    raise TokenRenewedError from None
                raise
        if reply.ok:
            return
        why = f"{self._name} did not accept the login ({mechanism}): {problem or reply}"
        if reply.passing:
            raise SmtpTemporaryFailure(why)
        oauth = self._destination.oauth
        raise SmtpLoginFailed(why, advice=_REFUSED_ADVICE.format(oauth.login_command) if oauth else None)

    def _mechanism(self, connection: SmtpConnection) -> str:
        offered = connection.machine.extensions.mechanisms
        private = connection.under_tls or self._is_here
        known: tuple[str, ...] = MECHANISMS_IN_PRIVATE if private else MECHANISMS_IN_CLEAR
        if self._destination.oauth is not None:
            known = MECHANISMS_OF_TOKENS
        mechanism = next((each for each in known if each in offered), None)
        if mechanism is None:
            raise self._no_mechanism(connection, offered)
        return mechanism

    async def _authenticate(
        self, connection: SmtpConnection, mechanism: str, username: str, password: Secret
    ) -> tuple[Reply, str | None]:
        """Return the server's final reply, and the reason of a refusal if the mechanism has one."""
        server = Endpoint(self._destination.host, self._destination.port)
        try:
            authentication = Authentication(begin(mechanism, username, password, server))
            reply = await connection.ask(authentication.start())
            while reply.code == 334:
                reply = await connection.ask(authentication.answer(reply))
        except MechanismUnusable as problem:
            raise SmtpLoginFailed(f"cannot log in to {self._name}: {problem}") from None
        return reply, authentication.exchange.problem

    def _refuses_token(self, reply: Reply) -> bool:
        return self._destination.oauth is not None and not reply.ok and not reply.passing

    def _no_mechanism(self, connection: SmtpConnection, offered: tuple[str, ...]) -> SmtpLoginFailed:
        what = "offers no login method that is known here"
        if self._destination.oauth is not None:
            what = "offers no login by access token, and <oauth> is configured"
        if not offered:
            what = "offers no login, and a <username> is configured"
        advice = "many servers offer a login under TLS only: add <starttls>Y</starttls>, or use port 465"
        if offered or connection.under_tls:
            advice = "take <username> and <password> out of <smtp> where it takes mail without them"
        return SmtpLoginFailed(f"{self._name} {what}", advice=advice)
