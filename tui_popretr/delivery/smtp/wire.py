"""One SMTP or LMTP connection: smtplib with deadlines, limits, a transcript, and interrupt()."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tui_popretr.delivery.smtp import tls as trust
from tui_popretr.delivery.smtp.deadlines import Deadlines
from tui_popretr.delivery.smtp.lookup import Address, Lookup
from tui_popretr.delivery.smtp.refusals import Circumstances
from tui_popretr.errors import (
    DeliveryFailed,
    SmtpProtocolError,
    SmtpServerNotTrusted,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
    describe_os_error,
)
from tui_popretr.facts import Direction
from tui_popretr.mail.domains import own_name
from tui_popretr.secret import STARS
from tui_popretr.smtp.reply import Reply
from tui_popretr.text import visible

#: Called with every line of the dialogue, with secrets starred out, safe to show, in the thread of the dialogue.
Said = Callable[[Direction, str], None]

#: Limits: octets of a line and lines of a reply. A line may have 512 (RFC 5321 §4.5.3.1.5), in AUTH 12,288.
MAX_LINE: Final = 12 * 1024
MAX_LINES: Final = 256
#: Octets of a secret that is starred out after the login. Shorter ones occur in other text by chance.
MIN_ECHO: Final = 4

_RECEIVE: Final = 16 * 1024
_CODE: Final = re.compile(rb"[2-5][0-9][0-9](?![^ -])")


class SmtpConnection(smtplib.LMTP):
    """A connection, to be opened with open(). smtplib.LMTP can also open Unix sockets.

    Each wait is for a complete reply and has a deadline, which single octets do not extend. Errors are DeliveryFailed
    with the server's name; smtplib's own exceptions are never raised.
    """

    def __init__(
        self,
        name: str,
        client: str,
        said: Said,
        deadlines: Deadlines,
        *,
        lmtp: bool,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`client` is the name of our host; `tls` is for TLS from the first byte."""
        super().__init__(local_hostname=client)
        self._client = client
        self.name = name
        self.ehlo_msg = "LHLO" if lmtp else "EHLO"
        self.deadlines = deadlines
        self.timeout = deadlines.connect
        #: The connection cannot be used for commands: an error occurred, the server is closing it, or a message is
        #: being sent and its end is not answered yet.
        self.over = False
        #: The number of commands without an answer.
        self.due = 0
        #: The server closed the connection, or it broke.
        self.lost = False
        #: Or the server has announced that it closes it (421).
        self.gone = False
        #: The number of messages accepted, and of recipients refused, over this connection.
        self.served = self.refusals = 0
        #: An answer to one of several commands that were sent together did not come in time.
        self.deaf = False
        self._together = False
        self.under_tls = False
        self.logged_in = False
        self._protocol = "LMTP" if lmtp else "SMTP"
        self._said = said
        self._implicit = tls
        self._patience = deadlines.answer
        self._host_in_certificate = ""
        self._buffer = bytearray()
        self._secrets: tuple[bytes, ...] = ()
        self._hidden = ""  # shown instead of the next command
        self._guard = threading.Lock()  # of the attribute `sock`, which interrupt() uses
        self._interrupted = False
        self._lookup = Lookup()

    @property
    def circumstances(self) -> Circumstances:
        return Circumstances(self.under_tls, self.logged_in)

    # --- opening and ending -------------------------------------------------------------------------------------------

    def open(self, host: str, port: int) -> Reply:
        """Connect, to a path if `host` begins with a slash, and return the greeting."""
        self._host_in_certificate = host.removesuffix(".")
        if host.startswith("/"):
            self.say(Direction.EVENT, f"Connecting to {visible(host)}")
        try:
            code, message = self.connect(host, port)
        except DeliveryFailed:
            raise
        except (OSError, ValueError) as error:
            reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
            raise self._unreachable(reason) from error
        return Reply(code, tuple(message.split(b"\n")))

    def introduce(self) -> None:
        """Set the name for EHLO, LHLO and HELO: our host's name if it is a domain, else our address."""
        try:
            self.local_hostname = own_name(self._client, self._usable())
        except OSError as error:
            raise self._cut(error) from error

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the handshake after the 220 to STARTTLS. The earlier EHLO answer is dropped (RFC 3207 §4.2)."""
        if self._buffer:
            raise SmtpServerNotTrusted(
                f"{self.name} sent octets in clear after its answer to STARTTLS: the connection is not safe"
            )
        self._secure(context)
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def interrupt(self) -> None:
        """Make the current call in another thread fail, and all later ones. From any thread."""
        with self._guard:
            self._interrupted = True
            self._lookup.give_up()
            if self.sock is not None:
                # Not SSLSocket.shutdown(), which removes the TLS first: data that is being sent would go out in clear.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection at once; never raises."""
        if self._close_socket():
            self.say(Direction.EVENT, "Disconnect")

    def send_quit(self) -> None:
        """Send QUIT, wait a moment for the answer, and close. Never raises."""
        if not self.over:
            with contextlib.suppress(DeliveryFailed):
                self.ask("QUIT", patience=self.deadlines.quit)
        self.close()

    # --- commands and replies -----------------------------------------------------------------------------------------

    def ask(
        self, line: str, *, patience: float | None = None, shown: str | None = None, secrets: tuple[bytes, ...] = ()
    ) -> Reply:
        """Send a command and return the answer. `shown` is shown instead of a command with a secret."""
        patience = self.deadlines.answer if patience is None else patience
        if secrets:
            self._secrets = (*self._secrets, *secrets)
        self._hidden, self._patience = shown or "", patience
        try:
            self.putcmd(line)
        finally:
            self._hidden, self._patience = "", self.deadlines.answer
        return self.reply(patience, least_echo=1 if secrets else MIN_ECHO)

    def command(self, *lines: str) -> None:
        """Send commands, several at once only to a server that offers PIPELINING. Each has a reply(), in this order."""
        if any("\r" in line or "\n" in line for line in lines):
            raise DeliveryFailed(f"a command to {self.name} would have a line end in it")
        if self._buffer:  # a second answer to the command before, or an early one to this command
            whole = bytes(self._buffer).partition(b"\n")[0] if b"\n" in self._buffer else b""  # not a part of a secret
            raise self._confused(f"gave more answers than it was asked for: {visible(self._redacted(whole, 1), 200)}")
        for line in lines:
            self.say(Direction.OUT, self._hidden or visible(line))
        self.over = True  # until the answers have come
        self.due = len(lines)
        self._together = len(lines) > 1
        self._send("".join(f"{line}\r\n" for line in lines).encode(self.command_encoding), self._patience)

    def reply(self, patience: float, *, least_echo: int = MIN_ECHO) -> Reply:
        """Wait for a reply and return it."""
        self.over = True  # until it has come
        deadline = time.monotonic() + patience
        lines: list[bytes] = []
        while True:
            line = self._redacted(self._line(deadline), least_echo)
            self.say(Direction.IN, visible(line))
            if not _CODE.match(line):
                raise self._confused(f"gave an answer that is not an SMTP reply: {visible(line, 200)}")
            if len(lines) == MAX_LINES:
                raise self._confused(f"gave an answer of more than {MAX_LINES} lines")
            lines.append(line[4:].strip(b" \t"))
            if line[3:4] != b"-":
                answer = Reply(int(line[:3]), tuple(lines))
                self.due = 0 if answer.leaving else max(self.due - 1, 0)
                self.over = answer.leaving or self.due > 0
                self.gone = answer.leaving
                return answer

    def stream(self, data: bytes) -> None:
        """Send a piece of the message."""
        self.over = True
        self._together = False
        self._send(data, self.deadlines.piece)

    def has_spoken(self) -> bool:
        """Whether the server has sent something unasked, such as a refusal or a timeout. Does not wait.

        Raises SmtpTemporaryFailure if it has closed the connection.
        """
        if self._buffer:
            return True
        try:
            sock = self._usable()
            sock.settimeout(0)
            data = sock.recv(_RECEIVE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except (OSError, ValueError) as error:
            raise self._cut(error) from error
        if not data:
            raise self._cut(None)
        self._buffer += data
        return True

    def say(self, direction: Direction, text: str) -> None:
        """Add a line to the transcript. The protocol's name distinguishes it from lines of the POP3 server."""
        self._said(direction, f"{self._protocol} {text}")

    # --- what smtplib calls -------------------------------------------------------------------------------------------

    def getreply(self) -> tuple[int, bytes]:
        answer = self.reply(self._patience)
        return answer.code, b"\n".join(answer.lines)

    def putcmd(self, cmd: str, args: str = "") -> None:
        self.command(f"{cmd} {args}" if args else cmd)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect to the first address that answers, in the order of the resolver."""
        deadline = time.monotonic() + timeout
        addresses = self._find(host, port)
        problem: OSError = OSError("there is no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                self._use(sock)
                # An address that does not answer leaves time for the others.
                sock.settimeout(max(0.1, (deadline - time.monotonic()) / (len(addresses) - number)))
                sock.connect(address)
                self.say(Direction.EVENT, f"Connection to {address[0]} port {port}")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except TimeoutError:
                problem = TimeoutError(f"no answer within {timeout:g} s")
                self._close_socket()
            except OSError as error:
                problem = error
                self._close_socket()
            except DeliveryFailed:
                sock.close()
                raise
            else:
                if self._implicit is not None:
                    self._secure(self._implicit)
                return self._usable()
            if self._interrupted:
                break
        raise problem

    # --- inside -------------------------------------------------------------------------------------------------------

    def _find(self, host: str, port: int) -> Sequence[Address]:
        try:
            found = self._lookup.addresses(host, port, self.deadlines.connect)
        except TimeoutError:
            raise self._unreachable(f"the resolver did not answer within {self.deadlines.connect:g} s") from None
        except (OSError, UnicodeError) as error:
            reason = describe_os_error(error) if isinstance(error, OSError) else "it is not a possible name"
            raise self._unreachable(f"no address was found: {reason}") from error
        if self._interrupted:
            raise self._ended()
        return found

    def _close_socket(self) -> bool:
        with self._guard:
            sock, self.sock = self.sock, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()
        return sock is not None

    def _use(self, sock: socket.socket) -> None:
        """Make this the connection's socket, unless the connection is at its end."""
        with self._guard:
            if self._interrupted:
                raise self._ended()
            self.sock = sock

    def _secure(self, context: ssl.SSLContext) -> None:
        with self._guard:
            if self._interrupted or self.sock is None:
                raise self._ended()
            try:
                self.sock = wrapped = context.wrap_socket(
                    self.sock, server_hostname=self._host_in_certificate, do_handshake_on_connect=False
                )
            except (OSError, ValueError) as error:
                raise self._tls_failed(error) from error
        try:
            wrapped.settimeout(self.deadlines.handshake)
            wrapped.do_handshake()
        except (OSError, ValueError) as error:
            raise self._tls_failed(error) from error
        self.under_tls = True
        cipher = wrapped.cipher()
        self.say(Direction.EVENT, f"TLS ({wrapped.version()}, {cipher[0] if cipher else 'unknown cipher'})")

    def _line(self, deadline: float) -> bytes:
        """Return the next line without its end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise self._confused("gave an answer with an endless line")
            self._receive(deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _receive(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        try:
            sock = self._usable()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            data = sock.recv(_RECEIVE)
        except TimeoutError:
            self.deaf = self._together
            raise SmtpTemporaryFailure(f"{self.name} did not answer in time") from None
        except (OSError, ValueError) as error:
            raise self._cut(error) from error
        if not data:
            raise self._cut(None)
        self._buffer += data

    def _usable(self) -> socket.socket:
        """Return the socket. From here on interrupt() finds it."""
        if self.sock is None or self._interrupted:
            raise self._cut(None)
        return self.sock

    def _send(self, data: bytes, patience: float) -> None:
        try:
            sock = self._usable()
            sock.settimeout(patience)
            sock.sendall(data)
        except TimeoutError:
            raise SmtpTemporaryFailure(f"{self.name} has taken no data for {patience:g} s") from None
        except (OSError, ValueError) as error:
            raise self._cut(error) from error

    def _redacted(self, line: bytes, least: int) -> bytes:
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= least:
                line = line.replace(secret, STARS.encode())
        return line

    # --- in words -----------------------------------------------------------------------------------------------------

    def _cut(self, error: Exception | None) -> SmtpTemporaryFailure:
        self.lost = self.gone = True
        if self._interrupted:
            return self._ended()
        if isinstance(error, ssl.SSLError):
            why = f"the TLS connection to {self.name} broke: {(error.reason or str(error)).lower().replace('_', ' ')}"
        elif isinstance(error, OSError):
            why = f"the connection to {self.name} broke: {describe_os_error(error)}"
        else:
            why = f"{self.name} closed the connection"
        return SmtpTemporaryFailure(why)

    def _ended(self) -> SmtpTemporaryFailure:
        return SmtpTemporaryFailure(f"the delivery to {self.name} was broken off, because the session is ending")

    def _confused(self, what: str) -> SmtpProtocolError:
        return SmtpProtocolError(f"{self.name} {what}")

    def _unreachable(self, why: str) -> DeliveryFailed:
        return self._ended() if self._interrupted else SmtpServerUnreachable(f"cannot reach {self.name}: {why}")

    def _tls_failed(self, error: Exception) -> DeliveryFailed:
        if self._interrupted:
            return self._ended()
        if isinstance(error, TimeoutError):
            return SmtpTemporaryFailure(
                f"the TLS handshake with {self.name} took longer than {self.deadlines.handshake:g} s"
            )
        return trust.explain(self.name, error)
