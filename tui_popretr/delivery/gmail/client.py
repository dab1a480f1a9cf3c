"""Requests to the Gmail API for one session: with an access token, over one connection, in the transcript.

A token that Google refuses is renewed once for each request. No request is sent during a pause (memory.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tui_popretr.config.model import GmailDestination
from tui_popretr.delivery.credentials import TokenErrors
from tui_popretr.delivery.gmail.api import NotUnderstood, fields_of
from tui_popretr.delivery.gmail.memory import AccountMemory, memory_of
from tui_popretr.delivery.gmail.refusals import Refusal, error_of, in_doubt, is_busy, read_refusal
from tui_popretr.delivery.remote import AskOtherTokens, AskTokens, Say
from tui_popretr.errors import (
    ConnectionCut,
    DeliveryFailed,
    GmailAnswerUnclear,
    GmailInDoubt,
    GmailLoginFailed,
    GmailProtocolError,
    GmailTemporaryFailure,
    GmailUnreachable,
    GmailUnusable,
    PopretrError,
    ServerUnreachable,
    TlsFailed,
    WebRequestFailed,
    WebServerSilent,
)
from tui_popretr.facts import Direction
from tui_popretr.net.exchange import Body
from tui_popretr.net.http import Dial, Response, WebConnection, dial_tcp
from tui_popretr.secret import Secret
from tui_popretr.text import visible
from tui_popretr.wording import duration

if TYPE_CHECKING:
    from tui_popretr.net.tls import TlsContexts
    from tui_popretr.oauth.tokens import Tokens

#: Octets of an answer. The longest is the list of labels: an account has at most 10,000.
LIMIT: Final = 4 * 1024 * 1024
#: Seconds to connect, for TLS, for each piece of a request, and for an answer.
TIMEOUT: Final = 120.0

_TOKEN_ERRORS: Final = TokenErrors(
    login=GmailLoginFailed,
    unreachable=GmailUnreachable,
    temporary=GmailTemporaryFailure,
    protocol=GmailProtocolError,
    configuration=GmailUnusable,
)
#: Scopes that allow searching.
_READING: Final = frozenset(
    {
        "https://mail.google.com/",
        "https://www.googleapis.com/auth/gmail.readonly",
        "https://www.googleapis.com/auth/gmail.modify",
    }
)
_OK: Final = 200
_UNAUTHORIZED: Final = 401


def _now() -> datetime:
    return datetime.now(UTC)


class GmailClient:
    """One session's requests for one account. For one task at a time. Errors are DeliveryFailed."""

    def __init__(
        self,
        destination: GmailDestination,
        tokens: AskTokens,
        other_tokens: AskOtherTokens,
        said: Say,
        *,
        contexts: TlsContexts | None = None,
        timeout: float = TIMEOUT,
        dial: Dial = dial_tcp,
    ) -> None:
        self._destination = destination
        self._tokens = tokens
        self._other_tokens = other_tokens
        self._said = said
        self._web = WebConnection(destination.url, timeout=timeout, dial=dial, contexts=contexts)
        self._account = destination.account.casefold()
        self._token_sent = Secret("")

    @property
    def memory(self) -> AccountMemory:
        """What the process remembers of the account."""
        return memory_of(self._account)

    @property
    def login(self) -> str:
        """The command that logs in."""
        oauth = self._destination.oauth
        return oauth.login_command if oauth is not None else "tui-popretr login"

    async def get(self, path: str, what: str) -> dict[str, Any]:
        """Return the fields of what is at a path. `what` as in "cannot WHAT"."""
        return self._fields(await self._ask("GET", path, (), b"", what), what)

    async def post(
        self, path: str, content_type: str, body: bytes, what: str, *, accepts: frozenset[int] = frozenset()
    ) -> tuple[int, dict[str, Any]]:
        """Return the status of an answer and its fields: none if the status is another that is accepted."""
        headers = (("Content-Type", content_type),)
        response = await self._ask("POST", path, headers, body, what, accepts=accepts)
        return response.status, self._fields(response, what) if response.status == _OK else {}

    async def send_message(self, path: str, content_type: str, body: Body) -> dict[str, Any]:
        """Import a message; return the fields of the answer.

        Raises GmailInDoubt if the server had all octets, and its answer does not say what became of them.
        """
        what = "import a message"
        response = await self._ask("POST", path, (("Content-Type", content_type),), body, what, message=True)
        try:
            return self._read(response)
        except NotUnderstood as problem:
            raise GmailAnswerUnclear(f"{self._web.host} may have imported a message: {problem}") from None

    def unclear(self, problem: NotUnderstood, what: str) -> GmailProtocolError:
        """Return the error for an answer that cannot be understood."""
        return GmailProtocolError(f"cannot {what}: {self._web.host}: {problem}")

    def say(self, direction: Direction, text: str) -> None:
        """Add a line to the transcript."""
        self._said(direction, [f"Gmail {text}"])

    def close(self) -> None:
        """Close the connection; never raises."""
        self._web.close()

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | Body,
        what: str,
        *,
        message: bool = False,
        accepts: frozenset[int] = frozenset(),
    ) -> Response:
        """Return the answer to a request if it is a success, or a status that is accepted."""
        self._check_pause(what)
        tokens = await self._token()
        response = await self._send(method, path, headers, body, what, tokens.access, message=message)
        if response.status == _UNAUTHORIZED and (other := await self._other(tokens.access)) is not None:
            tokens = other
            response = await self._send(method, path, headers, body, what, tokens.access, message=message)
        if response.status == _OK and response.early:
            raise GmailProtocolError(f"cannot {what}: {self._web.host} answered before it had the whole request")
        if response.status == _OK or response.status in accepts:
            self.memory.end_pause()
            return response
        raise self._refused(read_refusal(response, tokens.access, _now()), what, response, message=message)

    async def _send(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | Body,
        what: str,
        token: Secret,
        *,
        message: bool,
    ) -> Response:
        self._token_sent = token
        octets = body.octets if isinstance(body, Body) else len(body)
        self.say(Direction.OUT, f"{method} {visible(path)}{f' octets={octets}' if octets else ''}")
        lines = [("Authorization", f"Bearer {token.reveal()}"), ("Accept", "application/json"), *headers]
        try:
            response = await self._web.request(method, path, lines, body, limit=LIMIT)
        except (ConnectionCut, WebServerSilent, ServerUnreachable, TlsFailed, WebRequestFailed) as problem:
            raise self._broken(problem, what, message=message) from problem
        self.say(Direction.IN, f"{response.status} {response.reason}".strip())
        return response

    def _refused(self, refusal: Refusal, what: str, response: Response, *, message: bool) -> DeliveryFailed:
        """Return the error for a refusal, and begin a pause if the server asks for it."""
        self.say(Direction.EVENT, f"refused: {refusal}")
        if is_busy(refusal):
            seconds = self.memory.begin_pause(refusal.wait)
            self.say(Direction.EVENT, f"no request is sent for {duration(seconds)}")
        if message and in_doubt(refusal) and not response.early:
            return GmailInDoubt(f"{self._web.host} may have imported a message: {refusal}")
        return error_of(refusal, what, login=self.login, message=message)

    def _broken(self, problem: PopretrError, what: str, *, message: bool) -> DeliveryFailed:
        """Return the error for a connection that broke, or could not be made."""
        self.say(Direction.EVENT, f"failed: {problem}")
        if isinstance(problem, ServerUnreachable):
            return GmailUnreachable(f"cannot {what}: {problem}", advice=problem.advice)
        if isinstance(problem, TlsFailed):
            advice = problem.advice or (
                "its certificate must be of an authority that this system trusts; SSL_CERT_FILE names others"
            )
            return GmailProtocolError(f"cannot {what}: {self._web.host} cannot be trusted: {problem}", advice=advice)
        if isinstance(problem, (ConnectionCut, WebServerSilent)):
            self.memory.begin_pause(None)
            if message and self._web.whole:
                return GmailInDoubt(f"{self._web.host} may have imported a message: {problem}")
            return GmailTemporaryFailure(f"cannot {what}: {problem}")
        if message and self._web.whole:
            return GmailAnswerUnclear(f"{self._web.host} may have imported a message: {problem}")
        return GmailProtocolError(f"cannot {what}: {problem}")

    def _check_pause(self, what: str) -> None:
        if seconds := self.memory.pause:
            raise GmailTemporaryFailure(
                f"cannot {what}: no request is sent to {self._web.host} for another {duration(max(1.0, seconds))}",
                advice=f"it has refused or broken off requests; {GmailTemporaryFailure.default_advice}",
            )

    def _fields(self, response: Response, what: str) -> dict[str, Any]:
        try:
            return self._read(response)
        except NotUnderstood as problem:
            raise self.unclear(problem, what) from None

    def _read(self, response: Response) -> dict[str, Any]:
        """Return the fields of an answer, which are shown and recorded. Raises NotUnderstood."""
        fields = fields_of(response.body)
        if self._token_sent and self._token_sent.reveal() in json.dumps(fields, ensure_ascii=False):
            raise NotUnderstood("its answer repeats the access token")
        return fields

    # --- access tokens ------------------------------------------------------------------------------------------------

    async def _token(self) -> Tokens:
        with _TOKEN_ERRORS.mapped(self._web.host):
            return self._checked(await self._tokens())

    async def _other(self, refused: Secret) -> Tokens | None:
        with _TOKEN_ERRORS.mapped(self._web.host):
            other = await self._other_tokens(refused)
        if other is None:
            return None
        self.say(Direction.EVENT, "the access token is renewed")
        return self._checked(other)

    def _checked(self, tokens: Tokens) -> Tokens:
        """Check whose token it is, and that it allows searching if that is needed."""
        wanted = self._destination.account
        again = f"log in again: {self.login}"
        if not tokens.account:
            raise GmailUnusable(
                "the access token does not say whose it is, so mail could go into another account",
                advice=f"the scopes openid and email are needed; {again}",
            )
        if tokens.account.casefold() != wanted.casefold():
            raise GmailUnusable(
                f"the access token is that of {visible(tokens.account)}, and <account> is {visible(wanted)}",
                advice=f"correct <account> in <gmail>, or {again}",
            )
        if self._destination.verify and tokens.scopes and _READING.isdisjoint(tokens.scopes):
            failure = GmailLoginFailed(
                "the access token does not allow searching, which <verify> needs",
                advice=f"{again}; or turn <verify> off: then a message may come twice after a cut connection",
            )
            failure.login_missing = True
            raise failure
        return tokens
