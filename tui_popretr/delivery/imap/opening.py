"""Opens a connection up to the login: connect, greeting, capabilities, TLS, login."""

from __future__ import annotations

from typing import Final

import trio

from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.credentials import Credentials, TokenErrors
from tui_popretr.delivery.imap.connection import ImapConnection
from tui_popretr.delivery.imap.dialogue import Dialogue
from tui_popretr.delivery.imap.login import LoginAttempt
from tui_popretr.delivery.imap.refusals import Subject, refusal
from tui_popretr.delivery.remote import AskOther, AskPassword, Say
from tui_popretr.errors import (
    CertificateRejected,
    ConfigurationError,
    ImapLoginFailed,
    ImapProtocolError,
    ImapServerNotTrusted,
    ImapServerUnreachable,
    ImapTemporaryFailure,
    ImapTlsMisconfigured,
    TlsFailed,
)
from tui_popretr.facts import Direction
from tui_popretr.hosts import is_loopback
from tui_popretr.imap import Capabilities, Capability, Condition, StartTls
from tui_popretr.net.connect import CONNECT_TIMEOUT, NotConnected, open_stream
from tui_popretr.net.stream import SocketStream
from tui_popretr.net.tls import TlsContexts, TlsSession

_TOKEN_ERRORS: Final = TokenErrors(
    login=ImapLoginFailed,
    unreachable=ImapServerUnreachable,
    temporary=ImapTemporaryFailure,
    protocol=ImapProtocolError,
)


def server_name(destination: ImapDestination) -> str:
    """Return the server's name for texts."""
    return f"the IMAP server {destination.address}"


def credentials_for(destination: ImapDestination, ask: AskPassword, other: AskOther | None) -> Credentials:
    """Return the source of the server's password or access token."""
    name = server_name(destination)
    return Credentials(name, _TOKEN_ERRORS, ask, other, by_token=destination.oauth is not None)


class Opening:
    """What a connection is opened with, for one session."""

    def __init__(
        self,
        destination: ImapDestination,
        said: Say,
        ask_password: AskPassword,
        contexts: TlsContexts | None = None,
        other_password: AskOther | None = None,
    ) -> None:
        """`ask_password` is called at most once, or for each connection if it returns an access token.

        Without `contexts` no TLS context is shared with other sessions.
        """
        self._destination = destination
        self._said = said
        self._contexts = contexts or TlsContexts()
        self._name = server_name(destination)
        self._credentials = credentials_for(destination, ask_password, other_password)

    async def open(self) -> ImapConnection:
        """Return a new connection, logged in. Raises DeliveryFailed.

        ImapServerUnreachable, ImapServerNotTrusted, ImapTlsMisconfigured, ImapLoginFailed, ImapTemporaryFailure,
        ImapProtocolError.
        """
        return await self._credentials.connected(self._open, self._said)

    async def _open(self) -> ImapConnection:
        stream = await self._connect()
        dialogue = Dialogue(stream, self._name, self._said, timeout=self._destination.timeout)
        try:
            dialogue.say(Direction.EVENT, [f"Connection to {stream.remote_ip} port {self._destination.port}"])
            await establish(dialogue, self._destination, self._credentials, self._contexts)
        except BaseException:
            dialogue.close()
            raise
        return ImapConnection(dialogue)

    async def _connect(self) -> SocketStream:
        destination = self._destination
        try:
            timeout = min(CONNECT_TIMEOUT, destination.timeout)
            return await open_stream(destination.look_up_name, destination.port, timeout)
        except NotConnected as problem:
            raise ImapServerUnreachable(f"cannot reach {self._name}: {problem.reason}") from problem


