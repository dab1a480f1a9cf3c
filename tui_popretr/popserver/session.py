"""One POP3 session on the server's side: the AUTHORIZATION state, and the commands of both states (RFC 1939 §3)."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from tui_popretr.popserver import sasl
from tui_popretr.popserver.channel import Channel, LineTooLong, decoded, encoded
from tui_popretr.popserver.maildrop import MaildropInUse, ServedMaildrop
from tui_popretr.popserver.transaction import Handler, Refused, Transaction

_COMMAND_LIMIT = 8192  # octets
_RESPONSE_LIMIT = 12288  # RFC 4954 §4


class ServerSession:
    """The dialogue over one channel. With a `transaction` it is in the TRANSACTION state, else in AUTHORIZATION.

    Each command is a method. A subclass can change what the server offers: greeting(), capabilities(), mechanisms(),
    commands() and perform().
    """

    def __init__(self, maildrops: Mapping[str, ServedMaildrop], tls: ssl.SSLContext | None, channel: Channel) -> None:
        self.maildrops = maildrops
        self.tls = tls
        self.channel = channel
        self.transaction: Transaction | None = None
        self.timestamp = sasl.timestamp()
        self.user: str | None = None
        self.ended = False

    async def run(self, *, implicit_tls: bool = False) -> None:
        """Serve the client until QUIT and send all replies. Raises Disconnected when the client is gone.

        The maildrop's lock is released in every case; only QUIT applies deletions.
        """
        try:
            await self.converse(implicit_tls=implicit_tls)
            await self.channel.flush()
        finally:
            self.close_maildrop()

    async def converse(self, *, implicit_tls: bool) -> None:
        """Hold the dialogue, from the TLS handshake to QUIT."""
        if implicit_tls:
            await self.start_tls()
        await self.greet()
        try:
            while not self.ended:
                await self.obey(await self.channel.read_line(_COMMAND_LIMIT))
        except LineTooLong:
            await self.channel.reply("-ERR the line is too long")

    async def greet(self) -> None:
        await self.channel.reply(self.greeting())

    def greeting(self) -> str:
        return f"+OK POP3 for demonstration, loopback only {self.timestamp}"

    async def obey(self, line: bytes) -> None:
        """Execute one command line and reply to it."""
        verb, _, argument = decoded(line).partition(" ")
        try:
            await self.perform(verb.upper(), argument)
        except Refused as refused:
            await self.refuse(refused)
        except sasl.CredentialsRejected:
            await self.refuse(Refused("wrong user name or password", "AUTH"))

    async def perform(self, verb: str, argument: str) -> None:
        """Execute a command. Raises Refused and CredentialsRejected."""
        command = self.commands().get(verb)
        if command is None:
            raise Refused("unknown command, or not valid in this state")
        await command(argument)

    def commands(self) -> Mapping[str, Handler]:
        """Return the commands that are valid in the current state."""
        both = {"CAPA": self.capa, "QUIT": self.quit}
        if self.transaction is not None:
            return {**both, **self.transaction.commands()}
        return {
            **both,
            "USER": self.user_name,
            "PASS": self.password,
            "APOP": self.apop,
            "AUTH": self.auth,
            "STLS": self.stls,
        }

    async def refuse(self, refused: Refused) -> None:
        code = f"[{refused.code}] " if refused.code else ""
        await self.channel.reply(f"-ERR {code}{refused}")

    def close_maildrop(self) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.close()

    # --- both states ------------------------------------------------------------------------------------------------

    async def capa(self, _argument: str) -> None:
        await self.channel.listing("+OK capabilities follow", self.capabilities())

    def capabilities(self) -> Iterator[str]:
        """Yield the rows of CAPA (RFC 2449 §6, RFC 2595 §4, RFC 3206 §6, RFC 5034 §3)."""
        yield from ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING")
        if self.stls_offered:
            yield "STLS"
        yield "USER"
        yield " ".join(("SASL", *self.mechanisms()))
        yield "IMPLEMENTATION tui-popretr-popserver"

    @property
    def stls_offered(self) -> bool:
        return self.tls is not None and not self.channel.under_tls and self.transaction is None

    async def quit(self, _argument: str) -> None:
        self.ended = True
        if self.transaction is not None:
            self.transaction.update()
            # before the reply, since a client that has seen it may log in again at once
            self.close_maildrop()
        await self.channel.reply("+OK good-bye")

    # --- AUTHORIZATION ----------------------------------------------------------------------------------------------

    def mechanisms(self) -> Mapping[str, Callable[[], sasl.Exchange]]:
        """Return the SASL mechanisms that are offered on this connection."""
        cram_md5 = {"CRAM-MD5": partial(sasl.cram_md5, self.maildrops)}
        return {"PLAIN": partial(sasl.plain, self.maildrops), **cram_md5} if self.channel.under_tls else cram_md5

    async def user_name(self, argument: str) -> None:
        if not argument:
            raise Refused("USER requires a name")
        self.user = argument
        await self.channel.reply("+OK send the password")

    async def password(self, argument: str) -> None:
        if self.user is None:
            raise Refused("USER comes first")
        name, self.user = self.user, None
        await self.log_in(sasl.by_password(self.maildrops, name, argument))

    async def apop(self, argument: str) -> None:
        name, space, digest = argument.rpartition(" ")
        if not space:
            raise Refused("APOP requires a name and a digest")

        def proof(password: str) -> str:
            return hashlib.md5(encoded(self.timestamp + password), usedforsecurity=False).hexdigest()

        await self.log_in(sasl.by_proof(self.maildrops, name, proof, digest.lower()))

    async def auth(self, argument: str) -> None:
        name, _, initial = argument.partition(" ")
        mechanism = self.mechanisms().get(name.upper())
        if mechanism is None:
            raise Refused("this mechanism is not offered")
        try:
            maildrop = await self._exchange(mechanism(), initial.encode(errors="replace"))
        except sasl.MalformedResponse:
            raise Refused("the response does not have the mechanism's form") from None
        await self.log_in(maildrop)

    async def _exchange(self, exchange: sasl.Exchange, initial: bytes) -> ServedMaildrop:
        """Send challenges and receive responses (RFC 5034 §4)."""
        try:
            challenge = next(exchange)
            if initial:
                if challenge:
                    raise Refused("this mechanism takes no initial response")
                challenge = exchange.send(sasl.decode(initial))
            while True:
                await self.channel.reply(f"+ {base64.b64encode(challenge).decode()}")
                challenge = exchange.send(sasl.decode(await self.read_response()))
        except StopIteration as finished:
            maildrop: ServedMaildrop = finished.value
            return maildrop

    async def read_response(self) -> bytes:
        """Return the client's response to a challenge. Raises Refused if the client cancels."""
        line = await self.channel.read_line(_RESPONSE_LIMIT)
        if line == b"*":
            raise Refused("cancelled")
        return line

    async def log_in(self, maildrop: ServedMaildrop) -> None:
        """Enter the TRANSACTION state."""
        try:
            self.transaction = self.open_maildrop(maildrop)
        except MaildropInUse:
            raise Refused("another session has the maildrop open", "IN-USE") from None
        await self.channel.reply(f"+OK {len(self.transaction.messages)} messages")

    def open_maildrop(self, maildrop: ServedMaildrop) -> Transaction:
        """Return the transaction on a maildrop. Raises MaildropInUse."""
        self.channel.rate = maildrop.rate
        return Transaction(maildrop, self.channel)

    async def stls(self, _argument: str) -> None:
        if not self.stls_offered:
            raise Refused("TLS is not available")
        await self.channel.reply("+OK begin TLS")
        self.user = None  # RFC 2595 §4
        await self.channel.flush()
        await self.start_tls()

    async def start_tls(self) -> None:
        assert self.tls is not None
        await self.channel.start_tls(self.tls)
