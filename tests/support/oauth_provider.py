"""An OAuth provider for tests, without sockets: what it answers to a request, and what its user does in a browser.

Device flow (RFC 8628), authorization code with PKCE (RFC 6749, 7636, 8252, 9207), rotation of refresh tokens,
revocation (RFC 7009), introspection (RFC 7662), and faults. It is strict: what these RFCs require of a client is
required here. oauth_serving.py puts it behind a port; a test with a clock of its own calls answer().

Tokens and secrets begin with MARK of passwords.py, so that they are found wherever they must not be. User codes,
authorization codes and states are shown to people, and do not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.support.passwords import MARK

CLIENT_ID: Final = "client-of-tests"
CLIENT_SECRET: Final = f"{MARK}-client-secret"
ACCOUNT: Final = "me@example.test"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SLOW_DOWN: Final = 5  # seconds (RFC 8628 §3.5)


class Fault(Enum):
    """What an endpoint does instead of its work, or to its answer."""

    HTML = auto()
    ERROR_500 = auto()
    BUSY_503 = auto()
    REDIRECTION = auto()
    #: no answer, and the connection stays
    SILENCE = auto()
    #: no answer, and the connection ends
    CUT = auto()
    #: more than any client should read
    LARGE = auto()
    #: JSON that is no answer of OAuth
    NONSENSE = auto()
    #: the answer without its first field
    INCOMPLETE = auto()
    #: of the redirection to the client
    WRONG_STATE = auto()
    NO_STATE = auto()
    WRONG_ISS = auto()
    NO_ISS = auto()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has arrived."""

    method: str
    path: str
    form: dict[str, str]
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; a status of 0 is silence, of -1 a cut."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    location: str = ""

    @classmethod
    def json(cls, status: int = 200, **fields: object) -> Answer:
        """A JSON object; fields that are None are left out."""
        return cls(status, json.dumps({name: value for name, value in fields.items() if value is not None}).encode())

    @classmethod
    def page(cls, status: int, text: str) -> Answer:
        """A page for people."""
        return cls(status, f"<!DOCTYPE html><title>{text}</title><p>{text}\n".encode(), "text/html; charset=utf-8")


@dataclass(slots=True)
class _Grant:
    """What a user has granted; it ends as a whole."""

    scope: str
    account: str
    refresh: str = ""
    spent: set[str] = field(default_factory=set)
    revoked: bool = False


@dataclass(slots=True)
class _Device:
    user_code: str
    scope: str
    expires: float
    interval: float
    polled: float | None = None
    decision: bool | None = None


@dataclass(slots=True)
class _Code:
    grant: _Grant
    redirect: str
    challenge: str
    expires: float
    used: bool = False


class _Refused(Exception):
    """An error of OAuth (RFC 6749 §5.2)."""

    def __init__(self, error: str, description: str | None = None, status: int = 400) -> None:
        super().__init__(error)
        self.answer = Answer.json(status, error=error, error_description=description)