async def establish(
    dialogue: Dialogue, destination: ImapDestination, credentials: Credentials, contexts: TlsContexts
) -> None:
    """Bring a new connection up to the login: TLS, greeting, capabilities, STARTTLS, login. Raises DeliveryFailed."""
    tls = destination.tls
    if tls is not None and not tls.latent:
        await _start_tls(dialogue, destination, tls, contexts)
    greeting = await dialogue.greeting()
    known = greeting.condition is Condition.PREAUTH
    if tls is not None and tls.latent:
        if known:  # STARTTLS is not possible any more, and the messages would go in clear (RFC 9051 §11.1)
            raise ImapServerNotTrusted(
                f"{dialogue.name} is logged in already (PREAUTH), so TLS cannot start",
                advice="an attacker may be between you and the server; if it speaks TLS from the first byte, use its"
                " port 993 without <starttls>",
            )
        await _ask_for_tls(dialogue)
        await _start_tls(dialogue, destination, tls, contexts)
        dialogue.machine.tls_started()
    if not (await _capabilities(dialogue)).imap:
        raise ImapProtocolError(f"{dialogue.name} offers neither IMAP4rev1 nor IMAP4rev2")
    if known:
        return
    if destination.username is None and (tls is None or tls.key_store is None):
        raise ImapLoginFailed(f"{dialogue.name} demands a login", advice="add <username> and <password> to <imap>")
    private = tls is not None or is_loopback(destination.host)
    await LoginAttempt(dialogue, destination, credentials, private=private).run()
    await _capabilities(dialogue)


async def _capabilities(dialogue: Dialogue) -> Capabilities:
    """Return the capabilities, which are asked for unless the server has sent them already."""
    if dialogue.machine.capabilities is None:
        answer = await dialogue.ask(Capability())
        if not answer.ok:
            what = f"{dialogue.name} does not list its capabilities: {answer.status}"
            raise refusal(what, answer.status, Subject.GREETING)
    if dialogue.machine.capabilities is None:
        raise ImapProtocolError(f"{dialogue.name} does not list its capabilities")
    return dialogue.machine.capabilities


async def _ask_for_tls(dialogue: Dialogue) -> None:
    if not (await _capabilities(dialogue)).starttls:
        raise ImapServerNotTrusted(
            f"{dialogue.name} offers no STARTTLS, and <starttls> asks for it",
            advice="if it speaks TLS from the first byte, use its port 993 without <starttls>",
        )
    answer = await dialogue.ask(StartTls())
    if not answer.ok:
        if answer.status.has_code("UNAVAILABLE"):
            raise ImapTemporaryFailure(f"{dialogue.name} offers no TLS for now: {answer.status}")
        raise ImapServerNotTrusted(f"{dialogue.name} refused STARTTLS: {answer.status}")
    dialogue.check()  # no plaintext may follow


async def _start_tls(
    dialogue: Dialogue, destination: ImapDestination, policy: TlsPolicy, contexts: TlsContexts
) -> None:
    """Do the handshake."""
    try:
        session = TlsSession(policy, destination.host, destination.written, contexts)
    except ConfigurationError as problem:  # a file of <ssl> is gone, or has changed
        raise ImapTlsMisconfigured(f"no TLS with {dialogue.name}: {problem}", advice=problem.advice) from problem
    patience = policy.patience(dialogue.timeout)
    with trio.move_on_after(patience) as scope:
        try:
            details = await dialogue.stream.start_tls(session)
        except TlsFailed as problem:
            raise explain(dialogue.name, problem) from problem
    if scope.cancelled_caught:
        raise ImapTemporaryFailure(f"the TLS handshake with {dialogue.name} took longer than {patience:g} s")
    dialogue.say(Direction.EVENT, [f"TLS ({details.version}, {details.cipher or 'unknown cipher'})"])


def explain(name: str, failure: TlsFailed) -> ImapServerNotTrusted:
    """Return the error for a failed handshake."""
    # The texts are made for POP3 (net/tls_errors.py).
    advice = failure.advice.replace("in the client's <ssl>", "in the <ssl> of <imap>").replace('latent="Y" ', "")
    if "POP3 begins in clear" in advice:
        advice = "if IMAP begins in clear there, as it does at port 143, add <starttls>Y</starttls> to <imap>"
    words = str(failure).replace("STLS", "STARTTLS")
    problem = ImapServerNotTrusted(f"TLS with {name} failed: {words}", advice=advice)
    if isinstance(failure, CertificateRejected):
        problem.fingerprint = failure.fingerprint
    return problem
