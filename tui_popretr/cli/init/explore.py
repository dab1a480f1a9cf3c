"""How a server is best reached: TLS from the first byte, else STLS, else in clear; and which logins it offers there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.config.login import CLEAR_TEXT, DEFAULT_AUTH_TYPES
from tui_popretr.config.model import AuthType, ClientSettings, FolderDestination, Server, TlsPolicy
from tui_popretr.engine.probe import Findings, probe, survey
from tui_popretr.errors import (
    CertificateRejected,
    ConnectionCut,
    HostNotFound,
    NoUsableMechanism,
    PlaintextInjected,
    PopretrError,
    ProtocolViolation,
    ServerStalled,
    ServerUnreachable,
    StlsRefused,
    TlsFailed,
)
from tui_popretr.facts import SessionId, TlsDetails
from tui_popretr.hosts import POP3_PORT, POP3S_PORT, is_loopback
from tui_popretr.net.stream import Resolver
from tui_popretr.session.setup import ConnectionSetup, Connector

#: So long is a server waited for at each step, seconds: somebody looks on.
PATIENCE = 15.0

# After these something else may work. A certificate that is wrong here is wrong everywhere, and whoever puts words into
# the server's mouth is not to be given a second chance.
_NOT_THIS_WAY = (ServerUnreachable, TlsFailed, ConnectionCut, ServerStalled, ProtocolViolation)
_NO_WAY_AT_ALL = (HostNotFound, CertificateRejected, PlaintextInjected)

# Those that keep the password off the wire, the strongest first.
_DIGESTS = (AuthType.SASL_SCRAM_SHA_256, AuthType.SASL_SCRAM_SHA_1, AuthType.SASL_CRAM_MD5, AuthType.APOP)


class Security(Enum):
    """How a connection is protected, in words that fit behind "port N, "."""

    TLS = "TLS from the first byte"
    STLS = "TLS after STLS"
    CLEAR = "without TLS"


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificates are accepted: those verified by the file at `path`, or by the system's, or the pinned one."""

    path: str | None = None  # None: the system's
    fingerprint: str = ""  # SHA-256, 64 lower-case hex digits; "": none is pinned


@dataclass(frozen=True, slots=True)
class Approach:
    """A way to a server that works, and how to log in there."""

    port: int
    security: Security
    auth_types: tuple[AuthType, ...] = DEFAULT_AUTH_TYPES
    exposed: bool = False  # whoever listens reads the password off the wire
    uidl: bool = True  # as far as the server tells before a login

    def policy(self, trust: Trust) -> TlsPolicy | None:
        """Return the policy of its TLS, None where there is none."""
        if self.security is Security.CLEAR:
            return None
        pins = (trust.fingerprint,) if trust.fingerprint else ()
        return TlsPolicy(self.security is Security.STLS, trust.path, fingerprints=pins)


