"""Opens a connection up to MAIL: connect, greeting, EHLO or LHLO, TLS, login."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.smtp import tls
from tui_popretr.delivery.smtp.deadlines import Deadlines
from tui_popretr.delivery.smtp.login import log_in
from tui_popretr.delivery.smtp.wire import Said, SmtpConnection
from tui_popretr.errors import (
    DeliveryFailed,
    PopretrError,
    SmtpLoginFailed,
    SmtpProtocolError,
    SmtpServerNotTrusted,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
)
from tui_popretr.hosts import is_loopback
from tui_popretr.secret import Secret
from tui_popretr.smtp.reply import Reply

#: Returns the password; blocking. May raise any PopretrError.
AskPassword = Callable[[], Secret]


@dataclass(frozen=True, slots=True)
class Extensions:
    """The server's extensions that matter for sending a message."""

    size: bool = False  # RFC 1870
    largest: int | None = None  # octets; None: not announced
    eight_bit: bool = False  # RFC 6152
    utf8: bool = False  # RFC 6531
    pipelining: bool = False  # RFC 2920

    @classmethod
    def of(cls, wire: SmtpConnection) -> Extensions:
        """Read the answer to EHLO."""
        parameter = wire.esmtp_features.get("size", "")
        largest = int(parameter) if re.fullmatch(r"[0-9]{1,18}", parameter, re.ASCII) else 0
        return cls(
            size=wire.has_extn("size"),
            largest=largest or None,  # 0: no fixed limit
            eight_bit=wire.has_extn("8bitmime"),
            utf8=wire.has_extn("smtputf8"),
            pipelining=wire.has_extn("pipelining"),
        )


def server_name(destination: SmtpDestination) -> str:
    """Return the server's name for texts."""
    return f"the {'LMTP' if destination.lmtp else 'SMTP'} server {destination.address}"


def new_wire(destination: SmtpDestination, client: str, said: Said, deadlines: Deadlines) -> SmtpConnection:
    """Return a connection that is not open yet. `client` is the name of our host."""
    context = tls.context(verified=not _is_here(destination)) if destination.implicit_tls else None
    return SmtpConnection(server_name(destination), client, said, deadlines, lmtp=destination.lmtp, tls=context)


def establish(wire: SmtpConnection, destination: SmtpDestination, password: AskPassword) -> Extensions:
    """Open a new connection up to the point where MAIL can be sent. Blocking. Raises DeliveryFailed."""
    greeting = wire.open(destination.socket_path or destination.look_up_name, destination.port)
    if not greeting.ok:
        what = f"{wire.name} takes no mail{' now' if greeting.passing else ''}: {greeting}"
        raise SmtpTemporaryFailure(what) if greeting.passing else SmtpServerUnreachable(what)
    _hello(wire, destination)
    if destination.starttls and not wire.under_tls:
        _start_tls(wire, destination)
        _hello(wire, destination)
    if destination.username is not None:
        try:
            secret = password()
        except DeliveryFailed:
            raise
        except PopretrError as problem:
            raise SmtpLoginFailed(f"cannot log in to {wire.name}: {problem}", advice=problem.advice) from problem
        log_in(wire, destination.username, secret, private=wire.under_tls or _is_here(destination))
        wire.logged_in = True
    return Extensions.of(wire)


def _hello(wire: SmtpConnection, destination: SmtpDestination) -> None:
    wire.introduce()
    code, message = wire.ehlo()
    if not 200 <= code < 300 and code >= 500 and not destination.lmtp:  # RFC 5321 §3.2: an old server
        code, message = wire.helo()
    reply = Reply(code, tuple(message.split(b"\n")))
    if reply.ok:
        return
    what = f"{wire.name} did not accept our greeting: {reply}"
    if reply.passing:
        raise SmtpTemporaryFailure(what)
    if destination.lmtp:
        raise SmtpProtocolError(what, advice="if it speaks SMTP, take <lmtp> out")
    raise SmtpProtocolError(what)


def _start_tls(wire: SmtpConnection, destination: SmtpDestination) -> None:
    if not wire.has_extn("starttls"):
        raise SmtpServerNotTrusted(
            f"{wire.name} offers no STARTTLS, and <starttls> asks for it",
            advice="if it speaks TLS from the first byte, use its port 465",
        )
    reply = wire.ask("STARTTLS")
    if reply.passing:  # 454, "TLS not available due to temporary reason" (RFC 3207 §4)
        raise SmtpTemporaryFailure(f"{wire.name} offers no TLS for now: {reply}")
    if reply.code != 220:
        raise SmtpServerNotTrusted(f"{wire.name} refused STARTTLS: {reply}")
    wire.start_tls(tls.context(verified=not _is_here(destination)))


def _is_here(destination: SmtpDestination) -> bool:
    return destination.socket_path is not None or is_loopback(destination.host)