class OAuthProvider:
    """A provider with one client and one user, at `base` (http://127.0.0.1:PORT); clock() is in seconds.

    All attributes can be changed while it runs.
    """

    def __init__(self, base: str = "https://provider.test", *, clock: Callable[[], float] = time.time) -> None:
        self.base = base
        self._clock = clock
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Set all attributes to their first values, and forget all grants."""
        self.account = ACCOUNT
        #: "" for a public client
        self.client_secret = ""
        #: seconds
        self.lifetime = 3600
        self.device_lifetime = 600
        self.code_lifetime = 60
        self.interval: int | None = 1
        #: a refresh token is replaced when it is used; using it again ends the grant
        self.rotates = True
        #: answers to a refresh have no refresh token
        self.keeps_refresh_token = False
        #: no refresh token at all
        self.gives_refresh_token = True
        #: what is granted, whatever was asked for
        self.granted_scope: str | None = None
        #: the user agrees in the browser
        self.agrees = True
        #: the user types the code of each device at once, and agrees
        self.agrees_on_devices = False
        #: the number of polls to be answered by slow_down
        self.slow_downs = 0
        #: by the endpoint's path
        self.faults: dict[str, Fault] = {}
        #: the error that the token endpoint answers to a refresh, whatever the token is
        self.refresh_error = ""
        self.asked: list[Asked] = []
        #: polls that came before the interval was over
        self.early_polls = 0
        self._number = 0
        self._access: dict[str, tuple[_Grant, float]] = {}
        self._grants: list[_Grant] = []
        self._devices: dict[str, _Device] = {}
        self._codes: dict[str, _Code] = {}

    # --- addresses ----------------------------------------------------------------------------------------------------

    @property
    def auth_url(self) -> str:
        return f"{self.base}/authorize"

    @property
    def token_url(self) -> str:
        return f"{self.base}/token"

    @property
    def device_url(self) -> str:
        return f"{self.base}/device"

    @property
    def revoke_url(self) -> str:
        return f"{self.base}/revoke"

    @property
    def issuer(self) -> str:
        return self.base

    @property
    def introspection_url(self) -> str:
        """For a server that gets a token and asks whose it is."""
        return f"{self.base}/introspect"

    # --- the user -----------------------------------------------------------------------------------------------------

    def approve(self, user_code: str) -> None:
        """The user types the code of a device, and agrees. Raises KeyError for another code."""
        self._decide(user_code, True)

    def deny(self, user_code: str) -> None:
        """The same, but the user does not agree."""
        self._decide(user_code, False)

    def _decide(self, user_code: str, decision: bool) -> None:
        with self._lock:
            device = next((each for each in self._devices.values() if each.user_code == user_code), None)
            if device is None:
                raise KeyError(user_code)
            device.decision = decision

    def user_code(self) -> str:
        """The code that the last device shows."""
        with self._lock:
            return list(self._devices.values())[-1].user_code

    def consent(self, address: str) -> str:
        """Open an authorization address as a browser does, and return the address that it is redirected to.

        Raises AssertionError where there is a page instead.
        """
        answer = self.answer("GET", address.removeprefix(self.base))
        assert answer.status == 302, answer.body.decode()
        return answer.location

    def revoke(self) -> None:
        """The user removes the access of every program."""
        with self._lock:
            for grant in self._grants:
                grant.revoked = True

    def expire_access(self) -> None:
        """End all access tokens, before their time."""
        with self._lock:
            self._access.clear()

    def expire_codes(self) -> None:
        """End all codes of devices and authorizations."""
        with self._lock:
            for device in self._devices.values():
                device.expires = self._clock() - 1
            for code in self._codes.values():
                code.expires = self._clock() - 1

    def count(self, path: str, grant: str = "") -> int:
        """How many requests have arrived at an endpoint, with this grant_type."""
        with self._lock:
            return sum(
                each.path == path and each.form.get("grant_type", "") == (grant or each.form.get("grant_type", ""))
                for each in self.asked
            )

    def owner(self, access: str) -> str | None:
        """Whose access token it is, None where it is not valid."""
        with self._lock:
            grant, expires = self._access.get(access, (None, 0.0))
            return None if grant is None or grant.revoked or expires <= self._clock() else grant.account

    # --- requests -----------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Return the answer to a request; names of headers are lower-case."""
        with self._lock:
            return self._answer(method, target, headers or {}, body)

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(target)
        path = parts.path
        pairs = parse_qsl(
            parts.query if method == "GET" else body.decode(), keep_blank_values=True, strict_parsing=bool(body)
        )
        form = dict(pairs)
        self.asked.append(Asked(method, path, form, self._clock()))
        fault = self.faults.get(path)
        if fault is not None and (answer := self._instead(fault)):
            return answer
        if (method, path) == ("GET", "/authorize"):
            return self._authorize(form, fault)
        work = {
            "/token": self._token,
            "/device": self._device,
            "/revoke": self._revoke,
            "/introspect": self._introspect,
        }
        if path not in work:
            return Answer.page(404, "Not Found")
        try:
            if (
                method != "POST"
                or headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded"
            ):
                raise _Refused("invalid_request", "a form is expected, by POST")
            if len(form) != len(pairs):
                raise _Refused("invalid_request", "a parameter is there twice")
            if path != "/introspect":
                self._authenticate(form, headers)
            answer = work[path](form)
        except _Refused as refused:
            return refused.answer
        if fault is Fault.INCOMPLETE:
            fields = json.loads(answer.body)
            fields.pop(next(iter(fields)))
            return Answer.json(**fields)
        return answer

    def _instead(self, fault: Fault) -> Answer | None:
        match fault:
            case Fault.HTML:
                return Answer.page(200, "Please log in to this network")
            case Fault.ERROR_500:
                return Answer.page(500, "Internal Server Error")
            case Fault.BUSY_503:
                return Answer.json(503, error="temporarily_unavailable")
            case Fault.REDIRECTION:
                return Answer(302, location=f"{self.base}/elsewhere")
            case Fault.SILENCE:
                return Answer(0)
            case Fault.CUT:
                return Answer(-1)
            case Fault.LARGE:
                return Answer(200, b"[" + b"1," * 5_000_000 + b"1]")
            case Fault.NONSENSE:
                return Answer(200, b'["token"]')
        return None

    def _authenticate(self, form: dict[str, str], headers: dict[str, str]) -> None:
        """RFC 6749 §2.3.1."""
        name, secret = form.get("client_id"), form.get("client_secret", "")
        kind, _, coded = headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            if "client_secret" in form:
                raise _Refused("invalid_request", "the client authenticates itself twice")
            user, _, password = base64.b64decode(coded).decode().partition(":")
            name, secret = unquote(user), unquote(password)
        if name != CLIENT_ID or secret != self.client_secret:
            raise _Refused("invalid_client", "unknown client, or wrong secret", 401)

    # --- endpoints ----------------------------------------------------------------------------------------------------

    def _authorize(self, form: dict[str, str], fault: Fault | None) -> Answer:
        redirect = urlsplit(form.get("redirect_uri", ""))
        if form.get("client_id") != CLIENT_ID:
            return Answer.page(400, "invalid_client")
        if (redirect.scheme, redirect.hostname) != ("http", "127.0.0.1") or redirect.path != "/" or redirect.query:
            return Answer.page(400, "redirect_uri_mismatch")  # RFC 8252 §7.3: any port
        back = {"state": form.get("state"), "iss": self.issuer}
        if fault in (Fault.WRONG_STATE, Fault.NO_STATE):
            back["state"] = "another" if fault is Fault.WRONG_STATE else None
        if fault in (Fault.WRONG_ISS, Fault.NO_ISS):
            back["iss"] = "https://attacker.test" if fault is Fault.WRONG_ISS else None
        if form.get("response_type") != "code":
            back["error"] = "unsupported_response_type"
        elif len(form.get("state", "")) < 16 or not form.get("scope"):
            back |= {"error": "invalid_request", "error_description": "no state of its own, or no scope"}
        elif form.get("code_challenge_method") != "S256" or len(form.get("code_challenge", "")) != 43:
            back |= {"error": "invalid_request", "error_description": "PKCE by S256 is required"}
        elif not self.agrees:
            back |= {"error": "access_denied", "error_description": "The user did not consent"}
        else:
            code = f"code-{secrets.token_urlsafe(24)}"
            grant = self._grant(form["scope"])
            expires = self._clock() + self.code_lifetime
            self._codes[code] = _Code(grant, form["redirect_uri"], form["code_challenge"], expires)
            back["code"] = code
        query = urlencode({name: value for name, value in back.items() if value is not None})
        return Answer(302, location=f"{form['redirect_uri']}?{query}")

    def _device(self, form: dict[str, str]) -> Answer:
        if not form.get("scope"):
            raise _Refused("invalid_scope")
        code = self._secret("device")
        letters = "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        expires = self._clock() + self.device_lifetime
        self._devices[code] = device = _Device(user_code, form["scope"], expires, self.interval or _SLOW_DOWN)
        device.decision = self.agrees_on_devices or None
        return Answer.json(
            device_code=code,
            user_code=user_code,
            verification_uri=f"{self.base}/activate",
            verification_uri_complete=f"{self.base}/activate?user_code={user_code}",
            expires_in=self.device_lifetime,
            interval=self.interval,
        )

    def _token(self, form: dict[str, str]) -> Answer:
        match form.get("grant_type"):
            case "authorization_code":
                return self._by_code(form)
            case "refresh_token":
                return self._by_refresh_token(form)
            case grant if grant == DEVICE_GRANT:
                return self._by_device(form)
        raise _Refused("unsupported_grant_type")

    def _by_code(self, form: dict[str, str]) -> Answer:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.expires <= self._clock():
            raise _Refused("invalid_grant", "the code has expired or was never given")
        if code.used:
            code.grant.revoked = True  # RFC 6749 §4.1.2
            raise _Refused("invalid_grant", "the code was used before")
        code.used = True
        verifier = form.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if not 43 <= len(verifier) <= 128 or digest != code.challenge:
            raise _Refused("invalid_grant", "the code verifier does not fit")
        if form.get("redirect_uri") != code.redirect:
            raise _Refused("invalid_grant", "another redirect_uri")
        return self._tokens(code.grant)

    def _by_refresh_token(self, form: dict[str, str]) -> Answer:
        if self.refresh_error:
            raise _Refused(self.refresh_error)
        token = form.get("refresh_token", "")
        grant = next((each for each in self._grants if token and (token == each.refresh or token in each.spent)), None)
        if grant is None or grant.revoked:
            raise _Refused("invalid_grant", "the refresh token has expired or was revoked")
        if token in grant.spent:
            grant.revoked = True
            raise _Refused("invalid_grant", "the refresh token was used before")
        return self._tokens(grant, renewed=True)

    def _by_device(self, form: dict[str, str]) -> Answer:
        device, now = self._devices.get(form.get("device_code", "")), self._clock()
        if device is None:
            raise _Refused("invalid_grant")
        early = device.polled is not None and now < device.polled + device.interval - 0.1
        device.polled = now
        if early:
            self.early_polls += 1
        if early or self.slow_downs > 0:
            self.slow_downs = max(0, self.slow_downs - 1)
            device.interval += _SLOW_DOWN
            raise _Refused("slow_down")
        if now >= device.expires:
            raise _Refused("expired_token")
        if device.decision is None:
            raise _Refused("authorization_pending")
        del self._devices[form["device_code"]]
        if not device.decision:
            raise _Refused("access_denied")
        return self._tokens(self._grant(device.scope))

    def _revoke(self, form: dict[str, str]) -> Answer:
        token = form.get("token", "")
        for grant in self._grants:
            if token in (grant.refresh, *(access for access, (of, _) in self._access.items() if of is grant)):
                grant.revoked = True
        return Answer(200)  # also for a token that it does not know (RFC 7009 §2.2)

    def _introspect(self, form: dict[str, str]) -> Answer:
        token = form.get("token", "")
        owner = self.owner(token)
        if owner is None:
            return Answer.json(active=False)
        grant, expires = self._access[token]
        return Answer.json(active=True, username=owner, scope=grant.scope, client_id=CLIENT_ID, exp=int(expires))

    # ------------------------------------------------------------------------------------------------------------------

    def _grant(self, scope: str) -> _Grant:
        grant = _Grant(self.granted_scope or scope, self.account)
        self._grants.append(grant)
        return grant

    def _secret(self, kind: str) -> str:
        self._number += 1
        return f"{MARK}.{kind}-{self._number}.{secrets.token_urlsafe(16)}"

    def _tokens(self, grant: _Grant, *, renewed: bool = False) -> Answer:
        access = self._secret("access")
        self._access[access] = (grant, self._clock() + self.lifetime)
        fields: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "scope": grant.scope,
        }
        if self.gives_refresh_token and (not renewed or self.rotates):
            if grant.refresh:
                grant.spent.add(grant.refresh)
            grant.refresh = self._secret("refresh")
        if self.gives_refresh_token and not (renewed and self.keeps_refresh_token):
            fields["refresh_token"] = grant.refresh
        if "openid" in grant.scope.split():
            fields["id_token"] = _unsigned(
                {"iss": self.issuer, "aud": CLIENT_ID, "sub": "1", "email": grant.account, "exp": self._clock() + 600}
            )
        return Answer.json(**fields)


def _unsigned(claims: dict[str, object]) -> str:
    """An id token as it comes from the token endpoint: over TLS its signature need not be checked."""
    parts = [{"alg": "none"}, claims]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return f"{'.'.join(coded)}."