#: Told what is tried, and what came of it.
Teller = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The server that is looked for."""

    host: str
    port: int | None  # None: one of the usual two
    trust: Trust = Trust()
    clear_text: bool = False  # logins that show the password may be used without TLS


def explore(wanted: Wanted, tell: Teller, connector: Connector) -> Approach:
    """Try the ways to a server in order and return the first that works; nobody logs in.

    Raises the PopretrError that is in the way where none works, and NoUsableMechanism.
    """
    return trio.run(_explore, wanted, tell, connector)


async def _explore(wanted: Wanted, tell: Teller, connector: Connector) -> Approach:
    trio.socket.set_custom_hostname_resolver(Resolver())
    problems: list[PopretrError] = []
    for way in ways(wanted.port):
        if way.security is Security.CLEAR and not (problems and isinstance(problems[-1], StlsRefused)):
            continue
        server = Server(wanted.host, way.port, None, None, (), initial_response=False, tls=way.policy(wanted.trust))
        setup = _entry(server, connector)
        found = await survey(setup)
        what = str(found.problem) if found.problem else _certificate(found.tls, setup.clock.now())
        tell(f"port {way.port}, {way.security.value}", what)
        if found.problem is None:
            return _with_logins(way, wanted, found)
        if isinstance(found.problem, _NO_WAY_AT_ALL) or not isinstance(found.problem, _NOT_THIS_WAY):
            raise found.problem
        problems.append(found.problem)
    # What a server said of itself says more than that nobody listens at another port.
    raise min(problems, key=lambda problem: isinstance(problem, ServerUnreachable))


def ways(port: int | None) -> Iterator[Approach]:
    """Yield the ways to be tried, the safest first."""
    if port != POP3_PORT:
        yield Approach(port or POP3S_PORT, Security.TLS)
    if port != POP3S_PORT:
        yield Approach(port or POP3_PORT, Security.STLS)
        yield Approach(port or POP3_PORT, Security.CLEAR)


def _certificate(tls: TlsDetails | None, now: datetime) -> str:
    if tls is None:
        return "it answers; the server offers no TLS"
    subject = tls.subject or ", ".join(tls.names[:1]) or "without a name"
    verified = "pinned" if tls.pinned else "verified"
    told = f"{tls.version}, {verified} certificate of {subject}, issued by {tls.issuer or 'nobody named'}"
    if tls.expires is None:
        return told
    days = (tls.expires - now).days
    return f"{told}, good for {days} day{'' if days == 1 else 's'}"


# --- logins -----------------------------------------------------------------------------------------------------------


def _with_logins(way: Approach, wanted: Wanted, found: Findings) -> Approach:
    """Complete an approach with what the server offers there. Raises NoUsableMechanism."""
    offered = offered_logins(found)
    digests = tuple(each for each in _DIGESTS if each in offered)
    plain = tuple(each for each in (*DEFAULT_AUTH_TYPES, AuthType.SASL_LOGIN) if each in offered)
    if AuthType.USERPASS in plain:
        plain = DEFAULT_AUTH_TYPES
    if way.security is not Security.CLEAR or is_loopback(wanted.host):
        # Here all are equally safe, and servers are most used to the two that nearly every one has. Some name USER out
        # of habit: not so where mechanisms are named, and PLAIN is none of them.
        named = bool(found.capabilities and found.capabilities.sasl) and AuthType.SASL_PLAIN not in offered
        chosen, exposed = (digests + plain if named else plain or digests), False
    else:
        chosen = digests + plain if wanted.clear_text else digests or plain
        exposed = not CLEAR_TEXT.isdisjoint(chosen)
    if not chosen:
        names = ", ".join(found.capabilities.sasl) if found.capabilities else ""
        raise NoUsableMechanism(
            f"the server offers no login method that init knows ({names or 'it names none'})",
            advice="write the configuration yourself; docs/configuration.md explains authtypes",
        )
    uidl = found.capabilities is None or found.capabilities.uidl
    return Approach(way.port, way.security, chosen, exposed, uidl)


def offered_logins(found: Findings) -> set[AuthType]:
    """Return the login methods that a server offers; every server is taken to have USER and PASS that does not tell."""
    offered = {AuthType.APOP} if found.apop else set()
    capabilities = found.capabilities
    if capabilities is None or capabilities.has("USER") or not capabilities.sasl:
        offered.add(AuthType.USERPASS)
    for mechanism in capabilities.sasl if capabilities else ():
        name = f"SASL_{mechanism.replace('-', '_')}"
        if name in AuthType.__members__:
            offered.add(AuthType[name])
    return offered


# --- a login ----------------------------------------------------------------------------------------------------------


def log_in(server: Server, connector: Connector) -> Findings:
    """Log in, see how much mail there is, and leave. Nothing is retrieved; never raises PopretrError."""
    return trio.run(_log_in, server, connector)


async def _log_in(server: Server, connector: Connector) -> Findings:
    trio.socket.set_custom_hostname_resolver(Resolver())
    return await probe(_entry(server, connector))


def _entry(server: Server, connector: Connector) -> ConnectionSetup:
    client = ClientSettings("init", "init", server, FolderDestination("/"))
    return ConnectionSetup(SessionId("init", 1), client, Bus(), SystemClock(), connector, PATIENCE)
