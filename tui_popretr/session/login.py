"""Logging in: each configured method once, in order, until one succeeds.

The attempts end early after a refusal that is not about the credentials (by RESP-CODE, or by its text, see
sasl/refusals.py), after one that says that the account is locked, and for AUTO after a refusal of the credentials,
because each further method is weaker. If a method is refused before the server has seen the credentials, the next one
is tried.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import partial

import trio

from tui_popretr.config.account import Server
from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import TOKENS
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import (
    ConnectionCut,
    LoginDelayed,
    LoginRejected,
    MailboxInUse,
    NoUsableMechanism,
    PopretrError,
    ProtocolViolation,
    ServerNotAuthenticated,
    ServerPermanentFailure,
    ServerTemporaryFailure,
    TlsRequired,
)
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.pop3 import (
    Apop,
    Authentication,
    Command,
    Continuation,
    Listing,
    LocalProtocolError,
    Pass,
    Reply,
    SaslCancel,
    User,
    Utf8,
    apop_digest,
)
from tui_popretr.sasl import Endpoint, Exchange, MechanismUnusable, Proof, begin
from tui_popretr.sasl.refusals import LoginRefusal, advice_for, classify
from tui_popretr.secret import Secret
from tui_popretr.session.auto import Offer, choose, mechanism
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.rejection import Refused, Rejection, advice_on_new_token, join_reasons
from tui_popretr.session.services import ConnectionServices
from tui_popretr.text import visible

# RESP-CODES that are not about the credentials (RFC 2449 §8.1, RFC 3206 §4): further methods would fail too.
_ENDS: dict[str, type[PopretrError]] = {
    "IN-USE": MailboxInUse,
    "LOGIN-DELAY": LoginDelayed,
    "SYS/TEMP": ServerTemporaryFailure,
    "SYS/PERM": ServerPermanentFailure,
}
_SCRAM = (AuthType.SASL_SCRAM_SHA_256, AuthType.SASL_SCRAM_SHA_1)


@dataclass(slots=True)
class LoginOptions:
    """How to log in over a connection, and the answer to UTF8 (RFC 6856 §2.1).

    `stamp` is the greeting's timestamp for APOP. `together`: send several commands at once. `utf8`: send UTF8 first.
    `remembered`: the SASL mechanisms that the server has listed before, for AUTO if CAPA is not answered now.
    `services`: what all logins of the process share.
    """

    stamp: bytes | None = None
    together: bool = False
    utf8: bool = False
    remembered: tuple[str, ...] = ()
    services: ConnectionServices = field(default_factory=ConnectionServices)
    #: The answer to UTF8, None before there is one.
    utf8_answer: Reply | None = None
    #: The access token of the login, None if it was not by one.
    token: Tokens | None = None


class TokenRenewedError(Exception):
    """The server has refused the access token and ended the connection. The token is renewed: try a new connection."""


async def log_in(connection: Pop3Connection, server: Server, options: LoginOptions) -> str:
    """Log in and return the name of the method that succeeded. The capabilities are in the connection's machine.

    Raises LoginRejected, TlsRequired, ServerNotAuthenticated, NoUsableMechanism, PasswordUnavailable, the errors of the
    response codes (RFC 2449 §8, RFC 3206), those of access tokens (oauth/renewal.py), and TokenRenewedError.
    """
    # EXTERNAL needs only the certificate, so no password command is run for it.
    needs_password = any(each is not AuthType.SASL_EXTERNAL for each in server.auth_types)
    if needs_password and server.oauth is not None:
        return await _log_in_by_token(connection, server, server.oauth, options)
    password = await options.services.passwords.obtain(server.password) if needs_password else Secret("")
    return await _Login(connection, server, password, options).run()


async def _log_in_by_token(connection: Pop3Connection, server: Server, oauth: OAuth, options: LoginOptions) -> str:
    """Log in by an access token. One that the server refuses is renewed once, and tried again."""
    options.token = await options.services.tokens.get(oauth)
    login = _Login(connection, server, options.token.access, options)
    try:
        return await login.run()
    except LoginRejected as problem:
        if isinstance(problem, TlsRequired) or not login.token_refused:
            raise
        renewed = await options.services.tokens.refused(oauth, options.token.access)
        if renewed is None:
            problem.advice = advice_on_new_token(oauth, problem)
            raise
    if login.connection_ended:
        raise TokenRenewedError
    options.token = renewed
    try:
        return await _Login(connection, server, renewed.access, options).run()
    except ConnectionCut:
        raise TokenRenewedError from None
    except LoginRejected as problem:
        problem.advice = advice_on_new_token(oauth, problem)
        raise


def response_code_error(text: bytes, code: str | None) -> PopretrError | None:
    """Return the error for an -ERR with a RESP-CODE that is not about the credentials, None for any other."""
    kind = _ENDS.get(code or "")
    reason = visible(text, 200)
    return None if kind is None else kind(f"the server refused access: {reason}", advice=advice_for(reason))


def _error_by_text(text: bytes, username: str) -> PopretrError | None:
    """Return the error for an -ERR to a login that is temporary by its text, None for any other."""
    reason = visible(text, 200)
    kinds: dict[LoginRefusal, type[PopretrError]] = {
        LoginRefusal.IN_USE: MailboxInUse,
        LoginRefusal.TEMPORARY: ServerTemporaryFailure,
    }
    kind = kinds.get(classify(reason, username))
    if kind is None:
        return None
    problem = kind(f"the server refused access: {reason}")
    problem.judged_by_text = True
    return problem


class _Login:
    """A login on one connection."""

    def __init__(self, connection: Pop3Connection, server: Server, password: Secret, options: LoginOptions) -> None:
        self._connection = connection
        self._server = server
        self._username = server.username or ""
        self._password = password
        self._options = options
        address = ipaddress.ip_address(connection.stream.remote_ip.partition("%")[0])
        self._private = server.tls is not None or address.is_loopback
        self._refused: dict[AuthType, Refused] = {}
        self._unusable: dict[AuthType, str] = {}
        self._closed_after_refusal = ""  # how the connection ended after a refusal

    @property
    def token_refused(self) -> bool:
        """Whether the server has refused an access token, and not the account."""
        return any(
            method in TOKENS and refused.credentials_seen and not refused.final
            for method, refused in self._refused.items()
        )

    @property
    def connection_ended(self) -> bool:
        """Whether the server has ended the connection after a refusal."""
        return bool(self._closed_after_refusal)

    async def run(self) -> str:
        auto = AuthType.AUTO in self._server.auth_types or self._server.oauth is not None
        methods = self._chosen() if auto else self._server.auth_types
        if self._options.utf8 and not self._options.together:
            self._store_utf8_reply(await self._connection.call(Utf8()))
        for method in methods:
            try:
                outcome = await self._attempt(method)
            except (LocalProtocolError, MechanismUnusable) as problem:
                self._unusable[method] = str(problem)
                continue
            except (ConnectionCut, ProtocolViolation) as trouble:
                if not self._refused:
                    raise
                # Some servers close the connection after a rejected login.
                self._closed_after_refusal = self._closed_after_refusal or str(trouble)
                break
            if isinstance(outcome, str):
                return outcome
            self._refused[method] = outcome
            if self._closed_after_refusal or outcome.final or (auto and outcome.credentials_seen):
                break
        if self._refused:
            raise Rejection(self._server, methods, self._refused, self._unusable, self._closed_after_refusal).error(
                private=self._private
            )
        raise NoUsableMechanism(f"no usable login method: {join_reasons(self._unusable)}")

    # --- the choice of AUTO -------------------------------------------------------------------------------------------

    def _chosen(self) -> tuple[AuthType, ...]:
        """Return AUTO's methods; with an access token those that the server offers, or all that are configured."""
        server, options = self._server, self._options
        offer = Offer(self._connection.machine.capabilities, options.stamp is not None, options.remembered)
        if server.oauth is not None:
            return tuple(each for each in server.auth_types if each in offer.methods) or server.auth_types
        password = bool(server.username) and server.password is not None
        return choose(offer, private=self._private, password=password)

    # --- one method ---------------------------------------------------------------------------------------------------

    async def _attempt(self, method: AuthType) -> str | Refused:
        """Try one method; return the name of the method that succeeded. LocalProtocolError if nothing was sent."""
        if method is AuthType.USERPASS:
            return await self._user_and_pass()
        if method is AuthType.APOP:
            return await self._apop()
        return await self._sasl(method)

    async def _user_and_pass(self) -> str | Refused:
        user, secret = User(self._username), Pass(self._password)
        # PASS is sent even if USER is refused, so the connection must be private.
        if self._options.together and self._private:
            answers = await self._call(user, secret)
        else:
            answers = await self._call(user)
            if isinstance(answers[0], Reply) and answers[0].ok:
                answers = await self._call(secret)
        if isinstance(answers[-1], Reply) and answers[-1].ok:
            return AuthType.USERPASS.value
        return self._refusal(next(reply for reply in map(self._require_reply, answers) if not reply.ok))

    async def _apop(self) -> str | Refused:
        stamp = self._options.stamp
        if stamp is None:
            raise LocalProtocolError("the greeting has no stamp for it")
        (answer,) = await self._call(Apop(self._username, apop_digest(stamp, self._password)))
        reply = self._require_reply(answer)
        # many servers send a timestamp without supporting APOP, or not for this account
        return AuthType.APOP.value if reply.ok else self._refusal(reply, credentials_seen=reply.code == "AUTH")

    async def _sasl(self, method: AuthType) -> str | Refused:
        exchange = self._exchange(method)
        authentication = Authentication(exchange, initial_response=self._server.initial_response)
        auth = authentication.start()
        (answer,) = await self._call(auth)
        credentials_seen, response = auth.initial is not None, None
        while isinstance(answer, Continuation):
            response = await _answer(authentication, answer, self._options.services.proofs)
            if exchange.proof is Proof.WRONG:
                # no other method is tried, because it would reveal the password to this server
                await self._connection.send([response])
                raise ServerNotAuthenticated(exchange.problem or exchange.proof.value)
            credentials_seen = credentials_seen or not isinstance(response, SaslCancel)
            answer = await self._connection.call(response)
        reply = self._require_reply(answer)
        if reply.ok and exchange.proof is Proof.OWED:
            raise ServerNotAuthenticated("the server accepted the login without proving that it knows the password")
        if reply.ok:
            return f"SASL_{exchange.mechanism.replace('-', '_')}"
        cancelled = isinstance(response, SaslCancel)
        problem = exchange.problem  # the reason of RFC 7628 §3.2.2, if the server gave it
        if problem is None and method in TOKENS and reply.code == "AUTH":
            problem = f"the server does not accept the access token: {visible(reply.text, 200)}"
        return self._refusal(
            reply, problem, credentials_seen=credentials_seen or reply.code == "AUTH", cancelled=cancelled
        )

    async def _call(self, *commands: Command) -> list[Reply | Listing | Continuation]:
        """Send commands together, after UTF8 if that was not sent yet; return their replies.

        If the connection ends after a refusal, the refusal is the last reply.
        """
        ahead = [Utf8()] if self._options.utf8 and self._options.utf8_answer is None else []
        ends: list[Reply | Listing | Continuation] = []
        try:
            await self._connection.call_all([*ahead, *commands], ends)
        except (ConnectionCut, ProtocolViolation) as trouble:
            if not any(isinstance(each, Reply) and not each.ok for each in ends[len(ahead) :]):
                raise
            self._closed_after_refusal = str(trouble)
        if ahead:
            self._store_utf8_reply(ends.pop(0))
        return ends

    def _store_utf8_reply(self, answer: Reply | Listing | Continuation) -> None:
        assert isinstance(answer, Reply)
        self._options.utf8_answer = answer

    def _require_reply(self, answer: Reply | Listing | Continuation) -> Reply:
        """Return the reply to a command of the login. Raises if it is a refusal that is not about the credentials."""
        assert isinstance(answer, Reply)
        if not answer.ok:
            problem = response_code_error(answer.text, answer.code)
            if problem is None and answer.code != "AUTH":
                problem = _error_by_text(answer.text, self._username)
            if problem is not None:
                raise problem
        return answer

    def _refusal(
        self, reply: Reply, reason: str | None = None, *, credentials_seen: bool = True, cancelled: bool = False
    ) -> Refused:
        text = visible(reply.text, 200)
        final = classify(text, self._username) is LoginRefusal.LOCKED_OUT
        return Refused(reason or text or "refused without a reason", credentials_seen, cancelled, final)

    def _exchange(self, method: AuthType) -> Exchange:
        name, binding = mechanism(method), None
        if method in _SCRAM and (binding := self._connection.stream.channel_binding()) is not None:
            capabilities = self._connection.machine.capabilities
            if capabilities is None:
                binding = None  # then we cannot tell the server that we saw no -PLUS in its list
            elif f"{name}-PLUS" in capabilities.sasl:
                name += "-PLUS"
        server = self._server
        return begin(name, self._username, self._password, Endpoint(server.host, server.port, binding))


async def _answer(authentication: Authentication, challenge: Continuation, proofs: trio.CapacityLimiter) -> Command:
    work = partial(authentication.answer, challenge)
    if authentication.exchange.slow:
        return await trio.to_thread.run_sync(work, limiter=proofs, abandon_on_cancel=True)
    return work()
