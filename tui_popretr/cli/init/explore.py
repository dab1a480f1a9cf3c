"""The safest connection that a POP3 server offers, and the login methods to use on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import trio

from tui_popretr.cli.probing import probe_server
from tui_popretr.clock import SystemClock
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import DEFAULT_AUTH_TYPES, AuthType
from tui_popretr.config.login import CLEAR_TEXT, TOKENS
from tui_popretr.config.model import ClientSettings, FolderDestination
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
from tui_popretr.facts import TlsDetails
from tui_popretr.hosts import POP3_PORT, POP3S_PORT, is_loopback
from tui_popretr.net.resolver import Resolver
from tui_popretr.session import auto
from tui_popretr.session.exploration import Findings
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import Connector
from tui_popretr.text import visible
from tui_popretr.wording import certificate_date

#: Timeout of each step in seconds, short because the user is waiting.
TIMEOUT = 15.0

# After these errors the next connection is tried. A wrong certificate is wrong on every port, and a server or attacker
# that injects replies before TLS gets no second chance.
_TRY_NEXT = (ServerUnreachable, TlsFailed, ConnectionCut, ServerStalled, ProtocolViolation)
_GIVE_UP = (HostNotFound, CertificateRejected, PlaintextInjected)

#: Called with the connection that was tried and its result.
Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Explored:
    """A server that answers, as far as it can be known before a login."""

    server: Server  # without username and password
    exposes_password: bool = False  # the password can be read on the network
    uidl: bool = True


def explore(
    host: str,
    port: int | None,
    trust: TlsPolicy,
    report: Report,
    connector: Connector,
    *,
    clear_text: bool = False,
    logins: tuple[AuthType, ...] = (),
) -> Explored:
    """Try the candidates in order and return the first that works. Does not log in.

    `trust`: the certificates to accept. `clear_text`: without TLS, also propose logins that show the password.
    `logins`: the methods to use, if they are known. Raises NoUsableMechanism, or the PopretrError that explains best
    why no connection works.
    """

    async def explore_candidates() -> Explored:
        trio.socket.set_custom_hostname_resolver(Resolver())
        problems: list[PopretrError] = []
        services = ConnectionServices()
        for server in candidates(host, port, trust):
            if server.tls is None and not (problems and isinstance(problems[-1], StlsRefused)):
                continue
            found = await probe_server(_client(server), services, connector, TIMEOUT, login=False)
            result = str(found.problem) if found.problem else _describe_tls(found.tls, SystemClock().now())
            report(f"port {server.port}, {security(server.tls)}", result)
            if found.problem is None:
                if logins:
                    return as_given(server, logins, found)
                return _with_logins(server, found, clear_text=clear_text)
            if isinstance(found.problem, _GIVE_UP) or not isinstance(found.problem, _TRY_NEXT):
                raise found.problem
            problems.append(found.problem)
        # An error that a server reports explains more than a port without a server.
        raise min(problems, key=lambda problem: isinstance(problem, ServerUnreachable))

    return trio.run(explore_candidates)


def candidates(host: str, port: int | None, trust: TlsPolicy) -> Iterator[Server]:
    """Yield the connections to try, the safest first: implicit TLS, STLS, no TLS. `port` None: the usual ports."""
    if port != POP3_PORT:
        yield Server(host, port or POP3S_PORT, tls=replace(trust, latent=False))
    if port != POP3S_PORT:
        yield Server(host, port or POP3_PORT, tls=replace(trust, latent=True))
        yield Server(host, port or POP3_PORT)


def security(tls: TlsPolicy | None) -> str:
    """Return how a connection is protected, in words that follow "port N, "."""
    if tls is None:
        return "without TLS"
    return "TLS after STLS" if tls.latent else "TLS from the first byte"


def _describe_tls(tls: TlsDetails | None, now: datetime) -> str:
    if tls is None:
        return "it answers; the server offers no TLS"
    subject = tls.subject or ", ".join(tls.names[:1]) or "without a name"
    verified = "pinned" if tls.pinned else "verified"
    text = f"{tls.version}, {verified} certificate of {subject}, issued by {tls.issuer or 'an unnamed issuer'}"
    if tls.expires is None:
        return text
    verb = "expired" if tls.expires < now else "expires"
    return f"{text}, {verb} {certificate_date(tls.expires, now)}"


def _with_logins(server: Server, found: Findings, *, clear_text: bool) -> Explored:
    offer = auto.Offer(found.capabilities, found.stamp is not None)
    private = server.tls is not None or is_loopback(server.host)
    methods = propose_logins(offer, private=private, clear_text=clear_text)
    return Explored(
        replace(server, auth_types=methods),
        exposes_password=not private and not CLEAR_TEXT.isdisjoint(methods),
        uidl=found.capabilities is None or found.capabilities.uidl,
    )


def as_given(server: Server, logins: tuple[AuthType, ...], found: Findings | None = None) -> Explored:
    """Return the server with login methods that are known, and what was found if it has been tried."""
    private = server.tls is not None or is_loopback(server.host)
    return Explored(
        replace(server, auth_types=logins),
        exposes_password=not (private or CLEAR_TEXT.isdisjoint(logins)),
        uidl=found is None or found.capabilities is None or found.capabilities.uidl,
    )


def propose_logins(offer: auto.Offer, *, private: bool, clear_text: bool = False) -> tuple[AuthType, ...]:
    """Return the login methods to write into a configuration, in order. Raises NoUsableMechanism.

    Unlike AUTO, which is strongest first: on a `private` connection all are equally safe, and USER and PASS or PLAIN
    are the ones that servers support best.
    """
    offered = [each for each in offer.methods if each not in (*TOKENS, AuthType.SASL_EXTERNAL)]
    digests = tuple(each for each in offered if each not in CLEAR_TEXT)
    plain: tuple[AuthType, ...] = tuple(each for each in (*DEFAULT_AUTH_TYPES, AuthType.SASL_LOGIN) if each in offered)
    if AuthType.USERPASS in plain:
        plain = DEFAULT_AUTH_TYPES
    if private:
        # Some servers list USER out of habit. They do not mean it if they list mechanisms, and PLAIN is not among them.
        doubtful = bool(offer.mechanisms) and AuthType.SASL_PLAIN not in offered
        chosen = digests + plain if doubtful else plain or digests
    else:
        chosen = digests + plain if clear_text else digests or plain
    if not chosen:
        raise NoUsableMechanism(
            f"the server offers no login method that init knows ({visible(', '.join(offer.mechanisms), 200)})",
            advice="write the configuration yourself; docs/configuration.md explains authtypes",
        )
    return chosen


def log_in(server: Server, connector: Connector) -> Findings:
    """Log in, list the mail, and quit. Retrieves nothing; never raises PopretrError."""

    async def probe_with_login() -> Findings:
        trio.socket.set_custom_hostname_resolver(Resolver())
        return await probe_server(_client(server), ConnectionServices(), connector, TIMEOUT)

    return trio.run(probe_with_login)


def _client(server: Server) -> ClientSettings:
    return ClientSettings("init", "init", server, FolderDestination("/"))
