"""Logging in: each configured method in its order, once, until one succeeds (SPEC 2, 3, 10)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import partial

import trio

from tui_popretr.config.model import AuthType, Server
from tui_popretr.engine.auto import TOKENS, Offer, choose, mechanism
from tui_popretr.engine.passwords import obtain
from tui_popretr.engine.wire import Wire
from tui_popretr.errors import (
    ConnectionCut,
    LoginDelayed,
    LoginRejected,
    MailboxInUse,
    NoUsableMechanism,
    PopretrError,
    ProtocolViolation,
    ServerPermanentFailure,
    ServerTemporaryFailure,
    ServerUnproven,
    TlsDemanded,
)
from tui_popretr.pop3 import (
    Apop,
    Capa,
    Capabilities,
    Continuation,
    Endpoint,
    Exchange,
    Listing,
    LocalProtocolError,
    Pass,
    Proof,
    Reply,
    SaslCancel,
    SaslResponse,
    User,
    apop_digest,
    begin,
)
from tui_popretr.secret import Secret
from tui_popretr.text import visible

# RESP-CODES that are not about the credentials (RFC 2449 §8.1, RFC 3206 §4): trying further would burn attempts.
_ENDS: dict[str, type[PopretrError]] = {
    "IN-USE": MailboxInUse,
    "LOGIN-DELAY": LoginDelayed,
    "SYS/TEMP": ServerTemporaryFailure,
    "SYS/PERM": ServerPermanentFailure,
}
# POP3 has no RESP-CODE for it, so it is told by words, and by IMAP's code (RFC 5530 §3); Dovecot says [AUTH].
_WANTS_TLS = re.compile(
    r"""\[PRIVACYREQUIRED\]
    |\b(?:TLS|SSL|STLS|STARTTLS)\b
    |\b(?:secure|encrypted)\ connection
    |\bencryption\ (?:is\ )?required
    |\bplain-?text\ (?:authentication|logins?|passwords?)\ (?:(?:is|are)\ )?
        (?:disallowed|disabled|not\ (?:allowed|permitted))
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Mail and web addresses may hold any word.
_ADDRESS = re.compile(r"\S*(?:@|://)\S*")
_SCRAM = (AuthType.SASL_SCRAM_SHA_256, AuthType.SASL_SCRAM_SHA_1)
# A hostile server can make a SCRAM proof cost seconds of CPU: few at a time, and none of the threads that disks need.
_proofs = trio.CapacityLimiter(2)


async def log_in(wire: Wire, server: Server, stamp: bytes | None) -> str:
    """Log in and return the name of the method that succeeded.

    `stamp` is the greeting's APOP stamp. Raises LoginRejected, TlsDemanded, ServerUnproven, NoUsableMechanism,
    PasswordUnavailable, and the errors of the RESP-CODES.
    """
    # A certificate alone logs in by EXTERNAL: no reason to run a password command for it.
    needs_password = any(each is not AuthType.SASL_EXTERNAL for each in server.auth_types)
    password = await obtain(server.password) if needs_password else Secret("")
    return await _Login(wire, server, password, stamp).run()


def turned_away(text: bytes, code: str | None) -> PopretrError | None:
    """Return the error of an -ERR whose RESP-CODE is not about the credentials, None for any other."""
    kind = _ENDS.get(code or "")
    return None if kind is None else kind(f"the server turns us away: {visible(text, 200)}")


@dataclass(frozen=True, slots=True)
class _Refused:
    """A method that failed: why, whether the server has looked at the credentials, and whether we gave up."""

    words: str
    judged: bool = True
    cancelled: bool = False

    @property
    def wants_tls(self) -> bool:
        """Whether the server's words are that it wants TLS first."""
        return _WANTS_TLS.search(_ADDRESS.sub("", self.words)) is not None


