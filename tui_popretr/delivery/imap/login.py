"""Logging in to an IMAP server: each usable method once, in order, until one succeeds.

An access token that the server refuses is renewed once, and tried again.
"""

from __future__ import annotations

from functools import partial

from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import TOKENS
from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.credentials import Credentials, TokenRenewedError
from tui_popretr.delivery.imap.dialogue import Dialogue
from tui_popretr.delivery.imap.methods import mechanism, usable_methods
from tui_popretr.delivery.imap.refusals import Subject, refusal
from tui_popretr.delivery.threads import in_thread
from tui_popretr.errors import DeliveryFailed, ImapLoginFailed, ImapServerNotTrusted, ImapTemporaryFailure
from tui_popretr.imap import (
    Authentication,
    Capabilities,
    Continuation,
    LocalProtocolError,
    Login,
    SaslCancel,
    SaslResponse,
    Status,
)
from tui_popretr.sasl import Endpoint, Exchange, MechanismUnusable, Proof, begin
from tui_popretr.secret import Secret

_REFUSED_ADVICE = (
    "the access token is new, so another setting is wrong: is <username> in <imap> the mailbox of the account, and does"
    " the scope allow IMAP? To log in again: {}"
)


class LoginAttempt:
    """A login over one connection. `private`: no third party can read the connection."""

    def __init__(
        self, dialogue: Dialogue, destination: ImapDestination, credentials: Credentials, *, private: bool
    ) -> None:
        self._dialogue = dialogue
        self._destination = destination
        self._credentials = credentials
        self._private = private

    @property
    def _capabilities(self) -> Capabilities:
        return self._dialogue.machine.capabilities or Capabilities()

    async def run(self) -> None:
        """Log in. Raises DeliveryFailed and TokenRenewedError."""
        # The machine forgets the capabilities when a login begins.
        capabilities = self._capabilities
        methods = usable_methods(self._destination, capabilities, self._dialogue.name, private=self._private)
        failure: DeliveryFailed | None = None
        for method in methods:
            try:
                failure = await self._try(method, capabilities)
            except DeliveryFailed:
                if failure is None or not self._dialogue.gone:
                    raise
                break  # some servers close the connection after a refused login
            if failure is None:
                return
            if not isinstance(failure, ImapLoginFailed) or self._dialogue.gone:
                break
        assert failure is not None
        raise failure

    async def _try(self, method: AuthType, capabilities: Capabilities) -> DeliveryFailed | None:
        """Try a method; return the error of a refusal."""
        if method is AuthType.SASL_EXTERNAL:
            return await self._attempt(method, Secret(""), capabilities)
        secret = await self._credentials.get()
        failure = await self._attempt(method, secret, capabilities)
        by_token = method in TOKENS and self._destination.oauth is not None
        if not by_token or not isinstance(failure, ImapLoginFailed):
            return failure
        if (other := await self._credentials.other(secret)) is not None:
            try:
                failure = await self._attempt(method, other, capabilities)
            except ImapTemporaryFailure:
                if self._dialogue.gone:
                    raise TokenRenewedError from None
                raise
        if isinstance(failure, ImapLoginFailed) and self._destination.oauth is not None:
            failure.advice = _REFUSED_ADVICE.format(self._destination.oauth.login_command)
        return failure

    async def _attempt(self, method: AuthType, secret: Secret, capabilities: Capabilities) -> DeliveryFailed | None:
        username = self._destination.username or ""
        problem: str | None = None
        try:
            if method is AuthType.USERPASS:
                status = (await self._dialogue.ask(Login(username, secret))).status
            else:
                exchange = self._exchange(method, username, secret, capabilities)
                status = await self._authenticate(exchange, capabilities)
                problem = exchange.problem
        except (MechanismUnusable, LocalProtocolError) as unusable:
            return ImapLoginFailed(f"cannot log in to {self._dialogue.name} ({method.value}): {unusable}")
        if status.ok:
            return None
        text = f"{self._dialogue.name} did not accept the login ({method.value}): {problem or status}"
        return refusal(text, status, Subject.LOGIN, username)

    def _exchange(self, method: AuthType, username: str, secret: Secret, capabilities: Capabilities) -> Exchange:
        name, binding = mechanism(method), None
        if name.startswith("SCRAM-"):
            binding = self._dialogue.stream.channel_binding()
            if binding is not None and f"{name}-PLUS" in capabilities.mechanisms:
                name += "-PLUS"
        return begin(name, username, secret, Endpoint(self._destination.host, self._destination.port, binding))

    async def _authenticate(self, exchange: Exchange, capabilities: Capabilities) -> Status:
        """Return the server's final answer."""
        dialogue = self._dialogue
        authentication = Authentication(exchange, initial_response=capabilities.initial_response)
        command = authentication.start()
        await dialogue.begin(command)
        while True:
            deadline = dialogue.deadline()
            response = await dialogue.next(deadline)
            while not isinstance(response, Continuation) and not _completes(response, command):
                response = await dialogue.next(deadline)
            if isinstance(response, Status):
                if response.ok and exchange.proof is Proof.OWED:
                    raise ImapServerNotTrusted(
                        f"{dialogue.name} accepted the login without proving that it knows the password"
                    )
                return response
            assert isinstance(response, Continuation)
            await dialogue.begin(await _answer(authentication, response))
            if exchange.proof is Proof.WRONG:
                # No other method is tried, because it would reveal the password to this server.
                raise ImapServerNotTrusted(f"{dialogue.name}: {exchange.problem or exchange.proof.value}")


def _completes(response: object, command: object) -> bool:
    return isinstance(response, Status) and response.command is command


async def _answer(authentication: Authentication, challenge: Continuation) -> SaslResponse | SaslCancel:
    work = partial(authentication.answer, challenge)
    if authentication.exchange.slow:
        return await in_thread(work)
    return work()