class _Login:
    """A login on one connection."""

    def __init__(self, wire: Wire, server: Server, password: Secret, stamp: bytes | None) -> None:
        self._wire = wire
        self._server = server
        self._username = server.username or ""
        self._password = password
        self._stamp = stamp
        self._refused: dict[AuthType, _Refused] = {}
        self._passed_over: dict[AuthType, str] = {}

    async def run(self) -> str:
        auto = AuthType.AUTO in self._server.auth_types
        methods = await self._chosen() if auto else self._server.auth_types
        for method in methods:
            try:
                outcome = await self._attempt(method)
            except LocalProtocolError as problem:
                self._passed_over[method] = str(problem)
                continue
            except (ConnectionCut, ProtocolViolation) as trouble:
                if not self._refused:
                    raise
                self._refused[method] = _Refused(str(trouble))  # some servers hang up after a rejected login
                break
            if isinstance(outcome, str):
                return outcome
            self._refused[method] = outcome
            if auto and outcome.judged:
                break
        if self._refused:
            told = _told({method: refused.words for method, refused in self._refused.items()})
            if self._tls_is_wanted():
                raise TlsDemanded(f"the server allows no login without TLS ({told})")
            raise LoginRejected(f"the server rejected the login ({told})", advice=self._advice(methods))
        raise NoUsableMechanism(f"no usable login method: {_told(self._passed_over)}")

    def _tls_is_wanted(self) -> bool:
        """Whether it is for want of TLS that the server refused, so that it has not judged the credentials."""
        if self._server.tls is not None:
            return False
        refused = self._refused.values()
        return any(each.wants_tls for each in refused) and all(each.wants_tls or not each.judged for each in refused)

    def _advice(self, methods: tuple[AuthType, ...]) -> str | None:
        """Return what to do after a rejection, None for what is always said."""
        if all(refused.cancelled for refused in self._refused.values()):
            return "the server breaks the rules of this login method: tell its operator, or name another in authtypes"
        if all(each in TOKENS for each in self._refused):
            return "the access token may have expired, or be for another purpose; best is a command that gets a new one"
        left = [each.value for each in methods if each not in self._refused and each not in self._passed_over]
        if AuthType.AUTO not in self._server.auth_types or not left:
            return None
        return (
            "check username and password. AUTO tries the strongest method that the server offers, and no weaker one"
            f" after it: if they are right, name another in authtypes (here: {', '.join(left)})"
        )

    # --- what the server offers -------------------------------------------------------------------------------------

    async def _chosen(self) -> tuple[AuthType, ...]:
        """Return AUTO's methods."""
        server, address = self._server, ipaddress.ip_address(self._wire.stream.remote_ip.partition("%")[0])
        offer = Offer(await self._capabilities(), self._stamp is not None)
        password = bool(server.username) and server.password is not None
        return choose(offer, private=server.tls is not None or address.is_loopback, password=password)

    async def _capabilities(self) -> Capabilities | None:
        """Return what CAPA says on this connection, asking where nobody has asked yet; None where it is refused."""
        machine = self._wire.machine
        if machine.capabilities is None:
            await self._wire.call(Capa())
        return machine.capabilities

    # --- one method -------------------------------------------------------------------------------------------------

    async def _attempt(self, method: AuthType) -> str | _Refused:
        """Try one method; return the name of what succeeded. LocalProtocolError where nothing was sent."""
        if method is AuthType.USERPASS:
            return await self._user_and_pass()
        if method is AuthType.APOP:
            return await self._apop()
        return await self._sasl(method)

    async def _user_and_pass(self) -> str | _Refused:
        user, secret = User(self._username), Pass(self._password)
        reply = _judged(await self._wire.call(user))
        if reply.ok:
            reply = _judged(await self._wire.call(secret))
        return AuthType.USERPASS.value if reply.ok else _Refused(_words(reply))

    async def _apop(self) -> str | _Refused:
        if self._stamp is None:
            raise LocalProtocolError("the greeting has no stamp for it")
        reply = _judged(await self._wire.call(Apop(self._username, apop_digest(self._stamp, self._password))))
        # a stamp promises nothing: many servers have one and no APOP, or not for this account
        return AuthType.APOP.value if reply.ok else _Refused(_words(reply), judged=reply.code == "AUTH")

    async def _sasl(self, method: AuthType) -> str | _Refused:
        exchange = await self._exchange(method)
        auth = exchange.start()
        answer = await self._wire.call(auth)
        judged, response = auth.initial is not None and not auth.split, None
        while isinstance(answer, Continuation):
            judged, response = True, await _response(exchange, answer)
            if exchange.proof is Proof.WRONG:
                # whatever else is configured: who does not know the password is not told it
                await self._wire.send([response])
                raise ServerUnproven(exchange.problem or exchange.proof.value)
            answer = await self._wire.call(response)
        reply = _judged(answer)
        if reply.ok and exchange.proof is Proof.OWED:
            raise ServerUnproven("the server accepted the login without proving that it knows the password")
        if reply.ok:
            return f"SASL_{exchange.mechanism.replace('-', '_')}"
        words, judged = exchange.problem or _words(reply), judged or reply.code == "AUTH"
        return _Refused(words, judged, cancelled=isinstance(response, SaslCancel))

    async def _exchange(self, method: AuthType) -> Exchange:
        name, binding = mechanism(method), None
        if method in _SCRAM and (binding := self._wire.stream.channel_binding()) is not None:
            capabilities = await self._capabilities()
            if capabilities is None:
                binding = None  # then the server cannot be told that it offers no -PLUS
            elif f"{name}-PLUS" in capabilities.sasl:
                name += "-PLUS"
        server = self._server
        return begin(
            name,
            self._username,
            self._password,
            initial_response=server.initial_response,
            server=Endpoint(server.host, server.port, binding),
        )


async def _response(exchange: Exchange, challenge: Continuation) -> SaslResponse | SaslCancel:
    work = partial(exchange.answer, challenge)
    if exchange.slow:
        return await trio.to_thread.run_sync(work, limiter=_proofs, abandon_on_cancel=True)
    return work()


def _told(reasons: dict[AuthType, str]) -> str:
    return "; ".join(f"{method.value}: {reason}" for method, reason in reasons.items())


def _words(reply: Reply) -> str:
    return visible(reply.text, 200) or "refused without a reason"


def _judged(answer: Reply | Listing | Continuation) -> Reply:
    assert isinstance(answer, Reply)
    if not answer.ok and (problem := turned_away(answer.text, answer.code)) is not None:
        raise problem
    return answer
